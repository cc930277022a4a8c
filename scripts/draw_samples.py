"""Sample images from a checkpoint's averaged network. Rule: draw_samples. Also draw_part."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.sampling import job

    sampling, paths = snakemake.params.sampling, snakemake.input.get("classifiers") or []
    dataset = snakemake.input.get("dataset")
    job.run(
        checkpoint=snakemake.input.checkpoint,
        identity=sampling["identity"],
        seed=int(snakemake.wildcards.seed),
        sampler=sampling["sampler"],
        guidance=sampling["guidance"],
        classifiers=dict(zip(sampling["classifiers"], paths, strict=True)),
        dataset=Path(dataset).parent if dataset else None,
        losses=snakemake.input.get("losses") or None,
        draw=int(snakemake.wildcards.draw),
        first=snakemake.params.first,
        num_images=snakemake.params.num_images,
        samples=snakemake.output.samples,
        record=snakemake.output.record,
        threads=snakemake.threads,
        code=snakemake.params.code,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
