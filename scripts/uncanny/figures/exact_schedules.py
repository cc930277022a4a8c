"""Errors of two schedules in closed form: by strength of the score's error, by target, by term."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uncanny.figures import _exact_artists, _exact_rows, _lines, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures._exact_artists import FAMILIES, METRICS, TERMS
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import NonEmpty, PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"


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
    """For each family of score errors and its metric: the metric of both schedules against
    strength, and a map of the better schedule by target width and strength with `map_steps` steps.
    For the first family: the three error terms against the number of steps at one strength. For the
    last family: the excess of path KL over that of the schedule derived for each model.

    data.exact: rows of experiments of kind exact_schedules. Maps show all one-dimensional targets
    with a width above 0. SDE sampler throughout. Raises ValueError for what the experiments lack.
    """
    if len(families) != len(metrics) or not families:
        raise ValueError(
            f"figure: families {families}, metrics {metrics}: expected a metric for each family"
        )
    pairs = list(zip(families, metrics, strict=True))
    rows_of_panels = [
        *[_exact_rows.by_strength(data, target, *pair, num_steps) for pair in pairs],
        *[_exact_rows.regions(data, *pair, map_steps) for pair in pairs],
        _exact_rows.terms(data, target, families[0], strength),
        _exact_rows.excess(data, target, families[-1], num_steps),
    ]
    tables = [
        rows.assign(panel=naming.letter(i), panel_title=_title(rows, target), diverged=0)
        for i, rows in enumerate(rows_of_panels)
    ]
    plotted = pd.concat(tables, ignore_index=True)
    with style.context():
        figure, axes = _page.canvas(len(tables), columns=2)
        for ax, (letter, rows) in zip(axes, plotted.groupby("panel"), strict=True):
            _exact_artists.DRAW[rows["role"].iloc[0]](ax, rows)
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        _page.finish(figure, _legends(plotted), "")
    return figure, captions.with_facts(plotted, facts(plotted))


def _title(rows: pd.DataFrame, target: str) -> str:
    first = rows.iloc[0]
    family = FAMILIES[first["family"]]
    return {
        "curve": f"{target} data, {family.title}",
        "map": f"one dimension, {family.title}, N = {first['num_steps']}",
        "term": f"{target} data, {family.title}, {family.symbol} = {first['strength']:g}",
        "excess": f"{target} data, {family.title}",
    }[first["role"]]


def _legends(plotted: pd.DataFrame) -> list[list[Line2D]]:
    looks, curves = _exact_artists.looks(), plotted[plotted["role"] == "curve"]
    ring = Line2D([], [], ls="", **_exact_artists.RING, label="better schedule changes")
    neutral = style.ModelStyle("", "0.25", "o")
    steps = [
        _lines.legend_entry(neutral, look, f"N = {number}")
        for number, look in _exact_artists.dashes(curves["num_steps"]).items()
    ]
    terms = [
        _lines.legend_entry(neutral, look, TERMS[term])
        for term, look in style.variant_styles(TERMS).items()
    ]
    shown = [_lines.legend_entry(look, style.SOLID) for look in looks.values()]
    return [[*shown, ring], [*steps, *terms]]


def facts(table: pd.DataFrame) -> list[str]:
    """Where the numbers come from, the crossings, and what is off the axes; also from the CSV."""
    curve = table[table["role"] == "curve"].iloc[0]
    rho = table.loc[table["schedule"] == "polynomial", "rho"].iloc[0]
    turns = table[table["role"] == "crossing"]
    named = [
        f"{FAMILIES[row.family].symbol} = {row.strength:.3g} ({METRICS[row.metric]}, N = "
        f"{row.num_steps:.0f})"
        for row in turns.itertuples()
    ]
    initial = table.loc[table["metric"] == "E_I", "value"].max()
    widths = table.loc[table["role"] == "map", "width"]
    excess = table.loc[table["role"] == "excess", "value"]
    return [
        f"Closed forms, no sampling error: reverse SDE in N steps, σ from {curve.sigma_max:g} to "
        f"{curve.sigma_min:g}, ρ = {rho:g}; divergences in nats, from the truth at the last σ",
        "; ".join(f"{FAMILIES[name].about}" for name in table["family"].unique()),
        f"Rings: the better schedule changes, by bisection: {', '.join(named) or 'nowhere'}",
        f"Maps: {widths.nunique()} widths s from {widths.min():g} to {widths.max():g}; on the line "
        "both schedules are as good",
        f"E_I is {initial:.1e} nats for every schedule and number of steps",
        f"Both schedules lie {excess.min():.2g} to {excess.max():.2g} % above the derived one, "
        "which takes equal steps in the integral of √κ d ln σ, κ from the model's own loss",
    ]
