"""Score nested subsets of one large sample set, by size. Rule: score_sizes."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import scoring
    from uncanny.runtime import hardware

    arguments = jobs.arguments(snakemake, "evaluation", "cell", "identity")
    sample_set = scoring.SampleSet(**arguments, device=hardware.processor(snakemake.threads))
    scoring.score_sizes(sample_set, snakemake.params.sizes, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
