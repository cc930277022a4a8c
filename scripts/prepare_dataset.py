"""Prepare a dataset: arrays of its splits, and their description dataset.json. Rule:
prepare_dataset.
"""

from pathlib import Path

from uncanny.registry import components
from uncanny.runtime import source_files
from uncanny.workflow import jobs


def main(snakemake):
    options = dict(snakemake.params.dataset)
    kind = options.pop("kind")
    if components.takes("datasets", kind, "threads"):
        options["threads"] = snakemake.threads
    prepare = components.load("datasets", kind)
    prepare(Path(snakemake.output.description).parent, **options)
    source_files.keep(snakemake.output.description, snakemake.params.source_files)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
