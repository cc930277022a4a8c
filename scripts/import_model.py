"""Import external weights as a checkpoint. Rule: import_model."""

from uncanny.runtime import source_files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.interop import external

    external.run(**jobs.arguments(snakemake, "identity", "seed", "epoch"))
    source_files.keep(snakemake.output.history, snakemake.params.source_files)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
