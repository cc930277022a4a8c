"""Import a sample set. Rule: import_samples. Also import_many_samples."""

from pathlib import Path

from uncanny.runtime import source_files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.interop import imported_samples

    imported_samples.run(
        path=snakemake.params.path,
        key=f"models.{snakemake.wildcards.model}.samples",
        num_images=snakemake.params.num_images,
        seed=int(snakemake.wildcards.draw),
        dataset=Path(snakemake.input.dataset).parent,
        samples=snakemake.output.samples,
        record=snakemake.output.record,
    )
    source_files.keep(snakemake.output.record, snakemake.params.source_files)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
