"""Errors of two schedules in closed form: by strength of the score's error, by target, by term."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter

from uncanny.experiments.words import METRICS
from uncanny.figures import _exact_rows, _experiment_axes, _lines, _page, captions, style
from uncanny.figures._experiment_axes import COLORS, Panel
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import NonEmpty, PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"

RING = {"marker": "o", "ms": 6, "mfc": "none", "mec": "0.1", "mew": 0.9, "ls": ""}
RATIOS = (1.05, 1.1, 1.2, 1.5, 2.0, 4.0)  # possible ends of a map's colour scale
TERMS = {"E_D": "discretisation $E_D$", "E_S": "score $E_S$"}


class Family(NamedTuple):
    """Names of a family of score errors in titles, on axes and in captions."""

    title: str
    symbol: str
    axis: str
    about: str


FAMILIES = {
    "bias": Family("biased score", "η", "Bias η", "biased score: the exact score plus η/σ"),
    "bandwidth": Family(
        "no fine detail",
        "τ",
        "Width τ of lost detail",
        "no fine detail: the exact score of data blurred by Gaussian noise of standard deviation τ",
    ),
    "gain": Family("weak score", "η", "Missing share η", "weak score: 1 − η times the exact one"),
    "uniform": Family(
        "error at all σ",
        "e",
        "Error e",
        "error e: root mean square error of the predicted noise, the same at all σ",
    ),
}


def exact_schedules(
    data: FigureData,
    panels: list,
    *,
    families: list[str],
    metrics: NonEmpty[str],
    num_steps: NonEmpty[PositiveInt],
    target: str = "manifold",
    strength: float = 0.2,
    map_steps: PositiveInt = 40,
) -> tuple[Figure, pd.DataFrame]:
    """Rows of panels. For each family of score errors and its metric: the metric of both schedules
    against strength, a panel per number of steps. For the last family: the excess of path KL over
    that of the schedule derived for each model, likewise. Then a map for each family of the better
    schedule by target width and strength with `map_steps` steps, and for the first family the error
    terms against the number of steps at one strength.

    data.exact: rows of experiments of kind exact_schedules. Maps show all one-dimensional targets
    with a width above 0. SDE sampler throughout. Raises ValueError for what the experiments lack.
    """
    if len(families) != len(metrics) or not families:
        raise ValueError(
            f"figure: families {families}, metrics {metrics}: expected a metric for each family"
        )
    pairs = list(zip(families, metrics, strict=True))
    cells = [
        [{"target": target, "family": family, "num_steps": n} for n in num_steps]
        for family in families
    ]
    page = [
        [_curves(data, metric, **cell) for cell in row]
        for row, metric in zip(cells, metrics, strict=True)
    ]
    excess = [(cell["num_steps"], _exact_rows.excess(data, **cell)) for cell in cells[-1]]
    page.append([Panel(f"excess, N = {n}", rows, _draw_excess) for n, rows in excess])
    maps = [
        Panel(
            f"{FAMILIES[family].title}, N = {map_steps}",
            _exact_rows.regions(data, family, metric, map_steps),
            _draw_map,
        )
        for family, metric in pairs
    ]
    terms = _exact_rows.terms(data, target, families[0], strength)
    symbol, at = FAMILIES[families[0]].symbol, terms["strength"].iloc[0]
    page.append([*maps, Panel(f"parts, {symbol} = {at:g}", terms, _draw_terms)])
    with style.context():
        heights = [1.75] * (len(page) - 1) + [2.3]
        figure, axes, plotted = _experiment_axes.draw_page(page, heights, _exact_rows.COLUMNS)
        for row in axes[:-1]:
            _share_y(row)
        ring = Line2D([], [], **RING, label="the better schedule changes")
        looks = _experiment_axes.schedule_looks(page[0][0].rows)
        _page.finish(figure, [_lines.legends(looks)[0] + [ring]], "")
    return figure, captions.with_facts(plotted, facts(plotted))


def _curves(data: FigureData, metric: str, **cell) -> Panel:
    title = f"{FAMILIES[cell['family']].title}, N = {cell['num_steps']}"
    return Panel(title, _exact_rows.by_strength(data, metric, **cell), _draw_curves)


def _share_y(axes: list[Axes]) -> None:
    """One y axis for a row of panels."""
    ends = [end for ax in axes for end in ax.get_ylim()]
    for ax in axes:
        ax.set_ylim(min(ends), max(ends))
    for ax in axes[1:]:
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)


def _draw_strengths(ax: Axes, rows: pd.DataFrame) -> None:
    family = rows["family"].iloc[0]
    is_log = family == "bandwidth"  # a logarithmic axis cannot show strength 0
    shown = rows[rows["strength"] > 0] if is_log else rows
    _experiment_axes.draw_schedules(ax, shown, "strength")
    ax.set(xscale="log" if is_log else "linear", xlabel=FAMILIES[family].axis)


def _draw_curves(ax: Axes, rows: pd.DataFrame) -> None:
    curves = rows[rows["role"] == "curve"]
    _draw_strengths(ax, curves)
    _lines.set_log_y(ax, curves)
    name = METRICS[rows["metric"].iloc[0]]
    ax.set_ylabel(f"{name[0].upper()}{name[1:]} (nats)")
    for turn in rows[rows["role"] == "crossing"].itertuples():
        ax.plot([turn.strength], [turn.value], zorder=4, **RING)
        look = {"xytext": (0.97, 0.06), "textcoords": "axes fraction", "ha": "right", "size": 7}
        symbol = FAMILIES[turn.family].symbol
        note = ax.annotate(f"{symbol} = {turn.strength:.3g}", (turn.strength, turn.value), **look)
        note.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def _draw_excess(ax: Axes, rows: pd.DataFrame) -> None:
    _draw_strengths(ax, rows)
    ax.axhline(0, color="0.35", lw=0.8)
    ax.set(
        ylim=(-0.04 * rows["value"].max(), None), ylabel="Path KL above the\nderived schedule's (%)"
    )


def _draw_terms(ax: Axes, rows: pd.DataFrame) -> None:
    shown = rows[rows["metric"].isin(TERMS) & rows["schedule"].isin(_exact_rows.BOTH)]
    for term, curves in shown.groupby("metric"):
        _experiment_axes.draw_schedules(ax, curves, "num_steps")
        tops = curves.groupby("num_steps")["value"].max()
        is_falling, middle = tops.iloc[0] > tops.iloc[-1], len(tops) // 2
        side = {"xytext": (4, 3), "ha": "left"} if is_falling else {"xytext": (0, 4), "ha": "right"}
        at = (tops.index[middle], tops.iloc[middle])
        ax.annotate(TERMS[term], at, textcoords="offset points", va="bottom", size=7, **side)
    ax.set(xscale="log", xlabel="Number of steps N", ylabel="Part of path KL (nats)")
    _lines.number_ticks(ax, shown["num_steps"])
    _lines.set_log_y(ax, shown)


def _draw_map(ax: Axes, rows: pd.DataFrame) -> None:
    table = rows.pivot(index="strength", columns="width", values="value")
    ends = [COLORS["exponential"], "#ffffff", COLORS["polynomial"]]
    shades = LinearSegmentedColormap.from_list("better", ends)
    largest = np.exp(np.abs(table.to_numpy()).max())
    ratio = next((r for r in RATIOS if r >= largest), RATIOS[-1])
    limits = {"vmin": -np.log(ratio), "vmax": np.log(ratio), "rasterized": True}
    mesh = ax.pcolormesh(table.columns, table.index, table, cmap=shades, **limits)
    ax.contour(table.columns, table.index, table, levels=[0.0], colors="0.1", linewidths=1.0)
    family = rows["family"].iloc[0]
    ax.set(xscale="log", xlabel="Standard deviation of the data", ylabel=FAMILIES[family].axis)
    ax.set_yscale("log" if family == "bandwidth" else "linear")
    ax.grid(visible=False)
    _color_bar(ax, mesh, ratio, largest > ratio, rows["metric"].iloc[0].split()[-1])


def _color_bar(ax: Axes, mesh, ratio: float, is_cut: bool, metric: str) -> None:
    options = {"extend": "both" if is_cut else "neither", "aspect": 22, "location": "bottom"}
    options["ticks"] = np.log([1 / ratio, ratio**-0.5, 1.0, ratio**0.5, ratio])
    options["format"] = FuncFormatter(lambda log, _: f"{np.exp(log):.2g}")
    bar = ax.figure.colorbar(mesh, ax=ax, **options)
    bar.minorticks_off()
    better = f"exponential better {' ' * 8} polynomial better"
    bar.set_label(f"{better}\n{METRICS[metric]}, exponential / polynomial", size=7)


def facts(table: pd.DataFrame) -> list[str]:
    """Where the numbers come from, the changes, and what is off the axes; also from the CSV."""
    curves = table[table["role"] == "curve"]
    first, rho = curves.iloc[0], table.loc[table["schedule"] == "polynomial", "rho"].iloc[0]
    initial = table.loc[table["metric"] == "E_I", "value"].max()
    maps = table[table["role"] == "map"]
    excess = table.loc[table["role"] == "excess", "value"]
    missing = (
        curves.groupby("panel").ngroups - table[table["role"] == "crossing"]["panel"].nunique()
    )
    return [
        f"All values are exact, without training, samples or seeds: Gaussian data "
        f"({first.target}, {first.dim:g} dimensions; in the maps one dimension), a score with a "
        f"known error, the reverse SDE in N steps from σ = {first.sigma_max:g} to "
        f"{first.sigma_min:g}, in equal ratios of σ (exponential) or equal differences of "
        f"σ^(1/{rho:g}) (polynomial)",
        "Errors of the score: "
        + "; ".join(FAMILIES[name].about for name in table["family"].unique()),
        "KL: divergence of the data at the last σ from the samples; path KL: of whole "
        "trajectories, never less",
        "A ring marks the strength at which the better schedule changes"
        + (f"; there is no change in {missing} panels" if missing else ""),
        f"Maps: {maps['width'].nunique()} standard deviations of the data from "
        f"{maps['width'].min():g} to {maps['width'].max():g}; on the black line both schedules are "
        "equally good",
        f"Path KL is the sum of a discretisation and a score part and of E_I, the error of the "
        f"initial distribution: at most {initial:.1e} nats, below the axis",
        "The derived schedule takes equal steps in the integral of √κ d ln σ, with κ from the "
        f"model's own loss; the others are {excess.min():.2g} to {excess.max():.2g} % above it",
    ]
