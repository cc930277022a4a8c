"""Sample one checkpoint with all samplers of an experiment, and score. Rule: compare_samplers."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.experiments import sampler_comparison

    comparison = snakemake.params.comparison
    sampler_comparison.run(
        checkpoint=snakemake.input.checkpoint,
        identity=comparison["identity"],
        seed=int(snakemake.wildcards.seed),
        losses=snakemake.input.get("losses") or None,
        samplers=comparison["samplers"],
        extent=comparison["extent"],
        metric=comparison["metric"],
        extractor=snakemake.input.extractor,
        reference=snakemake.input.reference,
        names=comparison["names"],
        output=snakemake.output[0],
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
