"""Record what the pages and pictures in docs/ are made from. Rule: record_docs."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.study.study import Study
    from uncanny.workflow import dag, published

    params = snakemake.params
    current = published.fingerprints(Study(params.config), dag.read(), params.code)
    published.record(Path(params.folder), current)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
