"""Extract a sample set's features. Rule: extract_features. Also extract_many_features."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import scoring
    from uncanny.runtime import hardware

    device = hardware.device(snakemake.threads)
    scoring.extract_features(**jobs.arguments(snakemake), device=device)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
