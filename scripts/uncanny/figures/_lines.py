"""Shared artists of figures of metric values: axes, references, curves, intervals, legends."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from uncanny.figures import _page, palette, style
from uncanny.figures.figure_data import FigureData

MOST_TICKS = 7  # on an x axis with a tick at each value
FEW = 3  # curves of a panel whose bands can be told apart
BEHIND = "0.62"  # grey of curves that others are compared with
SIDE = (1.03, 0.27)  # start and width of the panel of last values, as fractions of the axis
# What makes a curve's look, under seaborn's names; used as it is.
LOOK = ["color", "marker", "linestyle", "fillcolor"]
VARIANT_HUES = [palette.HUES[hue] for hue in ("blue", "vermilion", "sky", "brown", "green", "pink")]


def set_y(ax: Axes, ends: tuple[float, float], y_scale: str) -> None:
    """Set scale, limits and number format of the y axis."""
    ax.set(yscale=y_scale, ylim=ends)
    if y_scale == "log":
        if ends[1] < 1000 * ends[0]:  # over more decades, powers of ten read better
            dense = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
            subs = dense if ends[1] < 8 * ends[0] else (1.0, 2.0, 5.0)
            ax.yaxis.set_major_locator(LogLocator(subs=subs))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


# ---- Curves ---------------------------------------------------------------------------------


def with_looks(
    points: pd.DataFrame, data: FigureData, names: list[str], label: Callable[..., str]
) -> pd.DataFrame:
    """Points with the columns LOOK, `entry` and `variant_entry`, the legend's texts.

    A model has its own colour and marker, and what else varies within a panel (of the columns
    `names`) a dash. Where no panel shows several models, what varies has the colours. label: text
    of a variant, from the values of `names`.
    """
    own = points[~points.get("behind", pd.Series(False, points.index)).astype(bool)]
    by_model = own.groupby("panel")["model"].nunique().max() > 1
    varying = [name for name in names if own.groupby("panel")[name].nunique().max() > 1]
    keys = list(dict.fromkeys(own[varying].itertuples(index=False, name=None)))
    styles, dashes = style.model_styles(data.models), style.variant_styles(keys)
    hues = iter(VARIANT_HUES * len(keys))
    colors = {key: "0.35" if "none" in key else next(hues) for key in keys}
    rows = []
    for row in points.to_dict("records"):
        key, model = tuple(row[name] for name in varying), styles[row["model"]]
        look = {"color": model.color, "marker": model.marker, "entry": model.label}
        if row.get("behind"):
            text = data.guidance_label(row["guidance"])
            look |= {"color": BEHIND, "linestyle": (0, ()), "variant_entry": text}
        elif by_model or not varying:
            look |= {"linestyle": dashes[key].dash, "variant_entry": label(row) if varying else ""}
        else:
            marker = palette.MARKERS[keys.index(key)]
            look |= {"color": colors[key], "marker": marker, "linestyle": (0, ())}
            look |= {"entry": "", "variant_entry": label(row)}
        is_filled = not row.get("behind") and (not by_model or dashes[key].is_filled)
        rows.append(look | {"fillcolor": look["color"] if is_filled else "#ffffff"})
    return points.join(
        pd.DataFrame(rows, index=points.index, columns=[*LOOK, "entry", "variant_entry"])
    )


def draw_curves(
    ax: Axes, points: pd.DataFrame, x: str, *, errors: str = "", width: float = 1.1
) -> None:
    """Draw lines through points with LOOK against column x, with gaps at missing values.

    errors: "band", "bar" or "". With bands, points without neighbours have a bar. width: of the
    lines, 0 for points alone.
    """
    if "behind" in points:
        points = points.sort_values("behind", ascending=False, kind="stable")
    numbers = [x, "value", *{"lower", "upper"}.intersection(points)]
    points = points.assign(curve=points.groupby(["curve", *LOOK], sort=False).ngroup())
    points = points.astype(dict.fromkeys(numbers, float))
    line = so.Path(linewidth=width, pointsize=3.8, edgewidth=0.6)
    _plot(points, x, group="curve").add(line, legend=False).on(ax).plot()
    if errors == "band" and points["lower"].notna().any():
        _plot(points, x, **INTERVAL).add(so.Band(alpha=0.16), legend=False).on(ax).plot()
    barred = points[_is_isolated(points)] if errors == "band" else points
    if errors and len(barred := barred.dropna(subset=["lower"])):
        bars = so.Range(linewidth=0.8, alpha=0.7)
        _plot(barred.assign(linestyle="-"), x, **INTERVAL).add(bars, legend=False).on(ax).plot()
    ax.set(xlabel="", ylabel="", xscale="linear", yscale="linear")  # seaborn sets its own


def _plot(points: pd.DataFrame, x: str, **variables: str) -> so.Plot:
    """A plot of values whose looks are the points' own."""
    own = {name: name for name in LOOK}
    return so.Plot(points, x=x, y="value", **own, **variables).scale(**dict.fromkeys(LOOK))


