"""Verdicts of experiments: which schedule, or which way to train, is better, and where."""

from collections import Counter

import pandas as pd

from uncanny.registry.option_types import PositiveInt
from uncanny.tables import Contents

NEEDS = "verdicts"

METRICS = {"kl": "marginal KL", "path_kl": "path KL", "w2": "W2"}
SYMBOLS = {"uniform": "e", "bandwidth": "τ", "bias": "η", "gain": "η"}
TRAINED = "trained"
CELL_COLUMNS = ["experiment", "data", "error of the score", "solver", "metric"]


def schedule_verdicts(
    contents: Contents, *, families: list[str] | None = None, nfe: list[PositiveInt] | None = None
) -> pd.DataFrame:
    """One row per data, kind of error, solver and metric; a column per number of evaluations. A
    cell has the verdict and where the better schedule changes: in the strength of the error, or in
    epochs of each training seed, with what the model's own loss predicts in brackets. For ways to
    train, the ratios of updates to the thresholds.

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
    cells: dict[tuple, dict[int, list]] = {}
    for line in lines:
        cells.setdefault(_cell_key(line), {}).setdefault(line["nfe"], []).append(line)
    columns = sorted({line["nfe"] for line in lines})
    return pd.DataFrame(
        [
            dict(zip(CELL_COLUMNS, key, strict=True))
            | {f"NFE {count}": _cell(by_nfe.get(count, [])) for count in columns}
            for key, by_nfe in cells.items()
        ]
    )


def _cell_key(line: dict) -> tuple:
    data = line.get("model", line["target"])
    error = line["family"] or TRAINED
    if line["experiment"] == "T":
        error = f"trained otherwise: {error}"
    metric = METRICS.get(line["metric"], line["metric"])
    return line["experiment"], data, error, line["solver"], metric


def _cell(lines: list[dict]) -> str:
    if not lines:
        return ""
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
        ("≥ " if entry["is_bound"] else "") + f"{entry['ratio']:.2f}"
        for entry in line["thresholds"]
        if entry["ratio"] is not None
    )
