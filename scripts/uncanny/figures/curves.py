"""Metric against training epochs."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uncanny.figures import _lines, _page, _points, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "scores"
EPOCHS = "all"
RUNS = "all"


def curves(
    data: FigureData, panels: list, *, metric: str, y_scale: Literal["linear", "log"] = "linear"
) -> tuple[Figure, pd.DataFrame]:
    """Metric against training epochs, one curve per model x sampler x guidance of a panel.

    A panel is {models, samplers, guidances = ["none"], epochs = all, title = "", metric = the
    figure's}. Bands are +-1.96 standard errors of scores.summarise. A reference that would squeeze
    the curves is named with its value at the edge of the axis instead of being drawn. Diverged and
    missing curves are named in a note.

    Raises ValueError when nothing can be drawn, for a model without appearance, for rows that are
    not comparable, and for values <= 0 on a logarithmic axis.
    """
    points = _points.measured(data, _points.wanted(data, metric, panels), panels, EPOCHS)
    points = points[_points.COLUMNS]
    if y_scale == "log":
        _points.check_positive(points)
    drawn = pd.concat([points, _points.references(data, points)], ignore_index=True)
    limits = _points.limits(drawn, y_scale)
    drawn["status"] = _points.with_off_axis(drawn, limits)
    variants = _lines.variants(drawn, ["sampler", "guidance"])
    with style.context():
        figure, axes = _page.canvas(len(panels))
        for ax, (_, rows) in zip(axes, drawn.groupby("panel"), strict=True):
            _lines.set_y(ax, limits[rows["metric"].iloc[0]], y_scale)
            _set_x(ax)
            _lines.draw_references(ax, rows[rows["control"].notna()])
            _draw_curves(ax, rows[rows["control"].isna()], data, variants)
        _lines.label_panels(axes, drawn)
        _lines.label_references(axes, drawn)
        legends = _lines.legends(data, drawn, variants, _variant_labels(data, drawn, variants))
        _page.finish(figure, legends, _points.notes(drawn))
    return figure, captions.with_facts(drawn, facts(drawn))


def _set_x(ax: Axes) -> None:
    ax.set_xlabel("Training epochs")
    whole = {"integer": True, "min_n_ticks": 1}
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10], **whole))


def _draw_curves(ax: Axes, rows: pd.DataFrame, data: FigureData, variants: dict) -> None:
    looks = style.model_styles(data.models)
    for (model, sampler, guidance), points in rows.groupby(CURVE, sort=False):
        if points["value"].notna().any():
            look = style.line_look(looks[model], variants[sampler, guidance])
            _lines.draw_curve(ax, points, "epoch", look)


def _variant_labels(data: FigureData, drawn: pd.DataFrame, variants: dict) -> list[str]:
    """Name only what differs within a panel: samplers, guidances, or both."""
    named = _lines.varying(drawn, ["sampler", "guidance"])
    words = {"sampler": lambda s, g: data.label("samplers", s)}
    words |= {"guidance": lambda s, g: data.guidance_label(g)}
    return [" · ".join(words[name](*variant) for name in named) for variant in variants]


def facts(table: pd.DataFrame) -> list[str]:
    """Three sentences, also from the CSV: what is drawn; seeds, images, splits and extractor;
    bands, references and what is not drawn."""
    points = table[table["control"].isna() & table["value"].notna()]
    metrics = " and ".join(points["metric_label"].unique())
    note = _points.notes(table)
    return [
        f"{metrics} against training epochs",
        f"Each point is {captions.measured(points)}",
        captions.bands(points) + captions.references(table) + (f"; {note}" if note else ""),
    ]
