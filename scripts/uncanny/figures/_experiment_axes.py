"""What the figures of experiments share: pages of panels, looks of schedules, axes."""

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from uncanny.figures import _lines, _page, palette, style
from uncanny.figures import panels as naming

SCHEDULES = ("exponential", "polynomial", "derived")
COLORS = {n: palette.HUES[h] for n, h in zip(SCHEDULES, ("blue", "orange", "green"), strict=True)}
MARKERS = dict(zip(SCHEDULES, "os^", strict=True))
UPDATES = "Updates of the network"


class Panel(NamedTuple):
    """A panel of a page: its title, its rows of the plotted table, what draws them, and the labels
    of its axes where `draw` does not set them.
    """

    title: str
    rows: pd.DataFrame
    draw: Callable[[Axes, pd.DataFrame], None]
    y: str = ""
    x: str = ""


def draw_page(page: list[list[Panel]], heights: list[float], columns: list[str]) -> tuple:
    """Figure, axes by row of the page and plotted table of rows of panels, which get letters in
    their order. heights: of the rows, in inches.
    """
    figure, axes = _page.rows([len(row) for row in page], heights)
    tables = []
    for ax, panel in zip(chain(*axes), chain(*page), strict=True):
        names = {"panel": naming.letter(len(tables)), "panel_title": panel.title, "diverged": 0}
        panel.draw(ax, panel.rows)
        ax.set(xlabel=panel.x or ax.get_xlabel(), ylabel=panel.y or ax.get_ylabel())
        _page.set_panel_title(ax, names["panel"], panel.title)
        tables.append(panel.rows.assign(**names))
    return figure, axes, pd.concat(tables, ignore_index=True).reindex(columns=columns)


def select(rows: pd.DataFrame, **conditions) -> pd.DataFrame:
    """Rows with a value in each column, or one of several in a list; none if a column is missing.

    Raises ValueError that lists the conditions if there are no such rows.
    """
    for column, value in conditions.items():
        values = value if isinstance(value, list | tuple) else [value]
        rows = rows[rows[column].isin(values)] if column in rows else rows[:0]
    if rows.empty:
        text = ", ".join(f"{key} {value!r}" for key, value in conditions.items())
        raise ValueError(f"figure is empty: its experiments have no rows with {text}")
    return rows


def over_seeds(values: pd.Series) -> pd.DataFrame:
    """Mean and range over the index level "seed"."""
    groups = values.groupby(values.index.names.difference(["seed"]), sort=False, dropna=False)
    return groups.agg(value="mean", lower="min", upper="max", seeds="count").reset_index()


def schedule_looks(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of SCHEDULES, a curve each, with LOOK and the texts of the legend."""
    rows = rows[rows["schedule"].isin(SCHEDULES)]
    order = rows["schedule"].map(SCHEDULES.index)
    rows = rows.assign(curve=rows["schedule"], color=rows["schedule"].map(COLORS))
    rows = rows.assign(fillcolor=rows["color"], marker=rows["schedule"].map(MARKERS))
    rows = rows.assign(linestyle=[style.SOLID] * len(rows), variant_entry="")
    rows = rows.assign(entry=rows["schedule"] + " schedule")
    return rows.iloc[np.argsort(order, kind="stable")]


def draw_schedules(ax: Axes, rows: pd.DataFrame, x: str) -> None:
    """Draw a line per schedule, with a band from lower to upper where these are known."""
    errors = "band" if "lower" in rows else ""
    _lines.draw_curves(ax, schedule_looks(rows).sort_values(x, kind="stable"), x, errors=errors)


def draw_ratios(ax: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    """Draw a labelled row per ratio with LOOK and its interval, and a line at 1."""
    _lines.draw_rows(ax, rows, labels)
    ax.axvline(1, color="0.35", lw=0.8)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_minor_locator(NullLocator())
    if high > 1.6 * low:
        _lines.number_log(ax.xaxis)
    else:
        ax.xaxis.set(major_locator=MaxNLocator(4), major_formatter=StrMethodFormatter("{x:g}"))
