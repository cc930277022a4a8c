"""Trajectories of a toy model in phase space, and their final distribution with the exact one."""

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
TURNS = ("#2457a6", "#e4572e")  # colours of paths that end at x < 0 and x > 0
SAMPLED, EXACT = "0.75", "0.15"  # greys of the histogram and of the exact density


def phase_space(data: FigureData, panels: list) -> tuple[Figure, pd.DataFrame]:
    """One column per process of the experiments (kind phase_walks): some trajectories in the plane
    of position x and momentum m, then histograms of x and of m at the last time with the exact
    densities.

    Raises ValueError if the experiments have no trajectories.
    """
    if not {"role", "density", "exact"} <= set(data.exact):
        raise ValueError(
            "figure is empty: its experiments have no trajectories; expected kind phase_walks"
        )
    plotted = pd.concat(_tables(data.exact), ignore_index=True)
    columns = plotted["process"].nunique()
    with style.context():
        figure, axes = _page.canvas(len(ROLES) * columns, columns=columns, height=HEIGHT)
        groups = plotted.groupby("panel_index", sort=True)
        for ax, (_, rows) in zip(axes, groups, strict=True):
            _draw(ax, rows)
            _page.set_panel_title(ax, rows["panel"].iloc[0], rows["panel_title"].iloc[0])
        for index, ax in enumerate(axes):
            _share(ax, axes[index // columns * columns])
        _page.finish(figure, [_legend()], "")
    return figure, captions.with_facts(plotted.drop(columns="panel_index"), facts(plotted))


def _tables(exact: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of the table of each panel, in the order of the page."""
    names, tables = list(exact["process"].unique()), []
    for role in ROLES:
        for name in names:
            rows = exact[exact["process"] == name]
            selected = rows["role"] == "path"
            if role != "path":
                selected = (rows["role"] == "marginal") & (rows["component"] == "xm".index(role))
            index = len(tables)
            title = name if role == "path" else ""
            facts = {"panel": naming.letter(index), "panel_index": index, "panel_title": title}
            tables.append(rows[selected].assign(shown=role, **facts, diverged=0, status="ok"))
    return tables


def _draw(ax: Axes, rows: pd.DataFrame) -> None:
    role = rows["shown"].iloc[0]
    if role != "path":
        middle = (rows["low"] + rows["high"]) / 2
        ax.bar(middle, rows["density"], rows["high"] - rows["low"], color=SAMPLED, lw=0)
        ax.plot(middle, rows["exact"], color=EXACT, lw=1.0)
        ax.set_xlabel(role)
        return
    for _, path in rows.groupby("path"):
        states = path.sort_values("t", ascending=False)
        color = TURNS[int(states["x"].iloc[-1] > 0)]
        ax.plot(states["x"], states["m"], color=color, lw=0.5, alpha=0.8)
        for end, size, face in ((states.iloc[:1], 2.5, "white"), (states.iloc[-1:], 2.8, color)):
            ax.plot(end["x"], end["m"], ls="", marker="o", ms=size, mfc=face, mec=color)
    ax.set_xlabel("x")


def _share(ax: Axes, first: Axes) -> None:
    """Share the y axis of the first panel of the row, with labels at the left edge only."""
    if ax is first:
        low, high = zip(*(a.get_ylim() for a in _row(ax)), strict=True)
        ax.set_ylim(min(low), max(high))
        index = ax.figure.axes.index(ax) // len(_row(ax))
        ax.set_ylabel(list(ROLES.values())[index])
        return
    ax.set_ylim(first.get_ylim())
    ax.tick_params(labelleft=False)


def _row(first: Axes) -> list[Axes]:
    """The axes in the same row of the page."""
    top = first.get_subplotspec().rowspan.start
    return [a for a in first.figure.axes if a.get_subplotspec().rowspan.start == top]


def _legend() -> list:
    start = {"color": "0.4", "lw": 0.5, "marker": "o", "ms": 2.5, "mfc": "white"}
    return [
        Line2D([], [], label="start, from the prior", **start),
        *[
            Line2D([], [], color=c, lw=0.8, marker="o", ms=2.8, label=f"ends {side}")
            for c, side in zip(TURNS, ("left", "right"), strict=True)
        ],
        Patch(color=SAMPLED, label="trajectories"),
        Line2D([], [], color=EXACT, lw=1.0, label="exact density"),
    ]


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the trajectories and their distance from the exact density; also from
    the CSV.
    """
    paths = table[table["role"] == "path"]
    bins = table[table["role"] == "marginal"]
    off = (bins["density"] - bins["exact"]).abs() * (bins["high"] - bins["low"])
    distance = off.groupby([bins["process"], bins["component"]]).sum() / 2
    worst = distance.groupby(level="component").max()
    count = paths.groupby("process")["path"].nunique().max()
    return [
        f"{count} trajectories of each process with the exact score, "
        f"{paths['t'].nunique() - 1} steps",
        f"Histograms are of all trajectories at the last time, t = {paths['t'].min():.2g}; their "
        f"total variation distance to the exact density is at most {worst[0]:.2g} for x and "
        f"{worst[1]:.2g} for m",
    ]
