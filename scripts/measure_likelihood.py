"""Measure the likelihood of held-out images under a checkpoint. Rule: measure_likelihood."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import likelihood

    likelihood.run(
        checkpoint=snakemake.input.checkpoint,
        identity=snakemake.params.identity,
        seed=int(snakemake.wildcards.seed),
        dataset=Path(snakemake.input.dataset).parent,
        options=snakemake.params.likelihood,
        names=snakemake.params.names,
        output=snakemake.output[0],
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
