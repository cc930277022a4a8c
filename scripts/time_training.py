"""Time updates in the training of several models, in alternating rounds. Rule: time_training."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import timing

    identities = snakemake.params.identities
    folders = [Path(path).parent for path in snakemake.input.datasets]
    timing.time_training(
        datasets=dict(zip(identities, folders, strict=True)),
        identities=identities,
        blocks=snakemake.params.blocks,
        output=snakemake.output[0],
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
