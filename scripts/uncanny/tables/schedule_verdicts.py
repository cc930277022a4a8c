"""Verdicts of experiments: which schedule, or which way to train, is better, and where."""

from collections import Counter

import pandas as pd

from uncanny.experiments.words import ARMS, METRICS, SOLVERS
from uncanny.registry.option_types import PositiveInt
from uncanny.tables import Contents

NEEDS = "verdicts"

SYMBOLS = {"uniform": "e", "bandwidth": "τ", "bias": "η", "gain": "η"}
EXPERIMENTS = {
    "G": "Exact scores with an error",
    "N": "Trained models",
    "T": "Ways to train, against the base",
}
CELL_COLUMNS = ["experiment", "data", "error of the score", "solver", "metric"]


def schedule_verdicts(
    contents: Contents, *, families: list[str] | None = None, nfe: list[PositiveInt] | None = None
) -> pd.DataFrame:
    """One row per data, kind of error, solver, metric and number of evaluations: the verdict and
    where the better schedule changes, in the strength of the error, or in epochs of each training
    seed, with what the model's own loss predicts in brackets. For ways to train, the ratios of
    updates to the thresholds.

    families: of exact experiments, default all; nfe: default all.
    """
    lines = [
        line
        for line in contents.verdicts
        if (nfe is None or line["nfe"] in nfe)
        and (families is None or line["experiment"] != "G" or line["family"] in families)
    ]
    if not lines:
        raise ValueError("schedule_verdicts: no verdicts to be shown")
    cells: dict[tuple, list] = {}
    for line in lines:
        cells.setdefault((*_cell_key(line, contents), line["nfe"]), []).append(line)
    names = [*CELL_COLUMNS, "NFE"]
    return pd.DataFrame(
        dict(zip(names, key, strict=True)) | {"verdict": _cell(of_cell)}
        for key, of_cell in cells.items()
    )


def sections(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table for each kind of experiment and solver, with a column per number of evaluations."""
    tables = {}
    for (experiment, solver), rows in frame.groupby(["experiment", "solver"], sort=False):
        keys = ["data", "error of the score", "metric"]
        keys = [key for key in keys if (rows[key] != "").any()]
        wide = rows.pivot(index=keys, columns="NFE", values="verdict").rename(
            columns="NFE {}".format
        )
        order = rows[keys].drop_duplicates()
        table = order.merge(wide.reset_index(), on=keys, how="left")
        tables[f"{experiment}, {solver}"] = table.rename_axis(columns=None)
    return tables


def _cell_key(line: dict, contents: Contents) -> tuple:
    experiment = line["experiment"]
    data = contents.label("models", line["model"]) if "model" in line else line["target"]
    error = line["family"] or ""
    return (
        EXPERIMENTS.get(experiment, experiment),
        data,
        ARMS.get(error, error) if experiment == "T" else error,
        SOLVERS.get(line["solver"], line["solver"]),
        METRICS.get(line["metric"]) or contents.label("metrics", line["metric"]),
    )


def _cell(lines: list[dict]) -> str:
    counts = Counter(line["verdict"].replace("_", " ") for line in lines)
    if len(lines) == 1:
        words = next(iter(counts))
    else:
        words = ", ".join(f"{count}× {name}" for name, count in counts.most_common())
    more = _ratios(lines[0]) if "thresholds" in lines[0] else _changes(lines)
    return f"{words}: {more}" if more else words


def _changes(lines: list[dict]) -> str:
    """Where the better schedule changes, or which one is better throughout."""
    line = lines[0]
    if "knob" in line["crossing"]:
        at = line["crossing"]["knob"]
        if at is not None:
            arrow = line["crossing"]["direction"].replace("->", "→")
            return f"{arrow} at {SYMBOLS.get(line['family'], '')} = {at:.3g}"
        return line["better_when_well_trained"]
    crossings = [
        f"{_number(entry['crossing']['epoch'])} ({_number(entry['predicted_crossing'])})"
        for entry in lines
    ]
    return f"epoch {', '.join(crossings)}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _ratios(line: dict) -> str:
    return ", ".join(
        (("≥ " if entry["ratio"] >= 1 else "≤ ") if entry["is_bound"] else "")
        + f"{entry['ratio']:.2f}"
        for entry in line["thresholds"]
        if entry["ratio"] is not None
    )
