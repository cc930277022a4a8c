"""Train one model from one checkpoint to the next. Rule: train_model."""

from uncanny.study.study import Study
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.training import segments

    # No param: another number of GPUs trains no model again.
    gpus = Study(snakemake.config).gpus(snakemake.wildcards.model)
    arguments = jobs.arguments(snakemake, "identity", "seed", "epoch", "code")
    segments.run(**arguments, threads=snakemake.threads, gpus=gpus)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
