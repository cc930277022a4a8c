"""Pack the files from which figures and tables are made. Rule: pack_archive."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.workflow import archive

    results = Path(snakemake.output[0]).parent
    archive.pack(
        [str(Path(path).relative_to(results)) for path in snakemake.input],
        results,
        snakemake.params.study,
        snakemake.params.identity,
        snakemake.output[0],
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
