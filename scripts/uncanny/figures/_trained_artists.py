"""Artists of the figures of experiments on trained models."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from uncanny.figures import _exact_artists, _lines, style

SOLVERS = {"sde": "SDE", "heun": "Heun", "euler": "Euler"}
NEUTRAL = "0.25"


def walk_name(solver: str, nfe: float) -> str:
    return f"{SOLVERS.get(solver, solver)}, {nfe:.0f} evaluations"


def walk_looks(walks) -> dict[tuple, style.VariantStyle]:
    """Dash of each (solver, evaluations)."""
    return style.variant_styles(sorted(set(walks), key=lambda walk: (walk[0] != "sde", walk)))


def set_updates(ax: Axes, steps: pd.Series) -> None:
    """Updates on a logarithmic axis that begins at 0."""
    least = steps[steps > 0].min()
    ax.set_xscale("symlog", linthresh=least, linscale=0.4)
    ax.set_xlim(-0.25 * least if (steps == 0).any() else 0.8 * least, 1.3 * steps.max())
    ax.set_xlabel("Updates of the network")
    at = _lines.spaced(ax, steps[steps > 0])
    _lines.number_ticks(ax, at, {0.0: "0"} if (steps == 0).any() else {})


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
    """One line per walk; above 0 the polynomial schedule is better."""
    looks = walk_looks(rows[["solver", "nfe"]].itertuples(index=False, name=None))
    model = style.ModelStyle("", NEUTRAL, "o")
    for walk, look in looks.items():
        curve = rows[(rows["solver"] == walk[0]) & (rows["nfe"] == walk[1])]
        line = style.line_look(model, look) | {"color": shade(looks, walk)}
        line |= {"markersize": 2.6, "markeredgecolor": line["color"]}
        line["markerfacecolor"] = line["color"] if look.is_filled else "white"
        draw_band(ax, curve, line, walk_name(*walk))
    ax.axhline(0, color="0.35", lw=0.8, zorder=1.5)
    set_updates(ax, rows["step"])
    _name_sides(ax)


def shade(looks: dict, walk: tuple) -> str:
    """Dark for the SDE sampler, lighter for others."""
    return {"sde": "0.15", "heun": "0.5"}.get(walk[0], "0.65")


def _name_sides(ax: Axes) -> None:
    """Words above and below 0, in the colours of the schedules."""
    low, high = ax.get_ylim()
    reach = high - low
    low, high = min(low, -0.12 * reach), max(high + 0.06 * reach, 0.12 * reach)
    ax.set_ylim(low, high)
    colors = _exact_artists.all_looks()
    words = {"transform": ax.transAxes, "size": 6.5}  # lines fall from above 0 to below it
    above = {"va": "top", "ha": "right", "color": colors["polynomial"].color}
    below = {"va": "bottom", "ha": "left", "color": colors["exponential"].color}
    ax.text(0.985, 0.985, "polynomial better", **above, **words)
    ax.text(0.015, 0.015, "exponential better", **below, **words)


def draw_crossings(ax: Axes, rows: pd.DataFrame, steps: pd.Series) -> None:
    """A line per walk and metric, a marker per training seed; on the right where there is none.

    steps: updates of all checkpoints.
    """
    last = steps.max()
    names = {}
    for row in rows.itertuples():
        kind = "path KL" if row.metric == "path_kl" else "samples"
        names.setdefault((kind, row.solver, row.nfe), len(names))
    order = sorted(names, key=lambda n: (n[0] != "samples", n[1] != "sde", n[2]))
    beyond = 2.2 * last
    for place, (kind, solver, nfe) in enumerate(order):
        same = rows[(rows["solver"] == solver) & (rows["nfe"] == nfe)]
        same = same[(same["metric"] == "path_kl") == (kind == "path KL")]
        offsets = place + 0.16 * (np.arange(len(same)) - (len(same) - 1) / 2)
        at = same["value"].where(same["status"] == "change", beyond)
        face = NEUTRAL if kind == "samples" else "white"
        marker = {"marker": "o", "ms": 4, "mfc": face, "mec": NEUTRAL, "ls": "", "mew": 0.8}
        ax.plot(at, offsets, **marker, label=f"{kind}, {walk_name(solver, nfe)}")
    ax.set_yticks(range(len(order)), [f"{SOLVERS[s]} {n:.0f}, {kind}" for kind, s, n in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.axvline(1.45 * last, color="0.6", lw=0.6, ls=(0, (2, 2)))
    ax.set_xscale("log")
    ax.set_xlim(0.7 * steps[steps > 0].min(), 3.2 * last)
    _lines.number_ticks(ax, _lines.spaced(ax, steps[steps > 0]), {beyond: "none"})
    ax.set_xlabel("Updates at which the better schedule changes")


def draw_gains(ax: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    """Bars of 95 % around each gain, given in percent and drawn as a ratio."""
    color = _exact_artists.all_looks()["derived"].color
    at = np.arange(len(rows))
    value, *ends = (1 + rows[name].to_numpy(float) / 100 for name in ("value", "lower", "upper"))
    style_of = {"fmt": "v", "color": color, "ms": 4, "lw": 0.9, "capsize": 1.8}
    ax.errorbar(value, at, xerr=np.abs(np.array(ends) - value), **style_of, label="derived")
    ax.axvline(1, color="0.35", lw=0.8)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(at, labels)
    ax.set_ylim(len(rows) - 0.4, -0.6)


def walk_legend(rows: pd.DataFrame) -> list[Line2D]:
    looks = walk_looks(rows[["solver", "nfe"]].itertuples(index=False, name=None))
    entries = []
    for walk, look in looks.items():
        entry = _lines.legend_entry(style.ModelStyle("", shade(looks, walk), "o"), look)
        entry.set_label(walk_name(*walk))
        entries.append(entry)
    return entries
