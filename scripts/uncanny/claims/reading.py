"""Read the results that claims are decided by."""

from collections.abc import Mapping, Sequence

import pandas as pd

from uncanny.claims import stored_spreads
from uncanny.claims.assess import Evidence
from uncanny.claims.curves import Scores
from uncanny.evaluation import score_records
from uncanny.runtime import files, result_paths


def evidence(
    paths: Mapping[str, Sequence[str]],
    seeds: Sequence[int],
    sampling_seeds: Sequence[int],
    scale: str,
    labels: Mapping | None = None,
) -> Evidence:
    """The results of a study, with stored spreads between trainings.

    paths: of each kind of file that claims read: scores, references, timings, sizes, reports,
    experiments. scale: "published" or "reduced". Raises ValueError that names a damaged file, or
    cells that are not comparable.
    """
    table = score_records.tidy(score_records.read_records(paths["scores"]))
    for _, rows in table.groupby("dataset"):
        score_records.check_comparable(rows)
    references = [files.read_json(path) for path in paths["references"]]
    experiments = _experiments(paths.get("experiments", []))
    return Evidence(
        Scores(table, {entry["dataset"]: entry["references"] for entry in references}),
        seeds=seeds,
        sampling_seeds=sampling_seeds,
        timings=[r for path in paths["timings"] for r in files.read_json(path)["records"]],
        sizes=[files.read_json(path) for path in paths["sizes"]],
        reports=_reports(paths["reports"]),
        tables={name: pd.read_csv(path) for name, path in experiments["csv"].items()},
        verdicts={name: files.read_json_lines(path) for name, path in experiments["jsonl"].items()},
        spreads=stored_spreads.read(),
        is_reduced=scale == "reduced",
        labels=labels or {},
    )


def _reports(paths: Sequence[str]) -> dict[str, list[dict]]:
    reports: dict[str, list[dict]] = {}
    for path in paths:
        classifier = str(result_paths.names("reports", path)["classifier"])
        reports.setdefault(classifier, []).append(files.read_json(path))
    return reports


def _experiments(paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """Path of each experiment's table ("csv") and verdicts ("jsonl")."""
    by_suffix: dict[str, dict[str, str]] = {"csv": {}, "jsonl": {}}
    for path in paths:
        named = result_paths.names("experiments", path)
        by_suffix[named["suffix"]][named["experiment"]] = path
    return by_suffix
