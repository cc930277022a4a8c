"""Toy walks in phase space: paths of position and momentum, and where they end beside the truth."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from uncanny.figures import _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"

ROLES = {"path": "m", "x": "density of x", "m": "density of m"}  # a row of panels and its y label
HEIGHT = 1.75  # inches of a row
TURNS = ("#2457a6", "#e4572e")  # paths that end left and right of the middle
FOUND, TRUE = "0.75", "0.15"


def phase_space(data: FigureData, panels: list) -> tuple[Figure, pd.DataFrame]:
    """One column per process of the experiments (kind phase_walks): some walks in the plane of
    position x and momentum m, then histograms of x and of m at their end with the exact densities.

    Raises ValueError where the experiments have no walks.
    """
    if not {"role", "density", "exact"} <= set(data.exact):
        raise ValueError("figure is empty: its experiments have no walks; expected phase_walks")
    drawn = pd.concat(_tables(data.exact), ignore_index=True)
    columns = drawn["process"].nunique()
    with style.context():
        figure, axes = _page.canvas(len(ROLES) * columns, columns=columns, height=HEIGHT)
        groups = drawn.groupby("panel_index", sort=True)
        for ax, (_, rows) in zip(axes, groups, strict=True):
            _draw(ax, rows)
            _page.set_panel_title(ax, rows["panel"].iloc[0], rows["panel_title"].iloc[0])
        for index, ax in enumerate(axes):
            _share(ax, axes[index // columns * columns])
        _page.finish(figure, [_legend()], "")
    return figure, captions.with_facts(drawn.drop(columns="panel_index"), facts(drawn))


def _tables(exact: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each panel, row by row of the page."""
    names, found = list(exact["process"].unique()), []
    for role in ROLES:
        for name in names:
            rows = exact[exact["process"] == name]
            chosen = rows["role"] == "path"
            if role != "path":
                chosen = (rows["role"] == "marginal") & (rows["component"] == "xm".index(role))
            index = len(found)
            title = name if role == "path" else ""
            named = {"panel": naming.letter(index), "panel_index": index, "panel_title": title}
            found.append(rows[chosen].assign(shown=role, **named, diverged=0, status="ok"))
    return found


def _draw(ax: Axes, rows: pd.DataFrame) -> None:
    role = rows["shown"].iloc[0]
    if role != "path":
        middle = (rows["low"] + rows["high"]) / 2
        ax.bar(middle, rows["density"], rows["high"] - rows["low"], color=FOUND, lw=0)
        ax.plot(middle, rows["exact"], color=TRUE, lw=1.0)
        ax.set_xlabel(role)
        return
    for _, path in rows.groupby("path"):
        at = path.sort_values("t", ascending=False)
        color = TURNS[int(at["x"].iloc[-1] > 0)]
        ax.plot(at["x"], at["m"], color=color, lw=0.5, alpha=0.8)
        ax.plot(
            at["x"].iloc[:1], at["m"].iloc[:1], ls="", marker="o", ms=2.5, mfc="white", mec=color
        )
        ax.plot(
            at["x"].iloc[-1:], at["m"].iloc[-1:], ls="", marker="o", ms=2.8, mfc=color, mec=color
        )
    ax.set_xlabel("x")


def _share(ax: Axes, first: Axes) -> None:
    """The scales of the first panel of the row; its labels at the left edge alone."""
    if ax is first:
        low, high = zip(*(a.get_ylim() for a in _row(ax)), strict=True)
        ax.set_ylim(min(low), max(high))
        index = ax.figure.axes.index(ax) // len(_row(ax))
        ax.set_ylabel(list(ROLES.values())[index])
        return
    ax.set_ylim(first.get_ylim())
    ax.tick_params(labelleft=False)


def _row(first: Axes) -> list[Axes]:
    """The axes of a page that stand in the same row."""
    top = first.get_subplotspec().rowspan.start
    return [a for a in first.figure.axes if a.get_subplotspec().rowspan.start == top]


def _legend() -> list:
    return [
        Line2D(
            [],
            [],
            color="0.4",
            lw=0.5,
            marker="o",
            ms=2.5,
            mfc="white",
            label="start, from the prior",
        ),
        *[
            Line2D([], [], color=c, lw=0.8, marker="o", ms=2.8, label=f"ends {side}")
            for c, side in zip(TURNS, ("left", "right"), strict=True)
        ],
        Patch(color=FOUND, label="walks"),
        Line2D([], [], color=TRUE, lw=1.0, label="exact density"),
    ]


def facts(table: pd.DataFrame) -> list[str]:
    """How many walks are shown, and how far they end from the truth; also from the CSV."""
    paths = table[table["role"] == "path"]
    bins = table[table["role"] == "marginal"]
    off = (bins["density"] - bins["exact"]).abs() * (bins["high"] - bins["low"])
    distance = off.groupby([bins["process"], bins["component"]]).sum() / 2
    worst = distance.groupby(level="component").max()
    count = paths.groupby("process")["path"].nunique().max()
    return [
        f"{count} walks of each process with the exact score, {paths['t'].nunique() - 1} steps",
        f"Histograms are of all walks at their end, t = {paths['t'].min():.2g}; total variation to "
        f"the exact density there is at most {worst[0]:.2g} for x and {worst[1]:.2g} for m",
    ]
