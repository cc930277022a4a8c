"""A metric against a parameter of the process, and the amplification of the network's error."""

import dataclasses
from functools import partial
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uncanny.evaluation import score_records
from uncanny.figures import _lines, _page, _points, captions, style, sweep
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData

NEEDS = ("scores", "experiments")
EPOCHS = "last"
RUNS = "all"

COMPONENTS = {0: "position", 1: "momentum"}
NEUTRAL = "series"  # in place of a model for the line through several


def sensitivity(
    data: FigureData,
    panels: list,
    *,
    metric: str,
    parameter: str,
    x_label: str,
    y_scale: Literal["linear", "log"] = "linear",
) -> tuple[Figure, pd.DataFrame]:
    """Metric against a parameter, one curve per series through the models of a panel; then, for
    position and momentum, the factor from an error of the network to that of a step, by time.

    panels: as in `sweep`. parameter: dotted path in the parameters of the records, such as
    identity.process.recipe.gamma; x_label: its name on the axis. data.exact: an experiment of kind
    error_amplification, whose processes have the names of models. Raises ValueError for records
    without the parameter, and if there is no such experiment.
    """
    plotted = _scores(data, panels, metric, parameter, y_scale)
    factors = _factors(data, len(panels))
    with style.context():
        figure, axes = _page.canvas(len(panels) + factors["panel"].nunique())
        scores, rest = axes[: len(panels)], axes[len(panels) :]
        # A line joins the models of a series; each point has the look of its model.
        joined = plotted.assign(model=plotted["model"].where(plotted["control"].notna(), NEUTRAL))
        neutral = {NEUTRAL: {"label": "", "color": "#808080"}}
        unmarked = dataclasses.replace(data, models=neutral)
        set_x = partial(_set_x, label=x_label)
        _, dashes = sweep.draw(scores, joined, unmarked, {metric: y_scale}, "", set_x)
        _draw_points(scores, plotted, data)
        for ax, (letter, rows) in zip(rest, factors.groupby("panel"), strict=True):
            _draw_factors(ax, rows, data)
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        _page.finish(figure, [_models(data, plotted, factors), dashes], _points.notes(plotted))
    table = pd.concat([plotted.assign(x_name=x_label), factors], ignore_index=True)
    return figure, captions.with_facts(table, facts(table))


def _scores(data: FigureData, panels: list, metric: str, parameter: str, y_scale: str):
    """Table as of `sweep`, with the parameter as x."""
    values = [score_records.value_at(record, parameter) for record in data.table["params"]]
    with_x = dataclasses.replace(data, table=data.table.assign(parameter=values))
    return sweep.tabulate(with_x, panels, metric, "parameter", y_scale)


def _factors(data: FigureData, first: int) -> pd.DataFrame:
    """Factors from the error of a component's predicted noise to that of the component itself.

    first: index of the first panel.
    """
    if not {"process", "component", "of_eps"} <= set(data.exact):
        raise ValueError("figure is empty: expected an experiment of kind error_amplification")
    own = data.exact[(data.exact["component"] == data.exact["of_eps"]) & (data.exact["value"] > 0)]
    tables = []
    for number, (component, rows) in enumerate(own.groupby("component")):
        title = f"error of a step in the {COMPONENTS.get(component, f'component {component}')}"
        facts = {"panel": naming.letter(first + number), "panel_title": title}
        rows = rows.rename(columns={"process": "model"}).assign(**facts, metric="amplification")
        tables.append(rows.assign(x_name="time t", x=rows["t"], status="ok", diverged=0))
    table = pd.concat(tables, ignore_index=True)
    if unknown := sorted(set(table["model"]) - set(data.models)):
        raise ValueError(
            f"figure: processes {unknown} of its experiments are not models of the study"
        )
    return table[
        ["panel", "panel_title", "model", "metric", "x_name", "x", "value", "status", "diverged"]
    ]


def _draw_points(axes: list[Axes], plotted: pd.DataFrame, data: FigureData) -> None:
    """Draw the points of each panel in the look of their models, filled for the first series."""
    looks, series = style.model_styles(data.models), plotted["series"].dropna().unique()
    for ax, (_, rows) in zip(axes, plotted.groupby("panel"), strict=True):
        for row in rows[rows["control"].isna() & rows["value"].notna()].itertuples():
            variant = style.VariantStyle((0, ()), is_filled=row.series == series[0])
            look = style.line_look(looks[row.model], variant) | {"linestyle": ""}
            ax.plot([row.x], [row.value], **look, zorder=3)


def _set_x(ax: Axes, values: pd.Series, label: str) -> None:
    """Logarithmic, and linear between 0 and the smallest value above it."""
    positive = values[values > 0]
    ax.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
    ax.set_xlabel(label)
    _lines.pad_x(ax, values)
    _lines.number_ticks(ax, values)
    ax.tick_params(axis="x", labelrotation=35)


def _draw_factors(ax: Axes, rows: pd.DataFrame, data: FigureData) -> None:
    looks = style.model_styles(data.models)
    for model, curve in rows.groupby("model", sort=False):
        look = style.line_look(looks[model], style.SOLID)
        ax.plot(curve["x"], curve["value"], **look, markevery=(0, 10), label=looks[model].label)
    ax.set(xscale="log", xlabel="time t", ylabel="factor from ε to a step")
    _lines.set_y(ax, (0.7 * rows["value"].min(), 1.4 * rows["value"].max()), "log")


def _models(data: FigureData, plotted: pd.DataFrame, factors: pd.DataFrame) -> list[Line2D]:
    """Legend entries of all models shown, in the order of the study."""
    looks = style.model_styles(data.models)
    shown = {*plotted.loc[plotted["control"].isna(), "model"], *factors["model"]}
    return [_lines.legend_entry(looks[m], style.SOLID) for m in data.models if m in shown]


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the points, and on the factors near the data; also from the CSV."""
    factors = table[table["metric"] == "amplification"]
    measured = table[table["metric_label"].notna()]
    points = measured[measured["control"].isna() & measured["value"].notna()]
    note = _points.notes(measured)
    early = factors.loc[factors.groupby(["panel", "model"])["x"].idxmin()]
    texts = [
        f"{title}: " + ", ".join(f"{row.model} {row.value:.3g}" for row in rows.itertuples())
        for title, rows in early.groupby("panel_title", sort=False)
    ]
    sentences = [
        f"Each point is {captions.measured(points)}",
        captions.bands(points) + captions.references(measured),
        f"Factors, |βGGᵀL⁻ᵀ|, at t = {early['x'].min():.2g}: {'; '.join(texts)}",
    ]
    return captions.with_note(sentences, note)
