"""A metric against a parameter of the process, and the amplification of the network's error."""

import dataclasses
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

from uncanny.evaluation import score_records
from uncanny.figures import _lines, _page, _points, captions, style, sweep
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData

NEEDS = ("scores", "experiments")
EPOCHS = "last"
RUNS = "all"

COMPONENTS = {0: "position", 1: "momentum"}
COLUMNS = ["panel", "panel_title", "model", "metric", "x_name", "x", "value", "status", "diverged"]


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
    values = [score_records.value_at(record, parameter) for record in data.table["params"]]
    with_x = dataclasses.replace(data, table=data.table.assign(parameter=values))
    plotted = sweep.tabulate(with_x, panels, metric, "parameter", y_scale)
    factors = _lines.with_looks(_factors(data, len(panels)), data)
    with style.context():
        figure, axes = _page.canvas(len(panels) + factors["panel"].nunique())
        points = plotted[plotted["control"].isna()]
        series = _lines.with_looks(points.assign(model=""), data, ("series",))
        sweep.draw(axes[: len(panels)], plotted, series, {metric: y_scale}, x_label)
        for ax, (letter, rows) in zip(axes[len(panels) :], factors.groupby("panel"), strict=True):
            _lines.draw_curves(ax, rows.assign(curve=rows["model"]), "x")
            ax.set(xscale="log", xlabel="time t", ylabel="factor from ε to a step")
            _lines.set_log_y(ax, rows)
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        legends = [_lines.legends(series)[1], _lines.legends(factors.sort_index())[0]]
        _page.finish(figure, legends, _points.notes(plotted))
    table = pd.concat([plotted.assign(x_name=x_label), factors[COLUMNS]], ignore_index=True)
    return figure, captions.with_facts(table, facts(table))


def _factors(data: FigureData, first: int) -> pd.DataFrame:
    """Factors from the error of a component's predicted noise to that of the component itself.

    first: index of the first panel.
    """
    if not {"process", "component", "of_eps"} <= set(data.exact):
        raise ValueError("figure is empty: expected an experiment of kind error_amplification")
    own = data.exact[(data.exact["component"] == data.exact["of_eps"]) & (data.exact["value"] > 0)]
    if unknown := sorted(set(own["process"]) - set(data.models)):
        raise ValueError(
            f"figure: processes {unknown} of its experiments are not models of the study"
        )
    names = own["component"].map(COMPONENTS)
    letters = {c: naming.letter(first + i) for i, c in enumerate(sorted(own["component"].unique()))}
    table = own.assign(panel=own["component"].map(letters), model=own["process"], x=own["t"])
    table["panel_title"] = "error of a step in the " + names
    shared = {"metric": "amplification", "x_name": "time t", "status": "ok", "diverged": 0}
    return table.assign(**shared)[COLUMNS].sort_values("panel", kind="stable")


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
