"""Shared artists of figures of metric values: axes, references, curves, intervals, legends."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from uncanny.figures import _page, palette, style
from uncanny.figures.figure_data import FigureData

LETTER = 0.03  # inches, half the width of one in the label of a tick
FEW = 3  # curves of a panel whose bands can be told apart
MARKED = 16  # points of a curve; longer ones have fewer markers than points
BEHIND = "0.62"  # grey of curves that others are compared with
SIDE = (1.03, 0.27)  # start and width of the panel of last values, as fractions of the axis
# What makes a curve's look, under matplotlib's names but for fillcolor, that of its markers.
LOOK = ["color", "marker", "linestyle", "fillcolor"]
# First those that no VP or VE model has, since parameters of samplers are named after both.
VARIANTS = ("sky", "brown", "blue", "vermilion", "green", "pink")
VARIANT_HUES = [
    palette.mix(palette.HUES[hue], shade) for shade in palette.SHADES.values() for hue in VARIANTS
]


# ---- Axes -----------------------------------------------------------------------------------


def set_y(ax: Axes, ends: tuple[float, float], y_scale: str) -> None:
    """Set scale, limits and number format of the y axis."""
    ax.set(yscale=y_scale, ylim=ends)
    # Over more decades, powers of ten read better.
    if y_scale == "log" and ends[1] < 1000 * ends[0]:
        number_log(ax.yaxis)


def set_log_y(ax: Axes, table: pd.DataFrame, names: tuple = ("value", "lower", "upper")) -> None:
    """Set a logarithmic y axis that shows all positive values of some columns, if there are any."""
    values = table.reindex(columns=list(names)).astype(float).stack()
    values = values[values > 0]
    if len(values):
        set_y(ax, (values.min() / 1.2, values.max() * 1.2), "log")


def set_log_x(ax: Axes, values: pd.Series, zero: str = "0") -> None:
    """Set a logarithmic x axis around all values, linear between 0 and the smallest positive one
    if 0 is among them. Values have ticks, 0 with the label `zero`.
    """
    positive, has_zero = values[values > 0], bool((values == 0).any())
    symlog = {"linthresh": positive.min(), "linscale": 0.5} if has_zero and len(positive) else {}
    ax.margins(x=0.04)
    ax.set_xscale("symlog" if symlog else "log", **symlog)
    number_ticks(ax, values, {0: zero} if has_zero else {})


def number_log(axis: Axis) -> None:
    """Label a logarithmic axis, whose limits are set, with plain numbers."""
    low, high = axis.get_view_interval()
    subs = (1, 1.5, 2, 3, 4, 5, 7) if high < 8 * low else (1, 2, 5)
    formats = {"major_formatter": StrMethodFormatter("{x:g}"), "minor_formatter": NullFormatter()}
    axis.set(major_locator=LogLocator(subs=subs), **formats)


def set_epochs(ax: Axes) -> None:
    """Label the x axis with whole training epochs."""
    ax.set_xlabel("Training epochs")
    whole = {"integer": True, "min_n_ticks": 1}
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10], **whole))


def number_ticks(ax: Axes, values: pd.Series, extra: dict[float, str] | None = None) -> None:
    """Label a logarithmic x axis, whose limits are set, with plain numbers at the values
    themselves, from the largest down as far as labels do not touch.

    extra: further ticks, value → label.
    """
    extra, labels, before = extra or {}, {}, (np.inf, "")
    ax.get_xlim()  # applies limits that are still to be computed
    width = ax.get_position().width * ax.figure.get_size_inches()[0]
    for x in sorted(set(values.dropna()) - set(extra), reverse=True):
        text = f"{x:,g}" if x < 10_000 else f"{x / 1000:g}k"
        position = width * (ax.transScale + ax.transLimits).transform((x, 1))[0]
        if before[0] - position >= LETTER * (len(text) + len(before[1]) + 1):
            labels[x], before = text, (position, text)
    labels = dict(sorted((labels | extra).items()))
    ax.set_xticks(list(labels), list(labels.values()))
    ax.xaxis.set_minor_locator(NullLocator())


# ---- Looks ----------------------------------------------------------------------------------


def with_looks(points: pd.DataFrame, data: FigureData, names: tuple = ()) -> pd.DataFrame:
    """Points with the columns LOOK, `entry` and `variant_entry`, the legend's texts.

    A model has its own colour and marker, and what else varies within a panel (of the columns
    `names`) a dash. Where no panel shows several models, what varies has the colours; points of no
    model are grey.
    """
    is_behind = points.get("behind", pd.Series(False, points.index)).astype(bool)
    panels = points[~is_behind].groupby("panel")
    styles = style.model_styles(data.models)
    by_model = panels["model"].nunique().max() > 1 or not points["model"].isin(styles).any()
    varying = [name for name in names if panels[name].nunique().max() > 1]
    keys = points.loc[~is_behind, varying].drop_duplicates().itertuples(index=False, name=None)
    variants = _variants(list(keys) if varying else [], by_model)
    looks = []
    for row in points.to_dict("records"):
        model = styles.get(row["model"], style.NEUTRAL)
        look = {"color": model.color, "marker": model.marker, "linestyle": style.SOLID}
        look |= {"entry": model.label, "variant_entry": "", "fillcolor": model.color}
        if row.get("behind"):
            text = data.guidance_label(row["guidance"])
            look |= {"color": BEHIND, "fillcolor": "#ffffff", "variant_entry": text}
        elif varying:
            look |= variants[tuple(row[name] for name in varying)]
            look["variant_entry"] = " · ".join(_text(data, name, row[name]) for name in varying)
        looks.append(look)
    return points.join(pd.DataFrame(looks, points.index, [*LOOK, "entry", "variant_entry"]))


def _variants(keys: list[tuple], by_model: bool) -> dict[tuple, dict]:
    """What each variant changes in a model's look: dash and filling, or colour and marker."""
    hues, variants = iter(VARIANT_HUES * len(keys)), {}
    for index, key in enumerate(keys):
        if by_model:
            variants[key] = {"linestyle": style.DASHES[index % len(style.DASHES)]}
            variants[key] |= {"fillcolor": "#ffffff"} if index % 2 else {}
        else:
            color = "0.35" if "none" in key else next(hues)
            marker = palette.MARKERS[index % len(palette.MARKERS)]
            variants[key] = {"color": color, "fillcolor": color, "marker": marker, "entry": ""}
    return variants


