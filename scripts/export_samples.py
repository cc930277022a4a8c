"""Write a set of images as other programs read it. Rule: export_samples."""

from uncanny import jobs


def main(snakemake):
    from uncanny import given

    given.export(snakemake.input.samples, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
