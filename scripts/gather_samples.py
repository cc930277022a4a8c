"""Join the sample sets of several jobs. Rule: gather_samples. Also gather_many_samples."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.sampling import shards

    shards.gather(**jobs.arguments(snakemake))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
