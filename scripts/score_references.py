"""Score real images and noise like samples, as references for figures. Rule: score_references."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import scoring
    from uncanny.runtime import hardware

    arguments = jobs.arguments(snakemake, "evaluation", "num_images")
    scoring.score_references(**arguments, device=hardware.device(snakemake.threads))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
