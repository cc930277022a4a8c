"""Assess each claim of the paper by the results. Rule: assess_claims."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.claims import assess, reading, scorecard
    from uncanny.workflow import pages

    params = snakemake.params
    evidence = reading.evidence(
        dict(snakemake.input.items()),
        params.seeds,
        params.sampling_seeds,
        params.scale,
        params.labels,
    )
    assessments = assess.assess(params.claims, evidence)
    scorecard.write(assessments, Path(snakemake.output.csv).with_suffix(""))
    pages.write_table(snakemake.output.page, snakemake.output.md)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
