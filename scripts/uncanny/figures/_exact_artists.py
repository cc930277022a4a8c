"""Artists of the figure of exact schedules."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedFormatter, FixedLocator

from uncanny.figures import _lines, style

METRICS = {"kl": "marginal KL", "path_kl": "path KL", "w2": "W2"}
UNITS = {"kl": "nats", "path_kl": "nats", "w2": "units of the data"}
TERMS = {"E_D": "discretisation $E_D$", "E_S": "score $E_S$"}
RING = {"marker": "o", "ms": 5.5, "mfc": "none", "mec": "0.1", "mew": 0.9}
RATIOS = (1.05, 1.1, 1.2, 1.5, 2.0, 4.0)  # possible ends of a map's colour scale


class Family(NamedTuple):
    """Names of a family of score errors in titles, on axes and in captions."""

    title: str
    symbol: str
    axis: str
    about: str


FAMILIES = {
    "bias": Family("biased score", "η", "Bias η", "bias η: the exact score plus η/σ"),
    "bandwidth": Family(
        "no fine detail", "τ", "Width τ of lost detail", "τ: the score of N(0, s² + τ²)"
    ),
    "gain": Family("weak score", "η", "Missing share η", "η: 1 − η times the exact score"),
    "uniform": Family(
        "error at all σ", "e", "Error e", "e: root mean square error of the predicted noise"
    ),
}


def looks() -> dict[str, style.ModelStyle]:
    """Colour, marker and label of both schedules."""
    return {name: look for name, look in all_looks().items() if name != "derived"}


def all_looks() -> dict[str, style.ModelStyle]:
    """The same for both, and for the schedule derived for a model."""
    return style.model_styles({"exponential": {}, "polynomial": {}, "derived": {}})


def dashes(num_steps) -> dict[int, style.VariantStyle]:
    return style.variant_styles(sorted(set(num_steps)))


def _lines_of(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw a line per number of steps and schedule, against strength."""
    colors, variants = looks(), dashes(rows["num_steps"])
    is_log = rows["family"].iloc[0] == "bandwidth"  # a logarithmic axis cannot show strength 0
    for (steps, schedule), curve in rows.groupby(["num_steps", "schedule"]):
        shown = curve[curve["strength"] > 0] if is_log else curve
        look = style.line_look(colors[schedule], variants[steps])
        look["markersize"] *= 0.8
        every = (2 if schedule == "exponential" else 6, 9)  # few markers, without overlap
        label = f"{schedule}, N = {steps}"
        ax.plot(shown["strength"], shown["value"], **look, markevery=every, label=label)
    ax.set_xscale("log" if is_log else "linear")
    ax.set_xlabel(FAMILIES[rows["family"].iloc[0]].axis)


def _draw_curves(ax: Axes, rows: pd.DataFrame) -> None:
    curves = rows[rows["role"] == "curve"]
    _lines_of(ax, curves)
    _lines.set_y(ax, (curves["value"].min() / 1.4, curves["value"].max() * 1.4), "log")
    metric, is_wide = rows["metric"].iloc[0], curves["family"].iloc[0] == "bandwidth"
    offset = {"xytext": (-4, 5), "ha": "right"} if is_wide else {"xytext": (5, -9), "ha": "left"}
    ax.set_ylabel(f"{METRICS[metric][0].upper()}{METRICS[metric][1:]} ({UNITS[metric]})")
    for crossing in rows[rows["role"] == "crossing"].itertuples():
        label = f"crossing, N = {crossing.num_steps}"
        ax.plot([crossing.strength], [crossing.value], ls="", zorder=4, **RING, label=label)
        text = {"textcoords": "offset points", "size": 6.5, "color": "0.1", **offset}
        note = ax.annotate(f"{crossing.strength:.3g}", (crossing.strength, crossing.value), **text)
        note.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def _draw_excess(ax: Axes, rows: pd.DataFrame) -> None:
    _lines_of(ax, rows)
    ax.axhline(0, color="0.35", lw=0.8, label="derived schedule")
    ax.set_ylim(bottom=-0.04 * rows["value"].max())
    ax.set_ylabel("Path KL above derived (%)")


