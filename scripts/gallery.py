"""Write pages of a study: Markdown, self-contained HTML, first page of a report. Rule: gallery."""

import json
from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.estimate import costs, totals
    from uncanny.runtime import files
    from uncanny.study.plan import listing
    from uncanny.study.study import Study
    from uncanny.workflow import dag, gallery, study_page

    params, study = snakemake.params, Study(snakemake.params.config)
    folder, start = Path(params.results), totals.START["here"]
    site = totals.Site(costs.PROCESSOR, at_once=1, start=start, one_machine=True)
    rows = totals.Estimate(study, folder, site, dag.read()).of_targets()
    claims = snakemake.input.get("claims")
    text = gallery.page(
        study,
        params.command,
        {row["target"]: row for row in rows},
        Path(claims).read_text(encoding="utf-8") if claims else "",
    )
    files.write_text(snakemake.output.readme, text)
    page = study_page.page(study, params.command, folder)
    files.write_text(snakemake.output.page, page)
    files.write_text(snakemake.output.overview, study_page.overview(study, folder))
    # Where a report has metadata, Snakemake shows them in place of the graph of jobs.
    files.write_text(snakemake.output.metadata, json.dumps(listing.scale(study)) + "\n")


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
