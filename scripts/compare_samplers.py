"""Sample one checkpoint in all ways of an experiment, and score them. Rule: compare_samplers."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.experiments import sampler_comparison

    walks = snakemake.params.walks
    sampler_comparison.run(
        checkpoint=snakemake.input.checkpoint,
        identity=walks["identity"],
        seed=int(snakemake.wildcards.seed),
        losses=snakemake.input.get("losses") or None,
        samplers=walks["samplers"],
        extent=walks["extent"],
        metric=walks["metric"],
        extractor=snakemake.input.extractor,
        reference=snakemake.input.reference,
        names=walks["names"],
        output=snakemake.output[0],
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
