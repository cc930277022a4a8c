"""Measure the likelihood of held-out images under a checkpoint. Rule: measure_likelihood."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import likelihood

    likelihood.run(**jobs.of_checkpoint(snakemake), options=snakemake.params.likelihood)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
