"""Draw the images of one cell from a checkpoint's averaged network. Rule: draw_samples."""

from pathlib import Path

from uncanny import jobs


def main(snakemake):
    from uncanny import sampling

    names, paths = snakemake.params.classifiers, snakemake.input.get("classifiers") or []
    dataset = snakemake.input.get("dataset")
    sampling.run(
        checkpoint=snakemake.input.checkpoint,
        identity=snakemake.params.identity,
        seed=int(snakemake.wildcards.seed),
        sampler=snakemake.params.sampler,
        guidance=snakemake.params.guidance,
        classifiers=dict(zip(names, paths, strict=True)),
        dataset=Path(dataset).parent if dataset else None,
        draw=int(snakemake.wildcards.draw),
        num_images=snakemake.params.num_images,
        samples=snakemake.output.samples,
        record=snakemake.output.record,
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
