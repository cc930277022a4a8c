"""Score real images and noise like samples, as references for figures. Rule: score_references."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import scoring
    from uncanny.runtime import hardware

    scoring.score_references(
        dataset=Path(snakemake.input.dataset).parent,
        extractor=snakemake.input.extractor,
        reference=snakemake.input.reference,
        evaluation=snakemake.params.evaluation,
        num_images=snakemake.params.num_images,
        output=snakemake.output[0],
        device=hardware.device(snakemake.threads),
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
