"""The table behind the figure of exact schedules: curves, crossings, who wins where, terms."""

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
    """Metric of both schedules at every strength, and one row for each change of the better one."""
    rows = _rows(data, family, metric, num_steps, target=target)
    found = _long(rows, metric, "curve")
    turns = [_turn(found, entry) for entry in _changes(data, rows, metric)]
    return pd.concat([found, *turns], ignore_index=True).reindex(columns=COLUMNS)


def terms(data: FigureData, target: str, family: str, strength: float) -> pd.DataFrame:
    """The three errors of every schedule against the number of steps, at the nearest strength."""
    rows = _sde(data, target=target, family=family)
    rows = rows[rows["E_S"].notna()]
    if rows.empty:
        raise ValueError(f"figure is empty: no rows of target {target!r} with family {family!r}")
    known = rows["strength"].unique()
    rows = rows[rows["strength"] == known[np.abs(known - strength).argmin()]]
    found = [_long(rows, term, "term") for term in TERMS]
    return pd.concat(found, ignore_index=True).reindex(columns=COLUMNS)


def excess(data: FigureData, target: str, family: str, num_steps: list[int]) -> pd.DataFrame:
    """Path KL of both schedules above that of the derived one, in % of it, at every strength."""
    rows = _rows(data, family, "path_kl", num_steps, target=target)
    keys = ["num_steps", "strength"]
    best = _sde(data, target=target, family=family, schedule="derived").set_index(keys)["path_kl"]
    least = best.loc[pd.MultiIndex.from_frame(rows[keys])].to_numpy()
    rows = rows.assign(excess=100 * (rows["path_kl"] / least - 1))
    return _long(rows, "excess", "excess").assign(metric="excess of path_kl (%)")


def regions(data: FigureData, family: str, metric: str, num_steps: int) -> pd.DataFrame:
    """ln(exponential / polynomial) for targets of one width above 0, by strength above 0."""
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
    found = rows[rows["schedule"] == BOTH[0]]
    one, other = (rows[rows["schedule"] == name].set_index(["width", "strength"]) for name in BOTH)
    ratio = np.log(one[metric] / other[metric])
    places = pd.MultiIndex.from_frame(found[["width", "strength"]])
    found = found[keys].assign(
        role="map", metric=f"ln ratio of {metric}", value=ratio.loc[places].to_numpy()
    )
    return found.sort_values(["width", "strength"]).reindex(columns=COLUMNS)


def _sde(data: FigureData, **same) -> pd.DataFrame:
    rows = data.exact[data.exact["solver"] == "sde"]
    for column, value in same.items():
        rows = rows[rows[column] == value]
    return rows


def _rows(data: FigureData, family: str, metric: str, num_steps: list[int], **same) -> pd.DataFrame:
    """Rows of both schedules that have the metric; ValueError where there are none."""
    rows = _sde(data, family=family, **same)
    rows = rows[rows["schedule"].isin(BOTH) & rows["num_steps"].isin(num_steps)]
    rows = rows[rows[metric].notna()] if metric in rows else rows[:0]
    lost = sorted(set(num_steps) - set(rows["num_steps"]))
    if lost:
        raise ValueError(
            f"figure is empty: its experiments have no {metric} of family {family!r} with {lost} "
            "steps"
        )
    _check_one_range(rows)
    return rows


def _check_one_range(rows: pd.DataFrame) -> None:
    keys = ["target", "schedule", "num_steps", "strength"]
    ranges = rows[["sigma_min", "sigma_max"]].drop_duplicates()
    if len(ranges) > 1 or rows.duplicated(keys).any():
        names = ", ".join(rows["experiment"].unique())
        raise ValueError(
            f"figure: experiments {names}: the same cell twice, or several ranges of sigma; "
            "expected each target once, all on one range"
        )


def _long(rows: pd.DataFrame, metric: str, role: str) -> pd.DataFrame:
    found = rows.assign(role=role, metric=metric, value=rows[metric])
    return found.reindex(columns=COLUMNS)


def _changes(data: FigureData, rows: pd.DataFrame, metric: str) -> list[Mapping]:
    """Verdicts with a crossing, of cells that rows has."""
    cells = set(rows[["target", "family", "num_steps"]].itertuples(index=False, name=None))
    named = [entry for entry in data.verdicts if entry["solver"] == "sde"]
    return [
        entry
        for entry in named
        if (entry["target"], entry["family"], entry["nfe"]) in cells
        and entry["metric"] == metric
        and entry["crossing"]["knob"] is not None
    ]


def _turn(found: pd.DataFrame, entry: Mapping) -> pd.DataFrame:
    """A crossing as a row; its value is read from the curves, where both are equal."""
    at = entry["crossing"]["knob"]
    curve = found[(found["num_steps"] == entry["nfe"]) & (found["schedule"] == BOTH[0])]
    value = np.exp(np.interp(at, curve["strength"], np.log(curve["value"])))
    row = curve.iloc[:1].assign(role="crossing", schedule="", strength=at, value=value)
    return row.assign(status=entry["crossing"]["direction"])
