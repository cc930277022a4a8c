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
    """One column per process of the experiments (kind phase_trajectories): some trajectories in the
    plane of position x and momentum m, then histograms of x and of m at the last time with the
    exact densities.

    Raises ValueError if the experiments have no trajectories.
    """
    if not {"role", "density", "exact"} <= set(data.exact):
        raise ValueError(
            "figure is empty: its experiments have no trajectories; expected kind "
            "phase_trajectories"
        )
    names, tables = list(data.exact["process"].unique()), []
    with style.context():
        size = {"columns": len(names), "height": HEIGHT, "sharey": "row"}
        figure, axes = _page.canvas(len(ROLES) * len(names), **size)
        for ax, (role, name) in zip(axes, [(r, n) for r in ROLES for n in names], strict=True):
            letter, title = naming.letter(len(tables)), name if role == "path" else ""
            rows = _rows(data.exact[data.exact["process"] == name], role)
            tables.append(rows.assign(shown=role, panel=letter, panel_title=title))
            (_draw_paths if role == "path" else _draw_density)(ax, rows)
            ax.set_xlabel("x" if role == "path" else role)
            ax.set_ylabel(ROLES[role] if name == names[0] else "")
            _page.set_panel_title(ax, letter, title)
        _page.finish(figure, [_legend()], "")
    plotted = pd.concat(tables, ignore_index=True).assign(diverged=0, status="ok")
    return figure, captions.with_facts(plotted, facts(plotted))


def _rows(rows: pd.DataFrame, role: str) -> pd.DataFrame:
    """Rows of one process for a row of panels: its paths, or the density of a component."""
    if role == "path":
        return rows[rows["role"] == "path"]
    return rows[(rows["role"] == "marginal") & (rows["component"] == "xm".index(role))]


def _draw_density(ax: Axes, rows: pd.DataFrame) -> None:
    middle = (rows["low"] + rows["high"]) / 2
    ax.bar(middle, rows["density"], rows["high"] - rows["low"], color=SAMPLED, lw=0)
    ax.plot(middle, rows["exact"], color=EXACT, lw=1.0)


def _draw_paths(ax: Axes, rows: pd.DataFrame) -> None:
    for _, path in rows.groupby("path"):
        states = path.sort_values("t", ascending=False)
        color = TURNS[int(states["x"].iloc[-1] > 0)]
        ax.plot(states["x"], states["m"], color=color, lw=0.5, alpha=0.8)
        for end, size, face in ((states.iloc[:1], 2.5, "white"), (states.iloc[-1:], 2.8, color)):
            ax.plot(end["x"], end["m"], ls="", marker="o", ms=size, mfc=face, mec=color)


def _legend() -> list:
    start = {"color": "0.4", "lw": 0.5, "marker": "o", "ms": 2.5, "mfc": "white"}
    end = {"lw": 0.8, "marker": "o", "ms": 2.8}
    return [
        Line2D([], [], label="start, from the prior", **start),
        Line2D([], [], label="ends left", color=TURNS[0], **end),
        Line2D([], [], label="ends right", color=TURNS[1], **end),
        Patch(color=SAMPLED, label="trajectories"),
        Line2D([], [], label="exact density", color=EXACT, lw=1.0),
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
