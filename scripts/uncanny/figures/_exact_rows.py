"""Tables of the figure of exact schedules: curves, crossings, maps, terms."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from uncanny.figures.figure_data import FigureData

BOTH = ("exponential", "polynomial")
TERMS = ("E_I", "E_D", "E_S")
COLUMNS = [
    *["panel", "panel_title", "role", "curve", "experiment", "target", "width", "family"],
    *["schedule", "solver", "num_steps", "strength", "metric", "value", "sigma_min", "sigma_max"],
    *["rho", "diverged", "status"],
]


def by_strength(
    data: FigureData, target: str, family: str, metric: str, num_steps: list[int]
) -> pd.DataFrame:
    """Metric of both schedules at every strength, and one row per change of the better schedule."""
    rows = _rows(data, family, metric, num_steps, target=target)
    values = _long(rows, metric, "curve")
    crossings = [_crossing_row(values, entry) for entry in _changes(data, rows, metric)]
    return pd.concat([values, *crossings], ignore_index=True).reindex(columns=COLUMNS)


def terms(data: FigureData, target: str, family: str, strength: float) -> pd.DataFrame:
    """The three error terms of every schedule against the number of steps, at the strength nearest
    to `strength`.
    """
    rows = _sde(data, target=target, family=family)
    rows = rows[rows["E_S"].notna()]
    if rows.empty:
        raise ValueError(f"figure is empty: no rows of target {target!r} with family {family!r}")
    strengths = rows["strength"].unique()
    rows = rows[rows["strength"] == strengths[np.abs(strengths - strength).argmin()]]
    tables = [_long(rows, term, "term") for term in TERMS]
    return pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)


def excess(data: FigureData, target: str, family: str, num_steps: list[int]) -> pd.DataFrame:
    """Excess path KL of both schedules over the derived one, in %, at every strength."""
    rows = _rows(data, family, "path_kl", num_steps, target=target)
    keys = ["num_steps", "strength"]
    derived = _sde(data, target=target, family=family, schedule="derived").set_index(keys)[
        "path_kl"
    ]
    of_derived = derived.loc[pd.MultiIndex.from_frame(rows[keys])].to_numpy()
    rows = rows.assign(excess=100 * (rows["path_kl"] / of_derived - 1))
    return _long(rows, "excess", "excess").assign(metric="excess of path_kl (%)")


def regions(data: FigureData, family: str, metric: str, num_steps: int) -> pd.DataFrame:
    """ln(exponential / polynomial) for one-dimensional targets, by width and strength above 0."""
    rows = _rows(data, family, metric, [num_steps])
    rows = rows[(rows["width"] > 0) & (rows["strength"] > 0)]
    rows = rows.drop_duplicates(["width", "strength", "schedule"])
    keys = ["experiment", "target", "width", "family", "solver", "num_steps", "strength"]
    both = rows.pivot(index="strength", columns=["width", "schedule"], values=metric)
    if both.isna().to_numpy().any() or both.shape[1] < 4:
        raise ValueError(
            f"figure is empty: no map of {metric} with family {family!r} and {num_steps} steps; "
            "expected experiments with several widths"
        )
    table = rows[rows["schedule"] == BOTH[0]]
    exponential, polynomial = (
        rows[rows["schedule"] == name].set_index(["width", "strength"]) for name in BOTH
    )
    ratio = np.log(exponential[metric] / polynomial[metric])
    index = pd.MultiIndex.from_frame(table[["width", "strength"]])
    table = table[keys].assign(
        role="map", metric=f"ln ratio of {metric}", value=ratio.loc[index].to_numpy()
    )
    return table.sort_values(["width", "strength"]).reindex(columns=COLUMNS)


def _sde(data: FigureData, **conditions) -> pd.DataFrame:
    rows = data.exact[data.exact["solver"] == "sde"]
    for column, value in conditions.items():
        rows = rows[rows[column] == value]
    return rows


def _rows(
    data: FigureData, family: str, metric: str, num_steps: list[int], **conditions
) -> pd.DataFrame:
    """Rows of both schedules that have the metric. Raises ValueError if any are missing."""
    rows = _sde(data, family=family, **conditions)
    rows = rows[rows["schedule"].isin(BOTH) & rows["num_steps"].isin(num_steps)]
    rows = rows[rows[metric].notna()] if metric in rows else rows[:0]
    missing = sorted(set(num_steps) - set(rows["num_steps"]))
    if missing:
        raise ValueError(
            f"figure is empty: its experiments have no {metric} of family {family!r} with "
            f"{missing} steps"
        )
    _check_one_range(rows)
    return rows


def _check_one_range(rows: pd.DataFrame) -> None:
    keys = ["target", "schedule", "num_steps", "strength"]
    ranges = rows[["sigma_min", "sigma_max"]].drop_duplicates()
    if len(ranges) > 1 or rows.duplicated(keys).any():
        names = ", ".join(rows["experiment"].unique())
        raise ValueError(
            f"figure: experiments {names}: repeated cells or several ranges of sigma; expected "
            "each target once, all on one range"
        )


def _long(rows: pd.DataFrame, metric: str, role: str) -> pd.DataFrame:
    return rows.assign(role=role, metric=metric, value=rows[metric]).reindex(columns=COLUMNS)


def _changes(data: FigureData, rows: pd.DataFrame, metric: str) -> list[Mapping]:
    """Verdicts with a crossing, of the cells in `rows`."""
    cells = set(rows[["target", "family", "num_steps"]].itertuples(index=False, name=None))
    return [
        entry
        for entry in data.verdicts
        if entry["solver"] == "sde"
        and (entry["target"], entry["family"], entry["nfe"]) in cells
        and entry["metric"] == metric
        and entry["crossing"]["knob"] is not None
    ]


def _crossing_row(values: pd.DataFrame, entry: Mapping) -> pd.DataFrame:
    """A crossing as a row; its value is interpolated in the curve of one schedule, as both are
    equal there.
    """
    strength = entry["crossing"]["knob"]
    curve = values[(values["num_steps"] == entry["nfe"]) & (values["schedule"] == BOTH[0])]
    value = np.exp(np.interp(strength, curve["strength"], np.log(curve["value"])))
    row = curve.iloc[:1].assign(role="crossing", schedule="", strength=strength, value=value)
    return row.assign(status=entry["crossing"]["direction"])