# Not for lines: seaborn leaves out points without an interval.
INTERVAL = {"ymin": "lower", "ymax": "upper"}


def _is_isolated(points: pd.DataFrame) -> pd.Series:
    """Points with a value whose neighbours on their curve have none."""
    has_value = points["value"].notna()
    sides = [has_value.groupby(points["curve"]).shift(step, fill_value=False) for step in (1, -1)]
    return has_value & ~sides[0] & ~sides[1]


def draw_last(ax: Axes, points: pd.DataFrame, references: pd.DataFrame) -> Axes:
    """Draw the last value of each curve with its interval in a panel right of the axes."""
    last = points.dropna(subset="value").groupby("curve", sort=False).tail(1)
    last = last.sort_values("model", key=lambda m: m.map({n: i for i, n in enumerate(m.unique())}))
    side = ax.inset_axes((SIDE[0], 0, SIDE[1], 1), sharey=ax)
    draw_references(side, references)
    draw_curves(side, last.assign(rank=range(len(last))), "rank", errors="bar")
    epochs = last["epoch"].unique()
    text = f"epoch {epochs[0]:.0f}" if len(epochs) == 1 else "last epoch"
    side.set(xlim=(-0.8, len(last) - 0.2), xticks=[], xlabel=text, ylabel="")
    side.tick_params(labelleft=False)
    return side


def errors_of(points: pd.DataFrame, keys: list[str], otherwise: str) -> str:
    """How uncertainty is drawn: bands for few curves in each panel, else `otherwise`."""
    counts = (
        points[points["value"].notna()]
        .groupby("panel")[keys]
        .apply(lambda p: len(p.drop_duplicates()))
    )
    return "band" if counts.max() <= FEW else otherwise


# ---- References -----------------------------------------------------------------------------


