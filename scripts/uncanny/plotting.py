"""Figures: one public function per kind, from score tables and a figure's block to a Figure.

`kind(data, panels, *, options) -> (figure, drawn)`: `drawn` is the table of all that is drawn. The
artists are made from it alone, so that the CSV beside a figure cannot differ from it.
"""

import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from uncanny import files, scores, style

HALF_BAND = 1.96  # standard errors
MIN_SHARE = 0.3  # of the y axis that the curves keep when references are brought into view
CURVE = ["model", "sampler", "guidance"]
DRAWN_COLUMNS = [
    *["panel", "panel_title", "curve", "control", "dataset", *CURVE],
    *["metric", "metric_label", "epoch", "images_seen", "value", "lower", "upper", "se"],
    *["n", "splits", "images_per_split", "extractor_id", "reference", "seeds", "draws"],
    *["levels", "runs", "diverged", "status"],
]


@dataclass(frozen=True)
class FigureData:
    """What a figure may draw.

    table: tidy scores (scores.tidy). models, samplers, guidances, metrics: appearance, name ->
    {label, ...}, a metric also with unit; `models` holds all models of the study in its order,
    which decides their colours. references: dataset -> {"train": [metric, ...], "test": ...}, the
    controls that are measured as samples are.
    """

    table: pd.DataFrame
    models: Mapping[str, Mapping]
    samplers: Mapping[str, Mapping] = field(default_factory=dict)
    guidances: Mapping[str, Mapping] = field(default_factory=dict)
    metrics: Mapping[str, Mapping] = field(default_factory=dict)
    references: Mapping[str, Mapping] = field(default_factory=dict)

    def label(self, family: str, name: str) -> str:
        """The label of a component of the given family, or its name."""
        return getattr(self, family).get(name, {}).get("label") or name

    def metric_label(self, metric: str) -> str:
        """The label of a metric with its unit."""
        unit = self.metrics.get(metric, {}).get("unit")
        return self.label("metrics", metric) + (f" ({unit})" if unit else "")


# ---- Kinds ----------------------------------------------------------------------------------


def curves(
    data: FigureData, panels: list, *, metric: str, y_scale: Literal["linear", "log"] = "linear"
) -> tuple[Figure, pd.DataFrame]:
    """Metric against training epochs, one curve per model x sampler x guidance of a panel.

    A panel is {models, samplers, guidances = ["none"], title = "", metric = the figure's}. Bands
    are +-1.96 standard errors of scores.summarise. A reference that would squeeze the curves is
    named with its value at the edge of the axis instead of being drawn. Diverged and missing
    curves are named in a note.

    Raises ValueError when nothing can be drawn, for a model without appearance, for rows that are
    not comparable, and for values <= 0 on a logarithmic axis.
    """
    points = _drawn_points(data, _wanted(data, metric, panels))
    if y_scale == "log":
        _check_positive(points)
    drawn = pd.concat([points, _drawn_references(data, points)], ignore_index=True)
    limits = {name: _limits(rows, y_scale) for name, rows in drawn.groupby("metric")}
    drawn["status"] = _with_off_axis(drawn, limits)
    with style.context():
        figure, axes = style.canvas(len(panels))
        for ax, (_, rows) in zip(axes, drawn.groupby("panel"), strict=True):
            _set_axes(ax, limits[rows["metric"].iloc[0]], y_scale)
            _draw_references(ax, rows[rows["control"].notna()])
            _draw_curves(ax, rows[rows["control"].isna()], data, _variants(drawn))
        _label_panels(axes, drawn)
        _label_references(axes, drawn)
        style.finish(figure, _legends(data, drawn), notes(drawn))
    return figure, drawn


# ---- The drawn table ------------------------------------------------------------------------


def _wanted(data: FigureData, metric: str, panels: list) -> pd.DataFrame:
    """One row per curve of every panel, in the order of the block."""
    rows = [row for i, panel in enumerate(panels) for row in _panel_rows(data, metric, i, panel)]
    if not rows:
        raise ValueError("figure is empty: its panels name no curve")
    return pd.DataFrame(rows).drop_duplicates()


