"""Time the sampling of a trained model. Rule: time_sampling."""

from uncanny import jobs


def main(snakemake):
    from uncanny import timing

    wildcards = snakemake.wildcards
    walk, paths = snakemake.params.walk, snakemake.input.get("classifiers") or []
    timing.time_sampling(
        checkpoint=snakemake.input.checkpoint,
        identity=walk["identity"],
        seed=int(wildcards.seed),
        sampler=walk["sampler"],
        guidance=walk["guidance"],
        classifiers=dict(zip(walk["classifiers"], paths, strict=True)),
        num_images=snakemake.params.num_images,
        batches=snakemake.params.batches,
        names={key: getattr(wildcards, key) for key in ("model", "sampler", "guidance")},
        output=snakemake.output[0],
        losses=snakemake.input.get("losses") or None,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