def _draw_terms(ax: Axes, rows: pd.DataFrame) -> None:
    colors, variants = looks(), style.variant_styles(TERMS)
    shown = rows[rows["metric"].isin(TERMS) & rows["schedule"].isin(colors)]
    for (term, schedule), curve in shown.groupby(["metric", "schedule"], sort=False):
        look = style.line_look(colors[schedule], variants[term])
        ax.plot(curve["num_steps"], curve["value"], **look, label=f"{schedule}, {term}")
    ax.set(xscale="log", xlabel="Number of steps N", ylabel="Part of path KL (nats)")
    _lines.number_ticks(ax, shown["num_steps"])
    _lines.set_y(ax, (shown["value"].min() / 2.2, shown["value"].max() * 1.4), "log")
    initial = rows.loc[rows["metric"] == "E_I", "value"].max()
    text_style = {"transform": ax.transAxes, "size": 6.5, "color": "0.25", "va": "bottom"}
    ax.text(0.02, 0.02, f"initialisation $E_I$ = {initial:.1e}, off axis", **text_style)


def _draw_map(ax: Axes, rows: pd.DataFrame) -> None:
    table = rows.pivot(index="strength", columns="width", values="value")
    colors = looks()
    ends = [colors["exponential"].color, "#ffffff", colors["polynomial"].color]
    shades = LinearSegmentedColormap.from_list("better", ends)
    largest = np.exp(np.abs(table.to_numpy()).max())
    ratio = next((r for r in RATIOS if r >= largest), RATIOS[-1])
    limits = {"vmin": -np.log(ratio), "vmax": np.log(ratio)}
    mesh = ax.pcolormesh(table.columns, table.index, table, cmap=shades, rasterized=True, **limits)
    ax.contour(table.columns, table.index, table, levels=[0.0], colors="0.1", linewidths=1.0)
    _name_regions(ax, table)
    family = rows["family"].iloc[0]
    ax.set(xscale="log", xlabel="Standard deviation s of the data", ylabel=FAMILIES[family].axis)
    ax.set_yscale("log" if family == "bandwidth" else "linear")
    ax.grid(visible=False)
    _color_bar(ax, mesh, ratio, largest > ratio, rows["metric"].iloc[0].split()[-1])


def _name_regions(ax: Axes, table: pd.DataFrame) -> None:
    """Name each schedule at the centre of the region where it is better, unless that is tiny."""
    for name, is_better in zip(looks(), (table < 0, table > 0), strict=True):
        rows, columns = np.nonzero(is_better.to_numpy())
        if len(rows) > 0.05 * table.size:
            centre = table.columns[int(np.mean(columns))], table.index[int(np.mean(rows))]
            text_style = {"ha": "center", "va": "center", "size": 6.5, "color": "0.1"}
            ax.text(*centre, f"{name}\nbetter", linespacing=1.0, **text_style)


def _color_bar(ax: Axes, mesh, ratio: float, is_cut: bool, metric: str) -> None:
    bar = ax.figure.colorbar(
        mesh, ax=ax, extend="both" if is_cut else "neither", aspect=26, pad=0.02
    )
    ticks = [1 / ratio, ratio**-0.5, 1.0, ratio**0.5, ratio]
    bar.ax.yaxis.set(major_locator=FixedLocator(np.log(ticks).tolist()))
    bar.ax.yaxis.set(major_formatter=FixedFormatter([f"{tick:.2g}" for tick in ticks]))
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=2)
    bar.set_label(f"{METRICS[metric]}, exponential / polynomial", size=6.5)
    bar.outline.set_linewidth(0.4)


DRAW = {"curve": _draw_curves, "map": _draw_map, "term": _draw_terms, "excess": _draw_excess}
