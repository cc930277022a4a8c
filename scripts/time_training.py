"""Time the updates of a model's training. Rule: time_training."""

from pathlib import Path

from uncanny import jobs


def main(snakemake):
    from uncanny import timing

    timing.time_training(
        dataset=Path(snakemake.input.dataset).parent,
        identity=snakemake.params.identity,
        model=snakemake.wildcards.model,
        blocks=snakemake.params.blocks,
        output=snakemake.output[0],
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
