"""Measure a checkpoint's denoising loss by noise level. Rule: measure_losses."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import denoising_losses

    more = {"best": snakemake.input.best, "options": snakemake.params.losses}
    denoising_losses.run(**jobs.of_checkpoint(snakemake), **more)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
