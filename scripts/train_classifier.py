"""Train the noisy classifier of one dataset and noise schedule, and report its accuracy by noise
level. Rule: train_classifier.
"""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.training import classifiers

    classifiers.run(
        identity=snakemake.params.identity,
        dataset=Path(snakemake.input.dataset).parent,
        checkpoint=snakemake.output.checkpoint,
        report=snakemake.output.report,
        threads=snakemake.threads,
        code=snakemake.params.code,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
