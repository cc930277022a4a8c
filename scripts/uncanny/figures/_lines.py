"""Artists that figures of metric values share: axes, references, curves with bands, legends."""

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
    """Scale, limits and plain numbers on the y axis."""
    ax.set(yscale=y_scale, ylim=ends)
    if y_scale == "log":
        if ends[1] < 1000 * ends[0]:  # over more decades, powers of ten read better
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


def draw_references(ax: Axes, rows: pd.DataFrame) -> None:
    """Grey lines with their bands; rows off the axis are left to their label."""
    for row in rows[rows["status"] == "ok"].itertuples():
        look = style.reference_style(row.control)
        if np.isfinite(row.lower):
            ax.axhspan(row.lower, row.upper, color=look.color, alpha=0.12, lw=0, label=row.curve)
        ax.axhline(row.value, color=look.color, ls=look.dash, lw=0.8, zorder=1.9, label=row.curve)


def draw_curve(ax: Axes, points: pd.DataFrame, x: str, look: dict) -> None:
    """Band and line against column x; gaps where there is no value, a bar for a lone point."""
    columns = points[[x, "value", "lower", "upper"]].to_numpy(float, na_value=np.nan)
    at, value, lower, upper = columns.T
    color, label = look["color"], points["curve"].iloc[0]
    ax.fill_between(at, lower, upper, color=color, alpha=0.16, lw=0, label=label)
    known = np.concatenate([[False], np.isfinite(value), [False]])
    lone = known[1:-1] & ~known[:-2] & ~known[2:]
    ax.vlines(at[lone], lower[lone], upper[lone], color=color, alpha=0.5, lw=0.8)
    ax.plot(at, value, **look, label=label)


def varying(drawn: pd.DataFrame, names: list[str]) -> list[str]:
    """Those of the columns that tell curves of the same panel apart."""
    counts = drawn[drawn["control"].isna()].groupby("panel")[names].nunique().max()
    return [name for name in names if counts[name] > 1]


def variants(drawn: pd.DataFrame, names: list[str]) -> dict[tuple, style.VariantStyle]:
    """Dash of each combination of the columns `names` that is drawn.

    Only columns count that vary within a panel: all are solid where no panel shows two of them.
    """
    found = drawn[drawn["control"].isna()][names].drop_duplicates()
    keys, own = _tuples(found, names), _tuples(found, varying(drawn, names))
    looks = style.variant_styles(dict.fromkeys(own))
    return {key: looks[mine] for key, mine in zip(keys, own, strict=True)}


def _tuples(rows: pd.DataFrame, names: list[str]) -> list[tuple]:
    return list(rows[names].itertuples(index=False, name=None)) if names else [()] * len(rows)


def label_panels(axes: list[Axes], drawn: pd.DataFrame) -> None:
    """Letters, titles and y labels; a panel shares the y axis with the one on its left."""
    first = drawn.groupby("panel")[["panel_title", "metric", "metric_label"]].first()
    for i, (ax, panel) in enumerate(zip(axes, first.itertuples(), strict=True)):
        _page.set_panel_title(ax, panel.Index if len(axes) > 1 else "", panel.panel_title)
        if _page.is_first_in_row(i) or panel.metric != first["metric"].iloc[i - 1]:
            ax.set_ylabel(panel.metric_label)
        else:
            ax.tick_params(labelleft=False)


def label_references(axes: list[Axes], drawn: pd.DataFrame) -> None:
    """Name the references at the right edge, once per row for panels that have the same ones."""
    texts = [_reference_texts(rows) for _, rows in drawn.groupby("panel")]
    for i, ax in enumerate(axes):
        is_last = i + 1 == len(axes) or _page.is_first_in_row(i + 1)
        if is_last or texts[i] != texts[i + 1]:
            _page.margin_labels(ax, texts[i])


def _reference_texts(rows: pd.DataFrame) -> list[tuple[float, str, str]]:
    """(value, text, colour) of each reference of a panel; says where fewer or more images than
    those of the curves were measured, because that shifts the value."""
    n_of_curves = rows.loc[rows["control"].isna(), "n"].max()
    texts = []
    for row in rows[rows["control"].notna() & rows["value"].notna()].itertuples():
        text = row.curve + ("" if row.n == n_of_curves else f"\nn = {row.n:,}")
        text += f"\noff axis: {row.value:.3g}" if row.status == "off axis" else ""
        texts.append((row.value, text, style.reference_style(row.control).color))
    return texts


def number_ticks(ax: Axes, values: pd.Series, more: dict[float, str] | None = None) -> None:
    """Plain numbers on a logarithmic x axis: at the values themselves where they are few."""
    at = sorted(set(values.dropna()))
    if len(at) > MOST_TICKS:
        step = -(-len(at) // MOST_TICKS)
        at = at[::-1][::step][::-1]  # the largest always has its tick
    named = {x: f"{x:,g}" if x < 10_000 else f"{x / 1000:g}k" for x in at} | (more or {})
    ax.set_xticks(list(named), list(named.values()))
    ax.xaxis.set_minor_locator(NullLocator())


def spaced(ax: Axes, values: pd.Series, gap: float = 0.11) -> pd.Series:
    """Of values on an x axis whose limits are set, the largest, and those below it whose labels do
    not touch. gap: least distance, part of the axis.
    """
    at = np.sort(values.unique())[::-1]
    places = ax.transAxes.inverted().transform(ax.transData.transform([(x, 0) for x in at]))[:, 0]
    kept = []
    for index, place in enumerate(places):
        if not kept or places[kept[-1]] - place >= gap:
            kept.append(index)
    return pd.Series(at[kept])


def legends(
    data: FigureData, drawn: pd.DataFrame, looks: Mapping[Hashable, style.VariantStyle], labels
) -> list[list[Line2D]]:
    """Entries of the models, in order of appearance, and of the dashes if there are several.

    looks: from variants. labels: the words for each of its keys, in its order.
    """
    found = drawn[drawn["value"].notna() & drawn["control"].isna()]
    styles = style.model_styles(data.models)
    models = [legend_entry(styles[m], style.SOLID) for m in found["model"].unique()]
    if len(set(looks.values())) == 1:
        return [models]
    neutral = style.ModelStyle("", "0.25", "o")
    dashes = dict(zip(looks.values(), labels, strict=True))  # one entry for a shared dash
    return [models, [legend_entry(neutral, look, label) for look, label in dashes.items()]]


def legend_entry(
    model: style.ModelStyle, variant: style.VariantStyle, label: str | None = None
) -> Line2D:
    """A line in the look of a model and a variant; labelled as the model where not otherwise."""
    text = model.label if label is None else label
    return Line2D([], [], **style.line_look(model, variant), label=text)
