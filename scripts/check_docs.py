"""Check that the pages and pictures in docs/ are those of the code and config. Rule: check_docs."""

import sys
from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.study.study import Study
    from uncanny.workflow import dag, published

    study, params = Study(snakemake.params.config), snakemake.params
    current = published.fingerprints(study, dag.read(), params.code)
    stale = published.stale(Path(params.folder), current)
    lines = [f"docs/{study.name}/{name}: {reason}" for name, reason in stale.items()]
    lines += [f"docs/{study.name}: {len(current)} pages and pictures in the study"]
    print(*lines, sep="\n", file=sys.__stdout__, flush=True)  # sys.stdout is the log
    if stale:
        raise ValueError(f"docs/{study.name}: {len(stale)} stale; expected make docs CONFIG=…")


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
