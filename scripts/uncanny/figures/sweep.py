"""Metric against network evaluations, solver steps or guidance scale."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    = the figure's}; only the axis of the figure's metric has y_scale. Each entry {label, samplers,
    guidances} of `series` is a curve through its cells; without `series`, a curve joins all
    samplers with a guidance (nfe, n_steps), or all guidances with a sampler (scale). x is read from
    the records; without guidance the scale is 0, and 1 in a series of classifier-free guidance.

    Raises ValueError as `curves` does, and for records without x.
    """
    plotted = tabulate(data, panels, metric, x, y_scale)
    with style.context():
        figure, axes = _page.canvas(len(panels))
        points = with_looks(plotted, data)
        draw(axes, plotted, points, {metric: y_scale}, x)
        _page.finish(figure, _lines.legends(points), _points.notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


def tabulate(data: FigureData, panels: list, metric: str, x: str, y_scale: str) -> pd.DataFrame:
    """The plotted table: points with their x, and references."""
    points = _points.measured(data, _points.requested(data, metric, panels), panels, EPOCHS)
    scales = _points.scales(points, metric, y_scale)
    points = _with_x(data, points, x).sort_values(["panel", "x"], kind="stable")
    points = points[[*_points.COLUMNS, "series", "x_name", "x"]]
    return _points.with_references(data, points, scales)[0]


def draw(axes: list[Axes], plotted: pd.DataFrame, points: pd.DataFrame, y_scales: dict, x: str):
    """Draw each panel of the plotted table on its axes; points: those of the table, with LOOK.

    y_scales: metric → scale, linear where it is not named.
    """
    scales = dict.fromkeys(plotted["metric"], "linear") | y_scales
    limits = _points.limits(plotted, scales)
    errors = _lines.errors_of(points, GROUP, "bar")
    for ax, (panel, rows) in zip(axes, plotted.groupby("panel"), strict=True):
        own = points[points["panel"] == panel]
        _lines.draw_references(ax, rows[rows["control"].notna()])
        _lines.draw_curves(ax, own.assign(curve=own["series"]), "x", errors=errors)
        values = own["x"].dropna()
        _lines.set_log_x(ax, values, "none" if x == "scale" and not is_free(own) else "0")
        if x == "nfe" and (values % 1 > 0).any():  # measured numbers of evaluations
            _lines.number_log(ax.xaxis)
        ax.set_xlabel(X_LABELS.get(x, x))
        _lines.set_y(ax, limits[panel], scales[rows["metric"].iloc[0]])
    _lines.label_panels(axes, plotted)


def is_free(points: pd.DataFrame) -> bool:
    """Whether some guidance is classifier-free, where 0 is the model without its class."""
    return bool((points.loc[points["guidance"] == "none", "x"] > 0).any())


def unguided(points: pd.DataFrame) -> str:
    """Where points without guidance stand on an axis of scales, for a caption."""
    free = ", and 1 where guidance is classifier-free" if is_free(points) else ""
    return f"; without guidance the scale is 0{free}"


def with_looks(plotted: pd.DataFrame, data: FigureData) -> pd.DataFrame:
    """The points of the plotted table with their looks."""
    return _lines.with_looks(plotted[plotted["control"].isna()], data, ("series", "epoch"))


def _with_x(data: FigureData, points: pd.DataFrame, x: str) -> pd.DataFrame:
    """Points with their x; a series without label is named by its common sampler or guidance."""
    mean_x = data.table.groupby(CURVE)[x].mean()
    points = points.assign(x_name=x, x=mean_x.reindex(points[CURVE]).to_numpy(float))
    if x == "scale":
        none = points["guidance"].map(lambda g: data.guidances.get(g, {}).get("unguided", 0.0))
        none = none.groupby([points["panel"], points["series"]]).transform("max")
        points.loc[points["guidance"] == "none", "x"] = none
    unknown = points[points["x"].isna() & points["value"].notna()]
    if len(unknown):
        raise ValueError(f"figure: the records of {unknown['curve'].iloc[0]} have no {x}")
    shared, label = ("sampler", lambda s: data.label("samplers", s))
    if x != "scale":
        shared, label = ("guidance", data.guidance_label)
    series = points["series"].where(points["series"] != "", points[shared].map(label))
    return points.assign(series=series)


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences, also from the CSV: axes and epochs; measurement; bands and omissions."""
    points = table[table["control"].isna() & table["value"].notna()]
    metrics = captions.joined(points["metric_label"])
    note = _points.notes(table)
    label = X_LABELS[points["x_name"].iloc[0]]
    artists = {"band": "bands", "bar": "bars"}[_lines.errors_of(points, GROUP, "bar")]
    zero = unguided(points) if (points["x_name"] == "scale").any() else ""
    sentences = [
        f"{metrics} against {label[0].lower()}{label[1:]}, epoch "
        f"{captions.span(points['epoch'])}{zero}",
        f"Each point is {captions.measured(points)}",
        captions.bands(points, artists) + captions.references(table),
    ]
    return captions.with_note(sentences, note)
