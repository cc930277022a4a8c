"""Sample one checkpoint with all samplers of an experiment, and score. Rule: compare_samplers."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.experiments import sampler_comparison

    arguments = jobs.arguments(snakemake, "seed") | snakemake.params.comparison
    sampler_comparison.run(**arguments, threads=snakemake.threads)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
