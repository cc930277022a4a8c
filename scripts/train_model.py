"""Train one model from one checkpoint to the next. Rule: train_model."""

from pathlib import Path

from uncanny.study.study import Study
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.training import segments

    segments.run(
        identity=snakemake.params.identity,
        seed=int(snakemake.wildcards.seed),
        epoch=int(snakemake.wildcards.epoch),
        dataset=Path(snakemake.input.dataset).parent,
        previous=snakemake.input.get("previous") or None,
        checkpoint=snakemake.output.checkpoint,
        history=snakemake.output.history,
        threads=snakemake.threads,
        code=snakemake.params.code,
        # No param: another number of GPUs trains no model again.
        gpus=Study(snakemake.config).gpus(snakemake.wildcards.model),
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
