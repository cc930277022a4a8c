"""Artists of the figures of experiments on trained models."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from uncanny.figures import _exact_artists, _lines, style

SOLVERS = {"sde": "SDE", "heun": "Heun", "euler": "Euler"}
NEUTRAL = "0.25"


def solver_label(solver: str, nfe: float) -> str:
    return f"{SOLVERS.get(solver, solver)}, {nfe:.0f} evaluations"


def solver_looks(solvers) -> dict[tuple, style.VariantStyle]:
    """Dash of each (solver, number of evaluations)."""
    return style.variant_styles(sorted(set(solvers), key=lambda key: (key[0] != "sde", key)))


def set_updates(ax: Axes, steps: pd.Series) -> None:
    """Set a logarithmic x axis of updates that includes 0."""
    smallest = steps[steps > 0].min()
    ax.set_xscale("symlog", linthresh=smallest, linscale=0.4)
    ax.set_xlim(-0.25 * smallest if (steps == 0).any() else 0.8 * smallest, 1.3 * steps.max())
    ax.set_xlabel("Updates of the network")
    labelled = _lines.spaced(ax, steps[steps > 0])
    _lines.number_ticks(ax, labelled, {0.0: "0"} if (steps == 0).any() else {})


def draw_band(ax: Axes, rows: pd.DataFrame, look: dict, label: str, x: str = "step") -> None:
    rows = rows.sort_values(x)
    ax.plot(rows[x], rows["value"], **look, label=label)
    bounds = rows[["lower", "upper"]].to_numpy(float).T
    ax.fill_between(rows[x], *bounds, color=look["color"], alpha=0.16, lw=0, label=label)


def draw_curves(ax: Axes, rows: pd.DataFrame) -> None:
    """The metric of each schedule against updates."""
    for schedule, look in _exact_artists.all_looks().items():
        curve = rows[rows["schedule"] == schedule]
        if len(curve):
            draw_band(ax, curve, style.line_look(look, style.SOLID), schedule)
    set_updates(ax, rows["step"])
    values = rows[["lower", "upper"]]
    _lines.set_y(ax, (values.min().min() / 1.15, values.max().max() * 1.15), "log")


def draw_differences(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw a line per solver and number of evaluations; above 0 the polynomial one is better."""
    looks = solver_looks(rows[["solver", "nfe"]].itertuples(index=False, name=None))
    model = style.ModelStyle("", NEUTRAL, "o")
    for solver, look in looks.items():
        curve = rows[(rows["solver"] == solver[0]) & (rows["nfe"] == solver[1])]
        line = style.line_look(model, look) | {"color": shade(solver)}
        line |= {"markersize": 2.6, "markeredgecolor": line["color"]}
        line["markerfacecolor"] = line["color"] if look.is_filled else "white"
        draw_band(ax, curve, line, solver_label(*solver))
    ax.axhline(0, color="0.35", lw=0.8, zorder=1.5)
    set_updates(ax, rows["step"])
    _name_sides(ax)


def shade(solver: tuple) -> str:
    """Grey level: dark for the SDE sampler, lighter for other solvers."""
    return {"sde": "0.15", "heun": "0.5"}.get(solver[0], "0.65")


def _name_sides(ax: Axes) -> None:
    """Name the better schedule above and below 0, in its colour."""
    low, high = ax.get_ylim()
    span = high - low
    low, high = min(low, -0.12 * span), max(high + 0.06 * span, 0.12 * span)
    ax.set_ylim(low, high)
    colors = _exact_artists.all_looks()
    text = {"transform": ax.transAxes, "size": 6.5}  # lines fall from above 0 to below it
    above = {"va": "top", "ha": "right", "color": colors["polynomial"].color}
    below = {"va": "bottom", "ha": "left", "color": colors["exponential"].color}
    ax.text(0.985, 0.985, "polynomial better", **above, **text)
    ax.text(0.015, 0.015, "exponential better", **below, **text)


def draw_crossings(ax: Axes, rows: pd.DataFrame, steps: pd.Series) -> None:
    """Draw a line per solver and metric with a marker per training seed, at the right if the better
    schedule does not change.

    steps: updates of all checkpoints.
    """
    last = steps.max()
    names = {}
    for row in rows.itertuples():
        kind = "path KL" if row.metric == "path_kl" else "samples"
        names.setdefault((kind, row.solver, row.nfe), len(names))
    order = sorted(names, key=lambda n: (n[0] != "samples", n[1] != "sde", n[2]))
    beyond = 2.2 * last
    for row, (kind, solver, nfe) in enumerate(order):
        selected = rows[(rows["solver"] == solver) & (rows["nfe"] == nfe)]
        selected = selected[(selected["metric"] == "path_kl") == (kind == "path KL")]
        offsets = row + 0.16 * (np.arange(len(selected)) - (len(selected) - 1) / 2)
        updates = selected["value"].where(selected["status"] == "change", beyond)
        face = NEUTRAL if kind == "samples" else "white"
        marker = {"marker": "o", "ms": 4, "mfc": face, "mec": NEUTRAL, "ls": "", "mew": 0.8}
        ax.plot(updates, offsets, **marker, label=f"{kind}, {solver_label(solver, nfe)}")
    ax.set_yticks(range(len(order)), [f"{SOLVERS[s]} {n:.0f}, {kind}" for kind, s, n in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.axvline(1.45 * last, color="0.6", lw=0.6, ls=(0, (2, 2)))
    ax.set_xscale("log")
    ax.set_xlim(0.7 * steps[steps > 0].min(), 3.2 * last)
    _lines.number_ticks(ax, _lines.spaced(ax, steps[steps > 0]), {beyond: "none"})
    ax.set_xlabel("Updates at which the better schedule changes")


def draw_gains(ax: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    """Draw each gain, in percent in the table, as a ratio with its 95 % interval."""
    color = _exact_artists.all_looks()["derived"].color
    positions = np.arange(len(rows))
    value, *bounds = (1 + rows[name].to_numpy(float) / 100 for name in ("value", "lower", "upper"))
    options = {"fmt": "v", "color": color, "ms": 4, "lw": 0.9, "capsize": 1.8}
    ax.errorbar(value, positions, xerr=np.abs(np.array(bounds) - value), **options, label="derived")
    ax.axvline(1, color="0.35", lw=0.8)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(positions, labels)
    ax.set_ylim(len(rows) - 0.4, -0.6)


def solver_legend(rows: pd.DataFrame) -> list[Line2D]:
    looks = solver_looks(rows[["solver", "nfe"]].itertuples(index=False, name=None))
    entries = []
    for solver, look in looks.items():
        entry = _lines.legend_entry(style.ModelStyle("", shade(solver), "o"), look)
        entry.set_label(solver_label(*solver))
        entries.append(entry)
    return entries
