"""Export a checkpoint as a diffusers folder. Rule: export_model."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.interop import external

    external.export(**jobs.arguments(snakemake, "identity", "seed"))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