def draw_references(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw references as thin grey lines with bands; those off the axis have a label only."""
    for row in rows[rows["status"] == "ok"].itertuples():
        look = style.reference_style(row.control)
        if np.isfinite(row.lower):
            ax.axhspan(row.lower, row.upper, color=look.color, alpha=0.1, lw=0, label=row.curve)
        ax.axhline(row.value, color=look.color, ls=look.dash, lw=0.7, zorder=1.9, label=row.curve)


def label_panels(axes: list[Axes], plotted: pd.DataFrame, *, shared: bool = True) -> None:
    """Set letters, titles and y labels; panels in a row share the label of their metric.

    shared: whether panels of one metric have the same axis.
    """
    first = plotted.groupby("panel")[["panel_title", "metric", "metric_label"]].first()
    for i, (ax, panel) in enumerate(zip(axes, first.itertuples(), strict=True)):
        _page.set_panel_title(ax, panel.Index if len(axes) > 1 else "", panel.panel_title)
        label = panel.metric_label[:1].upper() + panel.metric_label[1:]
        is_same = i % 2 and panel.metric == first["metric"].iloc[i - 1]
        ax.set_ylabel("" if is_same and shared else label)
        ax.tick_params(labelleft=not (is_same and shared))


def label_references(axes: list[Axes], plotted: pd.DataFrame, x: float = 1.0) -> None:
    """Label the references at the right edge, once per row for panels with the same ones."""
    texts = [
        _reference_texts(rows, ax.get_ylim())
        for ax, (_, rows) in zip(axes, plotted.groupby("panel"), strict=True)
    ]
    for i, ax in enumerate(axes):
        is_last_in_row = i + 1 == len(axes) or i % 2
        if is_last_in_row or texts[i] != texts[i + 1]:
            _page.margin_labels(ax, texts[i], x)


def _reference_texts(rows: pd.DataFrame, ends: tuple[float, float]) -> list[tuple]:
    """(value, text, colour) of each reference of a panel, with its number of images if it differs
    from that of the curves, because that shifts the value. Noises that coincide share a label.
    """
    n_of_curves = rows.loc[rows["control"].isna(), "n"].max()
    shown = rows[rows["control"].notna() & rows["value"].notna()]
    noises = shown[shown["control"].isin(style.NOISES)]
    is_one = len(noises) > 1 and np.ptp(noises["value"].clip(*ends)) < 0.03 * (ends[1] - ends[0])
    texts = []
    for row in shown.drop(noises.index[1:] if is_one else []).itertuples():
        values = noises["value"] if is_one and row.control in style.NOISES else [row.value]
        text = "noise" if len(values) > 1 else row.curve
        text += "" if row.n == n_of_curves else f"\nn = {row.n:,}"
        if row.status == "off axis":
            text += "\noff axis: " + ", ".join(dict.fromkeys(f"{value:.3g}" for value in values))
        texts.append((row.value, text, style.reference_style(row.control).color))
    return texts


# ---- Ticks and legends ----------------------------------------------------------------------


def pad_x(ax: Axes, values: pd.Series, share: float = 0.04) -> None:
    """Set the limits of the x axis around values, whatever its scale."""
    transform = ax.xaxis.get_transform()
    low, high = transform.transform(np.array([values.min(), values.max()], float))
    pad = share * (high - low) or 0.1
    ax.set_xlim(*transform.inverted().transform(np.array([low - pad, high + pad])))


def number_ticks(ax: Axes, values: pd.Series, extra: dict[float, str] | None = None) -> None:
    """Label a logarithmic x axis with plain numbers, at the values themselves or every few of
    them. extra: further ticks, value → label.
    """
    shown = sorted(set(values.dropna()))
    step = max(1, -(-len(shown) // MOST_TICKS))
    shown = shown[::-1][::step][::-1]  # the largest always has its tick
    labels = {x: f"{x:,g}" if x < 10_000 else f"{x / 1000:g}k" for x in shown} | (extra or {})
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


def legends(points: pd.DataFrame) -> list[list[Line2D]]:
    """Legend entries of the models, in order of appearance, and of the variants, of plotted points
    with LOOK. With colours for the models, variants are shown in grey.
    """
    shown = points[points["value"].notna()]
    behind = shown.get("behind", pd.Series(False, shown.index)).astype(bool)
    models = shown[~behind & (shown["entry"] != "")].drop_duplicates("entry")
    variants = shown[shown["variant_entry"] != ""].drop_duplicates("variant_entry")
    handles = [[], []]
    for row in models.itertuples():
        handles[0].append(_entry(row.entry, row.color, row.marker, (0, ()), row.color))
    for row in variants.itertuples():
        gray = row.entry and not getattr(row, "behind", False)
        color, marker = ("0.25", "o") if gray else (row.color, row.marker)
        face = "white" if row.fillcolor == "#ffffff" else color
        handles[1].append(_entry(row.variant_entry, color, marker, row.linestyle, face))
    return handles


def _entry(label: str, color: str, marker: str, dash: tuple, face: str) -> Line2D:
    look = {"color": color, "marker": marker, "ls": dash, "mec": color, "mfc": face, "mew": 0.6}
    return Line2D([], [], label=label, ms=style.MARKERS[marker], **look)


def legend_entry(
    model: style.ModelStyle, variant: style.VariantStyle, label: str | None = None
) -> Line2D:
    """Legend entry of a model and a variant; the default label is the model's."""
    text = model.label if label is None else label
    return Line2D([], [], **style.line_look(model, variant), label=text)
