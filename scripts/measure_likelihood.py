"""Measure the likelihood of held-out images under a checkpoint. Rule: measure_likelihood."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import likelihood

    arguments = jobs.arguments(snakemake, "identity", "seed", "options", "names")
    likelihood.run(**arguments, threads=snakemake.threads)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
