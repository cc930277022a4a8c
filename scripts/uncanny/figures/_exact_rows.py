"""Tables of the figure of exact schedules: curves, crossings, maps, terms."""

import numpy as np
import pandas as pd

from uncanny.figures._experiment_axes import select
from uncanny.figures.figure_data import FigureData

BOTH = ["exponential", "polynomial"]
TERMS = ["E_I", "E_D", "E_S"]
CELL = ["target", "family", "num_steps"]
COLUMNS = [
    *["panel", "panel_title", "role", "experiment", "target", "dim", "width", "family"],
    *["schedule", "solver", "num_steps", "strength", "metric", "value", "sigma_min", "sigma_max"],
    *["rho", "diverged", "status"],
]


def by_strength(data: FigureData, metric: str, **cell) -> pd.DataFrame:
    """Metric of both schedules at every strength, and one row per change of the better schedule.

    cell: target, family and num_steps.
    """
    values = _both(data, metric, **cell).assign(role="curve", metric=metric)
    values["value"] = values[metric]
    wanted = {"solver": "sde", "metric": metric, "nfe": cell["num_steps"]}
    wanted |= {key: cell[key] for key in ("target", "family")}
    changes = [entry for entry in data.verdicts if entry.items() >= wanted.items()]
    rows = [_crossing(values, entry["crossing"]) for entry in changes]
    return pd.concat([values, *rows], ignore_index=True)


def _crossing(values: pd.DataFrame, crossing: dict) -> pd.DataFrame:
    """A change as a row; its value is interpolated in the curve of one schedule, as both are equal
    there.
    """
    if crossing["knob"] is None:
        return values[:0]
    curve = values[values["schedule"] == BOTH[0]]
    value = np.exp(np.interp(crossing["knob"], curve["strength"], np.log(curve["value"])))
    change = {"strength": crossing["knob"], "value": value, "status": crossing["direction"]}
    return curve[:1].assign(role="crossing", schedule="", **change)


def terms(data: FigureData, target: str, family: str, strength: float) -> pd.DataFrame:
    """The three error terms of every schedule against the number of steps, at the strength nearest
    to `strength`.
    """
    rows = select(data.exact, solver="sde", target=target, family=family)
    strengths = rows["strength"].unique()
    rows = rows[rows["strength"] == strengths[np.abs(strengths - strength).argmin()]]
    kept = rows.columns.difference(TERMS)
    return rows.melt(kept, TERMS, var_name="metric").dropna(subset="value").assign(role="term")


def excess(data: FigureData, **cell) -> pd.DataFrame:
    """Excess path KL of both schedules over the derived one, in %, at every strength."""
    rows = _both(data, "path_kl", **cell)
    derived = select(data.exact, solver="sde", schedule="derived", **cell)
    ratio = rows["path_kl"] / rows["strength"].map(derived.set_index("strength")["path_kl"])
    return rows.assign(role="excess", metric="excess of path_kl (%)", value=100 * (ratio - 1))


def regions(data: FigureData, family: str, metric: str, num_steps: int) -> pd.DataFrame:
    """ln(exponential / polynomial) for one-dimensional targets, by width and strength above 0."""
    rows = _both(data, metric, family=family, num_steps=num_steps)
    rows = rows[(rows["width"] > 0) & (rows["strength"] > 0)]
    rows = rows.drop_duplicates(["width", "strength", "schedule"])
    keys = ["experiment", "target", "width", "family", "solver", "num_steps", "strength"]
    both = rows.pivot(index=keys, columns="schedule", values=metric)
    if both.isna().to_numpy().any() or rows["width"].nunique() < 2:
        raise ValueError(
            f"figure is empty: no map of {metric} with family {family!r} and {num_steps} steps; "
            "expected experiments with several widths"
        )
    ratio = np.log(both["exponential"] / both["polynomial"]).rename("value").reset_index()
    table = ratio.assign(role="map", metric=f"ln ratio of {metric}")
    return table.sort_values(["width", "strength"])


def _both(data: FigureData, metric: str, **cell) -> pd.DataFrame:
    """Rows of both schedules that have the metric, on one range of sigma. Raises ValueError."""
    known = data.exact[data.exact[metric].notna()] if metric in data.exact else data.exact[:0]
    try:
        rows = select(known, solver="sde", schedule=BOTH, **cell)
    except ValueError as error:
        raise ValueError(f"{error} and {metric}") from None
    ranges = rows[["sigma_min", "sigma_max"]].drop_duplicates()
    if len(ranges) > 1 or rows.duplicated(["target", "schedule", "num_steps", "strength"]).any():
        names = ", ".join(rows["experiment"].unique())
        raise ValueError(
            f"figure: experiments {names}: repeated cells or several ranges of sigma; expected "
            "each target once, all on one range"
        )
    return rows
