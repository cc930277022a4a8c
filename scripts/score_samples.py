"""Score one cell's images with every metric of the dataset. Rule: score_samples."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import scoring
    from uncanny.runtime import hardware

    arguments = jobs.arguments(snakemake, "evaluation", "cell", "identity")
    output, device = arguments.pop("output"), hardware.processor(snakemake.threads)
    sample_set = scoring.SampleSet(**arguments, device=device)
    scoring.score_samples(sample_set, snakemake.params.features, output)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
