"""Shared artists of figures of metric values: axes, references, curves with bands, legends."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from uncanny.figures import _page, style
from uncanny.figures.figure_data import FigureData

MOST_TICKS = 7  # on an x axis with a tick at each value


def set_y(ax: Axes, ends: tuple[float, float], y_scale: str) -> None:
    """Set scale, limits and number format of the y axis."""
    ax.set(yscale=y_scale, ylim=ends)
    if y_scale == "log":
        if ends[1] < 1000 * ends[0]:  # over more decades, powers of ten read better
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


def draw_references(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw references as grey lines with bands; those off the axis have a label only."""
    for row in rows[rows["status"] == "ok"].itertuples():
        look = style.reference_style(row.control)
        if np.isfinite(row.lower):
            ax.axhspan(row.lower, row.upper, color=look.color, alpha=0.12, lw=0, label=row.curve)
        ax.axhline(row.value, color=look.color, ls=look.dash, lw=0.8, zorder=1.9, label=row.curve)


def draw_curve(ax: Axes, points: pd.DataFrame, x: str, look: dict) -> None:
    """Draw a band and a line against column x, with gaps at missing values and a vertical bar for
    points without neighbours.
    """
    columns = points[[x, "value", "lower", "upper"]].to_numpy(float, na_value=np.nan)
    position, value, lower, upper = columns.T
    color, label = look["color"], points["curve"].iloc[0]
    ax.fill_between(position, lower, upper, color=color, alpha=0.16, lw=0, label=label)
    is_finite = np.concatenate([[False], np.isfinite(value), [False]])
    is_isolated = is_finite[1:-1] & ~is_finite[:-2] & ~is_finite[2:]
    ax.vlines(
        position[is_isolated],
        lower[is_isolated],
        upper[is_isolated],
        color=color,
        alpha=0.5,
        lw=0.8,
    )
    ax.plot(position, value, **look, label=label)


def varying(plotted: pd.DataFrame, names: list[str]) -> list[str]:
    """Columns of `names` that vary between curves of the same panel."""
    counts = plotted[plotted["control"].isna()].groupby("panel")[names].nunique().max()
    return [name for name in names if counts[name] > 1]


def variants(plotted: pd.DataFrame, names: list[str]) -> dict[tuple, style.VariantStyle]:
    """Line dash of each plotted combination of the columns `names`.

    Only columns that vary within a panel count; if none does, all lines are solid.
    """
    combinations = plotted[plotted["control"].isna()][names].drop_duplicates()
    keys, distinct = _tuples(combinations, names), _tuples(combinations, varying(plotted, names))
    looks = style.variant_styles(dict.fromkeys(distinct))
    return {key: looks[name] for key, name in zip(keys, distinct, strict=True)}


def _tuples(rows: pd.DataFrame, names: list[str]) -> list[tuple]:
    return list(rows[names].itertuples(index=False, name=None)) if names else [()] * len(rows)


def label_panels(axes: list[Axes], plotted: pd.DataFrame) -> None:
    """Set letters, titles and y labels; panels in a row with the same metric share the label."""
    first = plotted.groupby("panel")[["panel_title", "metric", "metric_label"]].first()
    for i, (ax, panel) in enumerate(zip(axes, first.itertuples(), strict=True)):
        _page.set_panel_title(ax, panel.Index if len(axes) > 1 else "", panel.panel_title)
        if is_first_in_row(i) or panel.metric != first["metric"].iloc[i - 1]:
            ax.set_ylabel(panel.metric_label)
        else:
            ax.tick_params(labelleft=False)


def label_references(axes: list[Axes], plotted: pd.DataFrame) -> None:
    """Label the references at the right edge, once per row for panels with the same ones."""
    texts = [_reference_texts(rows) for _, rows in plotted.groupby("panel")]
    for i, ax in enumerate(axes):
        is_last = i + 1 == len(axes) or is_first_in_row(i + 1)
        if is_last or texts[i] != texts[i + 1]:
            _page.margin_labels(ax, texts[i])


def _reference_texts(rows: pd.DataFrame) -> list[tuple[float, str, str]]:
    """(value, text, colour) of each reference of a panel, with its number of images if it differs
    from that of the curves, because that shifts the value.
    """
    n_of_curves = rows.loc[rows["control"].isna(), "n"].max()
    texts = []
    for row in rows[rows["control"].notna() & rows["value"].notna()].itertuples():
        text = row.curve + ("" if row.n == n_of_curves else f"\nn = {row.n:,}")
        text += f"\noff axis: {row.value:.3g}" if row.status == "off axis" else ""
        texts.append((row.value, text, style.reference_style(row.control).color))
    return texts


def number_ticks(ax: Axes, values: pd.Series, extra: dict[float, str] | None = None) -> None:
    """Label a logarithmic x axis with plain numbers, at the values themselves or every few of
    them. extra: further ticks, value → label.
    """
    values_shown = sorted(set(values.dropna()))
    if len(values_shown) > MOST_TICKS:
        step = -(-len(values_shown) // MOST_TICKS)
        values_shown = values_shown[::-1][::step][::-1]  # the largest always has its tick
    labels = {x: f"{x:,g}" if x < 10_000 else f"{x / 1000:g}k" for x in values_shown} | (
        extra or {}
    )
    ax.set_xticks(list(labels), list(labels.values()))
    ax.xaxis.set_minor_locator(NullLocator())


def spaced(ax: Axes, values: pd.Series, gap: float = 0.11) -> pd.Series:
    """Values whose tick labels do not touch, chosen from the largest down; the limits of the x axis
    must be set. gap: smallest distance, as a fraction of the axis.
    """
    candidates = np.sort(values.unique())[::-1]
    positions = ax.transAxes.inverted().transform(
        ax.transData.transform([(x, 0) for x in candidates])
    )[:, 0]
    kept = []
    for index, position in enumerate(positions):
        if not kept or positions[kept[-1]] - position >= gap:
            kept.append(index)
    return pd.Series(candidates[kept])


def legends(
    data: FigureData, plotted: pd.DataFrame, looks: Mapping[Hashable, style.VariantStyle], labels
) -> list[list[Line2D]]:
    """Legend entries of the models, in order of appearance, and of the dashes if there are several.

    looks: from `variants`. labels: text for each of its keys, in its order.
    """
    points = plotted[plotted["value"].notna() & plotted["control"].isna()]
    styles = style.model_styles(data.models)
    models = [legend_entry(styles[m], style.SOLID) for m in points["model"].unique()]
    if len(set(looks.values())) == 1:
        return [models]
    neutral = style.ModelStyle("", "0.25", "o")
    dashes = dict(zip(looks.values(), labels, strict=True))  # one entry for a shared dash
    return [models, [legend_entry(neutral, look, label) for look, label in dashes.items()]]


def legend_entry(
    model: style.ModelStyle, variant: style.VariantStyle, label: str | None = None
) -> Line2D:
    """Legend entry of a model and a variant; the default label is the model's."""
    text = model.label if label is None else label
    return Line2D([], [], **style.line_look(model, variant), label=text)


def is_first_in_row(panel: int) -> bool:
    """Whether a panel, by its index among several, is the first in its row."""
    return panel % 2 == 0
