"""Import a sample set. Rule: import_samples. Also import_many_samples."""

from uncanny.runtime import source_files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.interop import imported_samples

    key = f"models.{snakemake.wildcards.model}.samples"
    imported_samples.run(**jobs.arguments(snakemake, "path", "num_images", "draw"), key=key)
    source_files.keep(snakemake.output.record, snakemake.params.source_files)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