def _panel_rows(data: FigureData, metric: str, index: int, panel: Mapping) -> list[dict]:
    metric = panel.get("metric", metric)
    shared = {
        **{"panel": chr(ord("a") + index), "panel_title": panel.get("title", "")},
        **{"metric": metric, "metric_label": data.metric_label(metric)},
    }
    names = itertools.product(panel["samplers"], panel.get("guidances", ["none"]), panel["models"])
    return [
        shared | {"curve": _curve_label(data, m, s, g), "model": m, "sampler": s, "guidance": g}
        for s, g, m in names
    ]


def _curve_label(data: FigureData, model: str, sampler: str, guidance: str) -> str:
    if model not in data.models:
        raise ValueError(f"figure: model {model!r} is not one of {', '.join(data.models)}")
    parts = [data.label("models", model), data.label("samplers", sampler)]
    return " · ".join(parts + [data.label("guidances", guidance)] * (guidance != "none"))


def _drawn_points(data: FigureData, wanted: pd.DataFrame) -> pd.DataFrame:
    """The summary of every wanted curve; one row of status "missing" for a curve without data."""
    is_diverged = data.table["status"] == "diverged"
    keys = [*CURVE, "metric"]
    measured = data.table[~is_diverged].merge(wanted[keys].drop_duplicates(), on=keys)
    diverged = data.table[is_diverged].merge(wanted[CURVE].drop_duplicates(), on=CURVE)
    if measured.empty:
        metrics = ", ".join(wanted["metric"].unique())
        raise ValueError(f"figure is empty: no value of {metrics} for any of its curves")
    scores.check_comparable(measured)
    summary = scores.summarise(pd.concat([measured, diverged], ignore_index=True))
    drawn = wanted.merge(summary, on=keys, how="left")
    drawn["status"] = drawn["status"].fillna("missing")
    drawn["control"] = pd.Series(dtype=str)
    drawn["lower"] = drawn["value"] - HALF_BAND * drawn["se"]
    drawn["upper"] = drawn["value"] + HALF_BAND * drawn["se"]
    return drawn[DRAWN_COLUMNS]


def _check_positive(points: pd.DataFrame) -> None:
    if (points["value"] <= 0).any():
        worst = points.loc[points["value"].idxmin()]
        raise ValueError(
            f"y_scale is log, but {worst['metric']} of {worst['curve']} is {worst['value']:g} at "
            f"epoch {worst['epoch']}; expected values above 0"
        )


def _drawn_references(data: FigureData, points: pd.DataFrame) -> pd.DataFrame:
    """One row per panel, dataset and reference that has the panel's metric."""
    several = points["dataset"].nunique() > 1
    rows = []
    for (_, dataset), of_panel in points.groupby(["panel", "dataset"]):
        for control, entries in data.references.get(dataset, {}).items():
            label = style.reference_style(control).label + (f" ({dataset})" if several else "")
            found = [entry for entry in entries if entry["metric"] == of_panel["metric"].iloc[0]]
            rows += [_reference_row(of_panel.iloc[0], control, label, entry) for entry in found]
    return pd.DataFrame(rows, columns=DRAWN_COLUMNS).astype(points.dtypes)


def _reference_row(point: pd.Series, control: str, label: str, entry: Mapping) -> dict:
    """A reference as a row of the drawn table; it must be measured as the curves are."""
    row = {key: entry.get(key) for key in ("n", "splits", "images_per_split", "reference")}
    row["extractor_id"] = entry.get("extractor")
    for key in ("extractor_id", "reference"):
        mine, theirs = (None if pd.isna(value) else value for value in (row[key], point[key]))
        if mine != theirs:
            raise ValueError(
                f"reference {label}: {key} of {entry['metric']} is {mine}, of the curves {theirs}"
            )
    value, se = entry["value"], np.nan if entry.get("se") is None else entry["se"]
    shared = point[["panel", "panel_title", "dataset", "metric", "metric_label"]].to_dict()
    named = {"curve": label, "control": control, "value": value, "se": se, "status": "ok"}
    return row | shared | named | {"lower": value - HALF_BAND * se, "upper": value + HALF_BAND * se}


