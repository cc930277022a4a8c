"""Metric against training epochs."""

from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

from uncanny.figures import _lines, _page, _points, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "scores"
EPOCHS = "all"
RUNS = "all"


def curves(
    data: FigureData,
    panels: list,
    *,
    metric: str,
    y_scale: Literal["linear", "log"] = "linear",
    share_y: bool = True,
    behind: str | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Metric against training epochs, one curve per model, sampler and guidance of a panel.

    A panel is {models, samplers, guidances = ["none"], epochs = all, title = "", metric = the
    figure's}. Up to three curves have bands, 95 % intervals (summaries.summarise); of more, the
    last values and their intervals are in a panel at the right. y_scale: of the figure's metric;
    others are linear. share_y: whether panels of one metric have the same axis. behind: a guidance
    with which each curve is also shown, in grey. A reference far from the curves is only labelled,
    with its value at the edge of the axis. Diverged and missing curves are in a note.

    Raises ValueError if there is nothing to plot, for a model without appearance, for rows that are
    not comparable, and for values ≤ 0 on a logarithmic axis.
    """
    requested = _points.requested(data, metric, panels, behind)
    points = _points.measured(data, requested, panels, EPOCHS)[_points.COLUMNS]
    scales = _points.scales(points, metric, y_scale)
    plotted, limits = _points.with_references(data, points, scales, shared=share_y)
    points = plotted[plotted["control"].isna()]
    points = _lines.with_looks(points, data, ("sampler", "guidance"))
    errors = _lines.errors_of(points, CURVE, "side")
    with style.context():
        figure, axes = _page.canvas(len(panels))
        for ax, (panel, rows) in zip(axes, plotted.groupby("panel"), strict=True):
            references, own = rows[rows["control"].notna()], points[points["panel"] == panel]
            _lines.draw_references(ax, references)
            _lines.draw_curves(ax, own, "epoch", errors=errors if errors == "band" else "")
            if errors == "side":
                _lines.draw_last(ax, own, references)
            _lines.set_y(ax, limits[panel], scales[rows["metric"].iloc[0]])
            _lines.set_epochs(ax)
        labels_at = sum(_lines.SIDE) if errors == "side" else 1.0
        _lines.label_panels(axes, plotted, shared=share_y, x=labels_at)
        _page.finish(figure, _lines.legends(points), _points.notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences, from the plotted table or its CSV: axes; seeds, images, splits and
    extractor; bands, references and omissions.
    """
    points = table[table["control"].isna() & table["value"].notna()]
    metrics = captions.joined(points["metric_label"])
    note = _points.notes(table)
    sides = _lines.errors_of(points, CURVE, "side") == "side"
    grey = points.loc[points["behind"].astype(bool), "guidance"].unique()
    sentences = [f"{metrics} against training epochs"]
    if len(grey):
        names = (f"with guidance {name}" if name != "none" else "without guidance" for name in grey)
        sentences.append(f"Grey: the same models {' and '.join(names)}")
    sentences.append(f"Each point is {captions.measured(points)}")
    artists = "bars at the right, of the last epoch," if sides else "bands"
    sentences.append(captions.bands(points, artists) + captions.references(table))
    sentences += captions.extremes(points) if sides else []
    return captions.with_note(sentences, note)