def _text(data: FigureData, name: str, value) -> str:
    """A variant's value in a legend."""
    texts = {"guidance": data.guidance_label, "epoch": "epoch {:.0f}".format, "series": str}
    return texts[name](value) if name in texts else data.label(f"{name}s", value)


# ---- Curves ---------------------------------------------------------------------------------


def draw_curves(
    ax: Axes, points: pd.DataFrame, x: str, *, errors: str = "", width: float = 1.1
) -> None:
    """Draw lines through points with LOOK against column x, with gaps at missing values.

    errors: "band", "bar" or "". With bands, points without neighbours have a bar. width: of the
    lines, 0 for points alone.
    """
    if "behind" in points:
        points = points.sort_values("behind", ascending=False, kind="stable")
    for _, curve in points.groupby(["curve", *LOOK], sort=False):
        look = curve.iloc[0]
        at, value = curve[x].to_numpy(float), curve["value"].to_numpy(float)
        options = {"lw": width, "markevery": -(-len(at) // MARKED), "label": look["curve"]}
        ax.plot(at, value, **options, **artist(look))
        if errors and curve["lower"].notna().any():
            lower, upper = (curve[name].to_numpy(float) for name in ("lower", "upper"))
            barred = np.isfinite(lower)
            if errors == "band":
                ax.fill_between(at, lower, upper, color=look["color"], alpha=0.16, lw=0)
                barred &= _is_isolated(value)
            ends = at[barred], lower[barred], upper[barred]
            ax.vlines(*ends, color=look["color"], lw=0.8, alpha=0.7)


def artist(look: pd.Series) -> dict:
    """Arguments of `plot` for a row with LOOK."""
    line = {"color": look["color"], "ls": look["linestyle"], "marker": look["marker"]}
    face = {"mfc": look["fillcolor"], "mec": look["color"], "mew": 0.6}
    return line | face | {"ms": style.MARKERS.get(look["marker"], 4.0)}


def _is_isolated(values: np.ndarray) -> np.ndarray:
    """Points with a value whose neighbours have none."""
    has_value = np.isfinite(values)
    padded = np.pad(has_value, 1)
    return has_value & ~padded[:-2] & ~padded[2:]


def draw_last(ax: Axes, points: pd.DataFrame, references: pd.DataFrame) -> None:
    """Draw the last value of each curve with its interval in a panel right of the axes."""
    last = points.dropna(subset="value").groupby("curve", sort=False).tail(1)
    last = last.sort_values("model", key=lambda m: m.map({n: i for i, n in enumerate(m.unique())}))
    side = ax.inset_axes((SIDE[0], 0, SIDE[1], 1), sharey=ax)
    draw_references(side, references)
    draw_curves(side, last.assign(rank=range(len(last))), "rank", errors="bar")
    epochs = last["epoch"].unique()
    text = f"epoch {epochs[0]:.0f}" if len(epochs) == 1 else "last epoch"
    side.set(xlim=(-0.8, len(last) - 0.2), xticks=[], xlabel=text)
    side.tick_params(labelleft=False)


def draw_rows(ax: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    """Draw a labelled row for each value with LOOK, with its interval, from the top down."""
    for y, (_, row) in enumerate(table.iterrows()):
        bar = [[row["value"] - row["lower"]], [row["upper"] - row["value"]]]
        options = {"lw": 1.2, "elinewidth": 1.2, "label": row.get("curve")}
        ax.errorbar([row["value"]], [y], xerr=bar, **artist(row) | options)
    ax.set_yticks(range(len(table)), labels)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")


def errors_of(points: pd.DataFrame, keys: list[str], otherwise: str) -> str:
    """How uncertainty is drawn: bands for few curves in each panel, else `otherwise`."""
    curves = points[points["value"].notna()].drop_duplicates(["panel", *keys])
    return "band" if curves.groupby("panel").size().max() <= FEW else otherwise


# ---- References -----------------------------------------------------------------------------


def draw_references(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw references as thin grey lines with bands; those off the axis have a label only."""
    for row in rows[rows["status"] == "ok"].itertuples():
        look = style.reference_style(row.control)
        if np.isfinite(row.lower):
            ax.axhspan(row.lower, row.upper, color=look.color, alpha=0.1, lw=0, label=row.curve)
        ax.axhline(row.value, color=look.color, ls=look.dash, lw=0.7, zorder=1.9, label=row.curve)


def label_panels(
    axes: list[Axes], plotted: pd.DataFrame, *, shared: bool = True, x: float = 1.0
) -> None:
    """Set letters, titles, y labels and labels of references. Panels in a row share the label of
    their metric, and those of references that are the same.

    shared: whether panels of one metric have the same axis. x: where labels of references start.
    """
    panels = [rows for _, rows in plotted.groupby("panel")]
    texts = [_reference_texts(rows, ax.get_ylim()) for ax, rows in zip(axes, panels, strict=True)]
    for i, (ax, rows) in enumerate(zip(axes, panels, strict=True)):
        first, is_right = rows.iloc[0], i % 2
        _page.set_panel_title(ax, first["panel"] if len(axes) > 1 else "", first["panel_title"])
        label = first["metric_label"][:1].upper() + first["metric_label"][1:]
        is_same = is_right and shared and first["metric"] == panels[i - 1]["metric"].iloc[0]
        ax.set_ylabel("" if is_same else "\n".join(textwrap.wrap(label, 26)))
        ax.tick_params(labelleft=not is_same)
        if is_right or i + 1 == len(axes) or texts[i] != texts[i + 1]:
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


# ---- Legends --------------------------------------------------------------------------------


def legends(points: pd.DataFrame) -> list[list[Line2D]]:
    """Legend entries of the models, in order of appearance, and of the variants, of plotted points
    with LOOK. With colours for the models, variants are shown in grey.
    """
    shown = points[points["value"].notna()].drop_duplicates(["entry", "variant_entry", *LOOK])
    behind = shown.get("behind", pd.Series(False, shown.index)).astype(bool)
    models = shown[~behind & (shown["entry"] != "")].drop_duplicates("entry")
    models = models.assign(linestyle=[style.SOLID] * len(models), fillcolor=models["color"])
    variants = shown[shown["variant_entry"] != ""].drop_duplicates("variant_entry").copy()
    is_gray = (variants["entry"] != "") & ~behind[variants.index]
    is_hollow = variants["fillcolor"] == "#ffffff"
    variants.loc[is_gray, ["color", "fillcolor"]] = "0.25"
    variants.loc[is_gray, "marker"] = "o"
    variants.loc[is_hollow, "fillcolor"] = "#ffffff"
    return [
        [Line2D([], [], label=row[text], **artist(row)) for _, row in rows.iterrows()]
        for rows, text in ((models, "entry"), (variants, "variant_entry"))
    ]
