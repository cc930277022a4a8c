"""Take images that were drawn elsewhere. Rule: import_samples. Also import_many_samples."""

from pathlib import Path

from uncanny import jobs


def main(snakemake):
    from uncanny import given

    given.run(
        path=snakemake.params.path,
        num_images=snakemake.params.num_images,
        dataset=Path(snakemake.input.dataset).parent,
        samples=snakemake.output.samples,
        record=snakemake.output.record,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
