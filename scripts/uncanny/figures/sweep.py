"""Metric against a number that is set: network evaluations, steps, scale of guidance."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from uncanny.figures import _lines, _page, _points, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "scores"
EPOCHS = "last"
RUNS = "all"

X_LABELS = {
    "nfe": "Network evaluations per image",
    "n_steps": "Solver steps",
    "scale": "Guidance scale",
}
GROUP = ["model", "series", "epoch"]


def sweep(
    data: FigureData,
    panels: list,
    *,
    metric: str,
    x: Literal["nfe", "scale", "n_steps"],
    y_scale: Literal["linear", "log"] = "linear",
) -> tuple[Figure, pd.DataFrame]:
    """Metric against x (logarithmic), one curve per model, series and epoch of a panel.

    A panel is {models, samplers, guidances = ["none"], series, epochs = the last one, title, metric
    = the figure's}. Each entry {label, samplers, guidances} of `series` is a curve through its
    cells; without `series`, all samplers of a guidance are one (nfe, n_steps), or all guidances
    with a sampler (scale). x is read from the records; sampling without guidance has scale 0.

    Raises ValueError as `curves` does, and for cells whose records do not say x.
    """
    drawn = tabled(data, panels, metric, x, y_scale)
    with style.context():
        figure, axes = _page.canvas(len(panels))
        legends = draw(axes, drawn, data, x, y_scale)
        _page.finish(figure, legends, _points.notes(drawn))
    return figure, captions.with_facts(drawn, facts(drawn))


def tabled(data: FigureData, panels: list, metric: str, x: str, y_scale: str) -> pd.DataFrame:
    """The drawn table: points with their x, and references."""
    points = _points.measured(data, _points.wanted(data, metric, panels), panels, EPOCHS)
    if y_scale == "log":
        _points.check_positive(points)
    points = _with_x(data, points, x).sort_values(["panel", "x"], kind="stable")
    points = points[[*_points.COLUMNS, "series", "x_name", "x"]]
    drawn = pd.concat([points, _points.references(data, points)], ignore_index=True)
    drawn["status"] = _points.with_off_axis(drawn, _points.limits(drawn, y_scale))
    return drawn


def draw(axes: list[Axes], drawn: pd.DataFrame, data: FigureData, x: str, y_scale: str) -> list:
    """One panel of the drawn table on each of the axes; the legends that belong to them."""
    limits = _points.limits(drawn, y_scale)
    variants = _lines.variants(drawn, ["series", "epoch"])
    for ax, (_, rows) in zip(axes, drawn.groupby("panel"), strict=True):
        _lines.set_y(ax, limits[rows["metric"].iloc[0]], y_scale)
        _set_x(ax, rows["x"].dropna(), x)
        _lines.draw_references(ax, rows[rows["control"].notna()])
        _draw_curves(ax, rows[rows["control"].isna()], data, variants)
    _lines.label_panels(axes, drawn)
    _lines.label_references(axes, drawn)
    return _lines.legends(data, drawn, variants, _variant_labels(drawn, variants))


def _with_x(data: FigureData, points: pd.DataFrame, x: str) -> pd.DataFrame:
    """Points with their x; a series without label is named by what all of its cells share."""
    found = data.table.groupby(CURVE)[x].mean()
    points = points.assign(x_name=x, x=found.reindex(points[CURVE]).to_numpy(float))
    if x == "scale":
        points.loc[points["guidance"] == "none", "x"] = 0.0
    lost = points[points["x"].isna() & points["value"].notna()]
    if len(lost):
        raise ValueError(f"figure: the records of {lost['curve'].iloc[0]} do not say {x}")
    shared, label = ("sampler", lambda s: data.label("samplers", s))
    if x != "scale":
        shared, label = ("guidance", data.guidance_label)
    named = points["series"].where(points["series"] != "", points[shared].map(label))
    return points.assign(series=named)


def _set_x(ax: Axes, values: pd.Series, x: str) -> None:
    """Logarithmic, and linear between 0 and the smallest scale where there is a 0."""
    positive = values[values > 0]
    if (values == 0).any() and len(positive):
        ax.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
    elif len(positive):
        ax.set_xscale("log")
    ax.set_xlabel(X_LABELS[x])
    if (values % 1 == 0).all():
        _lines.number_ticks(ax, values)
    else:  # counted, not set: round numbers read better
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())


def _draw_curves(ax: Axes, rows: pd.DataFrame, data: FigureData, variants: dict) -> None:
    looks = style.model_styles(data.models)
    for (model, series, epoch), points in rows.groupby(GROUP, sort=False):
        if points["value"].notna().any():
            look = style.line_look(looks[model], variants[series, epoch])
            label = f"{data.label('models', model)} · {series}"
            _lines.draw_curve(ax, points.assign(curve=label), "x", look)


def _variant_labels(drawn: pd.DataFrame, variants: dict) -> list[str]:
    words = {"series": lambda s, e: s, "epoch": lambda s, e: f"epoch {e}"}
    named = _lines.varying(drawn, ["series", "epoch"])
    return [" · ".join(words[name](*variant) for name in named) for variant in variants]


def facts(table: pd.DataFrame) -> list[str]:
    """Three sentences, also from the CSV: axes and epochs; how it was measured; bands and rest."""
    points = table[table["control"].isna() & table["value"].notna()]
    metrics = " and ".join(points["metric_label"].unique())
    note = _points.notes(table)
    label = X_LABELS[points["x_name"].iloc[0]]
    return [
        f"{metrics} against {label[0].lower()}{label[1:]}, epoch {captions.span(points['epoch'])}",
        f"Each point is {captions.measured(points)}",
        captions.bands(points) + captions.references(table) + (f"; {note}" if note else ""),
    ]
