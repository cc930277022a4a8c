"""Measure a checkpoint's denoising loss by noise level. Rule: measure_losses."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import denoising_losses

    arguments = jobs.arguments(snakemake, "identity", "seed", "options", "names")
    denoising_losses.run(**arguments, threads=snakemake.threads)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