def _limits(drawn: pd.DataFrame, y_scale: str) -> tuple[float, float]:
    """Limits of the y axis: all of the curves, and the references that leave them MIN_SHARE."""
    forward, back = (np.log10, lambda v: 10.0**v) if y_scale == "log" else (float, float)
    is_curve = drawn["control"].isna()
    extremes = drawn.loc[is_curve, ["value", "lower", "upper"]].stack().dropna()
    references = drawn.loc[~is_curve, "value"]
    if y_scale == "log":
        extremes, references = extremes[extremes > 0], references[references > 0]
    if extremes.empty:
        return 0.1, 1.0
    low, high = forward(extremes.min()), forward(extremes.max())
    span = (high - low) or 0.1 * abs(high) or 1.0
    reach = [forward(value) for value in references]
    for value in sorted(reach, key=lambda v: max(low - v, v - high)):
        if span >= MIN_SHARE * (max(high, value) - min(low, value)):
            low, high = min(low, value), max(high, value)
    pad = 0.05 * ((high - low) or span)
    return back(low - pad), back(high + pad)


def _with_off_axis(drawn: pd.DataFrame, limits: Mapping) -> pd.Series:
    """The status column, with "off axis" for the references outside the limits."""
    low, high = (drawn["metric"].map({m: pair[i] for m, pair in limits.items()}) for i in (0, 1))
    is_outside = drawn["control"].notna() & ~drawn["value"].between(low, high)
    return drawn["status"].mask(is_outside, "off axis")


# ---- Artists --------------------------------------------------------------------------------


def _set_axes(ax: Axes, limits: tuple[float, float], y_scale: str) -> None:
    ax.set(yscale=y_scale, ylim=limits, xlabel="Training epochs")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 5, 10]))
    if y_scale == "log":
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


def _draw_references(ax: Axes, rows: pd.DataFrame) -> None:
    for row in rows[rows["status"] == "ok"].itertuples():
        look = style.reference_style(row.control)
        if np.isfinite(row.lower):
            ax.axhspan(row.lower, row.upper, color=look.color, alpha=0.12, lw=0, label=row.curve)
        ax.axhline(row.value, color=look.color, ls=look.dash, lw=0.8, zorder=1.9, label=row.curve)


def _draw_curves(ax: Axes, rows: pd.DataFrame, data: FigureData, variants: Mapping) -> None:
    looks = style.model_styles(data.models)
    for (model, sampler, guidance), points in rows.groupby(CURVE, sort=False):
        if points["value"].notna().any():
            look = style.line_look(looks[model], variants[sampler, guidance])
            _draw_curve(ax, points, look)


def _draw_curve(ax: Axes, points: pd.DataFrame, look: dict) -> None:
    """Band and line; diverged epochs leave a gap, a lone point gets a bar for its band."""
    columns = points[["epoch", "value", "lower", "upper"]].to_numpy(float, na_value=np.nan)
    epoch, value, lower, upper = columns.T
    color, label = look["color"], points["curve"].iloc[0]
    ax.fill_between(epoch, lower, upper, color=color, alpha=0.16, lw=0, label=label)
    known = np.concatenate([[False], np.isfinite(value), [False]])
    lone = known[1:-1] & ~known[:-2] & ~known[2:]
    ax.vlines(epoch[lone], lower[lone], upper[lone], color=color, alpha=0.5, lw=0.8)
    ax.plot(epoch, value, **look, label=label)


def _variants(drawn: pd.DataFrame) -> dict[tuple, style.VariantStyle]:
    """Dash of each (sampler, guidance); all solid where no panel shows more than one."""
    found = drawn[drawn["control"].isna()][["panel", "sampler", "guidance"]].drop_duplicates()
    pairs = list(dict.fromkeys(zip(found["sampler"], found["guidance"], strict=True)))
    if found["panel"].duplicated().any():
        return style.variant_styles(pairs)
    return dict.fromkeys(pairs, style.SOLID)


