"""Score growing parts of one large set of images. Rule: score_sizes."""

from uncanny import jobs


def main(snakemake):
    from uncanny import hardware, scoring

    scoring.score_sizes(
        samples=snakemake.input.samples,
        record=snakemake.input.record,
        extractor=snakemake.input.extractor,
        reference=snakemake.input.reference,
        sizes=snakemake.params.sizes,
        evaluation=snakemake.params.evaluation,
        cell=snakemake.params.cell,
        identity=snakemake.params.identity,
        output=snakemake.output[0],
        device=hardware.device(snakemake.threads),
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
