"""Time a trained model's samplers, in alternating rounds. Rule: time_sampling."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import timing

    params, paths = snakemake.params, snakemake.input.get("classifiers") or []
    timing.time_sampling(
        checkpoint=snakemake.input.checkpoint,
        identity=params.identity,
        model=snakemake.wildcards.model,
        seed=int(snakemake.wildcards.seed),
        samplings=params.samplings,
        classifiers=dict(zip(params.classifiers, paths, strict=True)),
        num_images=params.num_images,
        batches=params.batches,
        output=snakemake.output[0],
        losses=snakemake.input.get("losses") or None,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