def _label_panels(axes: list[Axes], drawn: pd.DataFrame) -> None:
    """Letters, titles and y labels; a panel shares the y axis with the one on its left."""
    first = drawn.groupby("panel")[["panel_title", "metric", "metric_label"]].first()
    for i, (ax, panel) in enumerate(zip(axes, first.itertuples(), strict=True)):
        style.set_panel_title(ax, panel.Index if len(axes) > 1 else "", panel.panel_title)
        if style.is_first_in_row(i) or panel.metric != first["metric"].iloc[i - 1]:
            ax.set_ylabel(panel.metric_label)
        else:
            ax.tick_params(labelleft=False)


def _label_references(axes: list[Axes], drawn: pd.DataFrame) -> None:
    """Name the references at the right edge, once per row for panels that have the same ones."""
    texts = [_reference_texts(rows) for _, rows in drawn.groupby("panel")]
    for i, ax in enumerate(axes):
        is_last = i + 1 == len(axes) or style.is_first_in_row(i + 1)
        if is_last or texts[i] != texts[i + 1]:
            style.margin_labels(ax, texts[i])


def _reference_texts(rows: pd.DataFrame) -> list[tuple[float, str, str]]:
    """(value, text, colour) of each reference of a panel; says where fewer or more images than
    those of the curves were measured, because that shifts the value."""
    n_of_curves = rows.loc[rows["control"].isna(), "n"].max()
    texts = []
    for row in rows[rows["control"].notna()].itertuples():
        text = row.curve + ("" if row.n == n_of_curves else f"\nn = {row.n:,}")
        text += f"\noff axis: {row.value:.3g}" if row.status == "off axis" else ""
        texts.append((row.value, text, style.reference_style(row.control).color))
    return texts


def _legends(data: FigureData, drawn: pd.DataFrame) -> list[list[Line2D]]:
    """Entries of the models, in order of appearance, and of the dashes if there are several."""
    found = drawn[drawn["value"].notna() & drawn["control"].isna()]
    looks, variants = style.model_styles(data.models), _variants(drawn)
    models = [_legend_entry(looks[m], style.SOLID, looks[m].label) for m in found["model"].unique()]
    if len(set(variants.values())) == 1:
        return [models]
    neutral = style.ModelStyle("", "0.25", "o")
    labels = _variant_labels(data, list(variants))
    dashes = zip(variants.values(), labels, strict=True)
    return [models, [_legend_entry(neutral, look, label) for look, label in dashes]]


def _legend_entry(model: style.ModelStyle, variant: style.VariantStyle, label: str) -> Line2D:
    return Line2D([], [], **style.line_look(model, variant), label=label)


def _variant_labels(data: FigureData, variants: list[tuple[str, str]]) -> list[str]:
    """Name only what differs: samplers, guidances, or both."""
    names = [(data.label("samplers", s), data.label("guidances", g)) for s, g in variants]
    varying = [i for i in (0, 1) if len({pair[i] for pair in names}) > 1]
    return [" · ".join(pair[i] for i in varying) for pair in names]


# ---- Words and files ------------------------------------------------------------------------


def notes(drawn: pd.DataFrame) -> str:
    """What is not drawn: diverged curves with their epochs, and curves without data; or ""."""
    found = drawn[drawn["control"].isna()].drop_duplicates([*CURVE, "epoch"])
    diverged, missing = [], []
    for _, rows in found.groupby(CURVE, sort=False):
        curve = rows["curve"].iloc[0]
        if (rows["status"] == "missing").any():
            missing.append(curve)
        elif (rows["diverged"] > 0).any():
            diverged.append(f"{curve} {_diverged_epochs(rows)}")
    parts = {"diverged: ": diverged, "no data: ": missing}
    return "; ".join(head + ", ".join(items) for head, items in parts.items() if items)


