"""Measure a checkpoint's denoising loss by noise level. Rule: measure_losses."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import denoising_losses

    denoising_losses.run(
        checkpoint=snakemake.input.checkpoint,
        best=snakemake.input.best,
        identity=snakemake.params.identity,
        seed=int(snakemake.wildcards.seed),
        dataset=Path(snakemake.input.dataset).parent,
        options=snakemake.params.losses,
        names=snakemake.params.names,
        output=snakemake.output[0],
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
