"""Export a sample set for other programs. Rule: export_samples."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.interop import imported_samples

    imported_samples.export(**jobs.arguments(snakemake))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
