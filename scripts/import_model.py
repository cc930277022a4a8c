"""Import external weights as a checkpoint. Rule: import_model."""

from pathlib import Path

from uncanny.runtime import source_files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.interop import external

    external.run(
        identity=snakemake.params.identity,
        seed=int(snakemake.wildcards.seed),
        epoch=int(snakemake.wildcards.epoch),
        dataset=Path(snakemake.input.dataset).parent,
        checkpoint=snakemake.output.checkpoint,
        history=snakemake.output.history,
    )
    source_files.keep(snakemake.output.history, snakemake.params.source_files)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
