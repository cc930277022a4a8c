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
    """Metric against training epochs, one curve per model, sampler and guidance of a panel.

    A panel is {models, samplers, guidances = ["none"], epochs = all, title = "", metric = the
    figure's}. Bands are ±1.96 standard errors of score_records.summarise. A reference far from the
    curves is only labelled, with its value at the edge of the axis. Diverged and missing curves are
    listed in a note.

    Raises ValueError if there is nothing to plot, for a model without appearance, for rows that are
    not comparable, and for values ≤ 0 on a logarithmic axis.
    """
    points = _points.measured(data, _points.requested(data, metric, panels), panels, EPOCHS)
    points = points[_points.COLUMNS]
    if y_scale == "log":
        _points.check_positive(points)
    plotted = pd.concat([points, _points.references(data, points)], ignore_index=True)
    limits = _points.limits(plotted, y_scale)
    plotted["status"] = _points.with_off_axis(plotted, limits)
    variants = _lines.variants(plotted, ["sampler", "guidance"])
    with style.context():
        figure, axes = _page.canvas(len(panels))
        for ax, (_, rows) in zip(axes, plotted.groupby("panel"), strict=True):
            _lines.set_y(ax, limits[rows["metric"].iloc[0]], y_scale)
            _set_x(ax)
            _lines.draw_references(ax, rows[rows["control"].notna()])
            _draw_curves(ax, rows[rows["control"].isna()], data, variants)
        _lines.label_panels(axes, plotted)
        _lines.label_references(axes, plotted)
        legends = _lines.legends(data, plotted, variants, _variant_labels(data, plotted, variants))
        _page.finish(figure, legends, _points.notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


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


def _variant_labels(data: FigureData, plotted: pd.DataFrame, variants: dict) -> list[str]:
    """Labels of what differs within a panel: samplers, guidances, or both."""
    varying = _lines.varying(plotted, ["sampler", "guidance"])
    labels = {"sampler": lambda s, g: data.label("samplers", s)}
    labels |= {"guidance": lambda s, g: data.guidance_label(g)}
    return [" · ".join(labels[name](*variant) for name in varying) for variant in variants]


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences, from the plotted table or its CSV: axes; seeds, images, splits and
    extractor; bands, references and omissions.
    """
    points = table[table["control"].isna() & table["value"].notna()]
    metrics = " and ".join(points["metric_label"].unique())
    note = _points.notes(table)
    return [
        f"{metrics} against training epochs",
        f"Each point is {captions.measured(points)}",
        captions.bands(points) + captions.references(table) + (f"; {note}" if note else ""),
    ]
