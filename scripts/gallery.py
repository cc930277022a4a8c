"""Show a study on one page: verdicts, small figures, costs. Rule: gallery."""

from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.estimate import costs, totals
    from uncanny.runtime import files
    from uncanny.study.study import Study
    from uncanny.workflow import dag, gallery

    params, study = snakemake.params, Study(snakemake.params.config)
    start = totals.START["here"]
    site = totals.Site(costs.PROCESSOR, at_once=1, start=start, one_machine=True)
    rows = totals.Estimate(study, Path(params.results), site, dag.read()).of_targets()
    claims = snakemake.input.get("claims")
    text = gallery.page(
        study,
        params.command,
        {row["target"]: row for row in rows},
        Path(claims).read_text(encoding="utf-8") if claims else "",
    )
    files.write_text(snakemake.output[0], text)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
