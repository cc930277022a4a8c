"""Assess each claim of the paper by the results. Rule: assess_claims."""

from pathlib import Path

from uncanny.runtime import files, result_paths
from uncanny.workflow import jobs


def main(snakemake):
    import pandas as pd

    from uncanny.claims import assess, curves, scorecard, stored_spreads
    from uncanny.evaluation import score_records
    from uncanny.workflow import pages

    table = score_records.tidy(score_records.read_records(snakemake.input.scores))
    for _, rows in table.groupby("dataset"):
        score_records.check_comparable(rows)
    references = [files.read_json(path) for path in snakemake.input.references]
    reports: dict[str, list] = {}
    for path in snakemake.input.reports:
        classifier = result_paths.names("reports", path)["classifier"]
        reports.setdefault(classifier, []).append(files.read_json(path))
    experiments: dict[str, dict] = {"csv": {}, "jsonl": {}}
    for path in snakemake.input.get("experiments", []):
        named = result_paths.names("experiments", path)
        experiments[named["suffix"]][named["experiment"]] = path
    evidence = assess.Evidence(
        curves.Scores(table, {entry["dataset"]: entry["references"] for entry in references}),
        seeds=snakemake.params.seeds,
        sampling_seeds=snakemake.params.sampling_seeds,
        timings=[
            record
            for path in snakemake.input.timings
            for record in files.read_json(path)["records"]
        ],
        sizes=[files.read_json(path) for path in snakemake.input.sizes],
        reports=reports,
        tables={name: pd.read_csv(path) for name, path in experiments["csv"].items()},
        verdicts={name: files.read_json_lines(path) for name, path in experiments["jsonl"].items()},
        spreads=stored_spreads.read(),
        is_reduced=snakemake.params.scale == "reduced",
        labels=snakemake.params.labels,
    )
    assessments = assess.assess(snakemake.params.claims, evidence)
    scorecard.write(assessments, Path(snakemake.output.csv).with_suffix(""))
    pages.write_table(snakemake.output.page, snakemake.output.md)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