def _diverged_epochs(rows: pd.DataFrame) -> str:
    """ "from epoch 40", or "at epoch 20, 40" when later epochs are whole again."""
    bad = rows[rows["diverged"] > 0]
    epochs = [str(int(epoch)) for epoch in bad["epoch"]]
    is_tail = rows["epoch"].iloc[-len(bad) :].tolist() == bad["epoch"].tolist()
    runs = f" ({bad['diverged'].max():g} of {bad['runs'].max():g} runs)"
    suffix = runs if (bad["status"] == "partial").any() else ""
    return (f"from epoch {epochs[0]}" if is_tail else f"at epoch {', '.join(epochs)}") + suffix


def caption(table: pd.DataFrame, block: Mapping) -> str:
    """The figure's title and caption from its block, then how its points and bands came about.

    `table` is the drawn table, also as read back from its CSV. The facts are three sentences: what
    is drawn; seeds, images, splits, extractor; bands, references and what is not drawn.
    """
    points = table[table["control"].isna() & table["value"].notna()]
    metrics = " and ".join(points["metric_label"].unique())
    sentences = [
        *[block[key].rstrip(".") for key in ("title", "caption") if block.get(key)],
        f"{metrics} against training epochs",
        f"Each point is {_measured(points)}",
        _bands(points)
        + _references(table)
        + "".join(f"; {note}" for note in [notes(table)] if note),
    ]
    return " ".join(f"{sentence}." for sentence in sentences)


def _measured(points: pd.DataFrame) -> str:
    """The seeds, draws, images, splits and extractor of the points."""
    seeds, draws, n = (_span(points[key]) for key in ("seeds", "draws", "n"))
    text = f"the mean over {_counted(seeds, 'training seed')} with {_counted(draws, 'draw')} each"
    text = "one draw from one training seed" if (seeds, draws) == ("1", "1") else text
    text += f", n = {n} images per draw"
    split = points.dropna(subset="splits").drop_duplicates(["splits", "images_per_split"])
    for row in split.itertuples():
        text += f", in {_counted(f'{row.splits:.0f}', 'split')} of {row.images_per_split:,.0f}"
    return f"{text}, extractor {' and '.join(points['extractor_id'].dropna().unique())}"


def _bands(points: pd.DataFrame) -> str:
    has_band = points["se"].notna()
    if not has_band.any():
        return "No bands: the standard errors are not known"
    levels = " or ".join(f"({names})" for names in points.loc[has_band, "levels"].unique())
    text = f"Bands are ±{HALF_BAND} standard errors of the mean {levels}"
    return text if has_band.all() else f"{text}; points without a band have no known error"


def _references(table: pd.DataFrame) -> str:
    """The references with their values, and their number of images where it is another one."""
    n = table[table["control"].isna()].groupby("metric")["n"].max()
    found = table[table["control"].notna()].drop_duplicates(["curve", "metric"])
    named = [
        f"{row.curve} {row.value:.4g}" + ("" if row.n == n[row.metric] else f" (n = {row.n:,.0f})")
        for row in found.itertuples()
    ]
    return f"; references in grey: {', '.join(named)}" if named else ""


def _span(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _counted(number: str, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == "1" else "s")


def save(figure: Figure, table: pd.DataFrame, stem: str | Path) -> None:
    """Write stem.pdf, stem.png (200 dpi) and stem.csv, all of them whole or none.

    The same figure gives the same bytes: the files carry no date.
    """
    paths = {suffix: Path(f"{stem}.{suffix}") for suffix in ("pdf", "png", "csv")}
    with contextlib.ExitStack() as stack, style.context():
        part = {suffix: stack.enter_context(files.replacing(p)) for suffix, p in paths.items()}
        table.to_csv(part["csv"], index=False, lineterminator="\n")
        for kind in ("pdf", "png"):
            metadata = style.METADATA[kind]
            figure.savefig(part[kind], format=kind, dpi=style.PNG_DPI, metadata=metadata)
