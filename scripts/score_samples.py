"""Score one cell's images: features through the extractor, then every metric of the dataset. Rule:
score_samples.
"""

from uncanny import jobs


def main(snakemake):
    from uncanny import hardware, scoring

    scoring.score_samples(
        samples=snakemake.input.samples,
        record=snakemake.input.record,
        extractor=snakemake.input.extractor,
        reference=snakemake.input.reference,
        features_path=snakemake.params.features,
        evaluation=snakemake.params.evaluation,
        cell=snakemake.params.cell,
        identity=snakemake.params.identity,
        output=snakemake.output[0],
        device=hardware.device(snakemake.threads),
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
