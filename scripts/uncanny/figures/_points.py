"""The plotted table of figures of metric values: means with bands, and references."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from uncanny.evaluation import score_records, summaries
from uncanny.evaluation.contrasts import half_width
from uncanny.evaluation.jackknife import Jackknife
from uncanny.figures import panels as naming
from uncanny.figures import style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

LEFT_OUT = "not measured"  # status of references with fewer images than the metric needs
MIN_SHARE = 0.7  # smallest fraction of the y axis for the curves when references are included
COLUMNS = [
    *["panel", "panel_title", "curve", "control", "dataset", *CURVE],
    *["metric", "metric_label", "epoch", "images_seen", "value", "lower", "upper", "se"],
    *["n", "splits", "images_per_split", "extractor_id", "reference", "seeds", "draws"],
    *["levels", "runs", "diverged", "status", "behind", "unsplit"],
]


def requested(
    data: FigureData, metric: str, panels: list, behind: str | None = None
) -> pd.DataFrame:
    """One row per curve of every panel, in the order of the block.

    behind: a guidance with which each curve is repeated, with True in the column `behind`.
    """
    rows = [row for i, panel in enumerate(panels) for row in _panel_rows(data, metric, i, panel)]
    if not rows:
        raise ValueError("figure is empty: its panels name no curve")
    rows = pd.DataFrame(rows).assign(behind=False).drop_duplicates()
    if not behind:
        return rows
    grey = rows.assign(guidance=behind, behind=True)
    grey["curve"] = [data.curve_label(*names) for names in grey[CURVE].itertuples(index=False)]
    return pd.concat([rows, grey.drop_duplicates()], ignore_index=True)


def _panel_rows(data: FigureData, metric: str, index: int, panel: Mapping) -> list[dict]:
    metric = panel.get("metric", metric)
    shared = {"panel": naming.letter(index), "panel_title": panel.get("title", "")}
    shared |= {"metric": metric, "metric_label": data.metric_label(metric)}
    return [
        shared
        | {"curve": data.curve_label(*names), "series": series}
        | dict(zip(CURVE, names, strict=True))
        for series, *names in naming.curves_of(panel)
    ]


def measured(data: FigureData, rows: pd.DataFrame, panels: list, epochs: str) -> pd.DataFrame:
    """Summarise every requested curve, with bands; a curve without data has one row of status
    "missing".

    rows: from `requested`. epochs: "all" or "last", for panels without `epochs`. Raises ValueError
    if there is no value at all, and for rows that are not comparable.
    """
    is_diverged = data.table["status"] == "diverged"
    keys = [*CURVE, "metric"]
    scores = data.table[~is_diverged].merge(rows[keys].drop_duplicates(), on=keys)
    diverged = data.table[is_diverged].merge(rows[CURVE].drop_duplicates(), on=CURVE)
    if scores.empty:
        metrics = ", ".join(rows["metric"].unique())
        raise ValueError(f"figure is empty: no value of {metrics} for any of its curves")
    score_records.check_comparable(scores)
    summary = summaries.summarise(pd.concat([scores, diverged], ignore_index=True))
    plotted = _at_epochs(rows.merge(summary, on=keys, how="left"), panels, epochs)
    plotted["status"] = plotted["status"].fillna("missing")
    plotted["control"], plotted["unsplit"] = pd.Series(dtype=str), np.nan
    return plotted.reset_index(drop=True)


def _at_epochs(plotted: pd.DataFrame, panels: list, epochs: str) -> pd.DataFrame:
    """Rows at the epochs that each panel names; curves without data keep their row."""
    epochs_of = {naming.letter(i): panel.get("epochs") for i, panel in enumerate(panels)}
    last = plotted.groupby(["panel", *CURVE])["epoch"].transform("max")
    is_kept = [
        epoch in epochs_of[panel] if epochs_of[panel] else epochs == "all" or epoch == last_epoch
        for panel, epoch, last_epoch in zip(
            plotted["panel"], plotted["epoch"].fillna(-1), last.fillna(-1), strict=True
        )
    ]
    return plotted[np.array(is_kept, bool) | plotted["epoch"].isna().to_numpy()]


def scales(points: pd.DataFrame, metric: str, y_scale: str) -> dict[str, str]:
    """Metric → scale of its y axis: y_scale is that of the figure's metric, others are linear.

    Raises ValueError if a value cannot be shown on a logarithmic axis.
    """
    own = points[points["metric"] == metric]
    if y_scale == "log" and (own["value"] <= 0).any():
        worst = own.loc[own["value"].idxmin()]
        raise ValueError(
            f"y_scale is log, but {worst['metric']} of {worst['curve']} is {worst['value']:g} at "
            f"epoch {worst['epoch']}; expected values above 0"
        )
    return dict.fromkeys(points["metric"], "linear") | {metric: y_scale}


def with_references(
    data: FigureData, points: pd.DataFrame, y_scales: Mapping[str, str], *, shared: bool = True
) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """The plotted table of points and references, and the limits of its axes (`limits`);
    references outside of them have the status "off axis".
    """
    plotted = pd.concat([points, references(data, points)], ignore_index=True)
    ends = limits(plotted, y_scales, shared=shared)
    low, high = plotted["panel"].map(ends).str[0], plotted["panel"].map(ends).str[1]
    is_outside = plotted["control"].notna() & ((plotted["value"] < low) | (plotted["value"] > high))
    return plotted.assign(status=plotted["status"].mask(is_outside, "off axis")), ends


def references(data: FigureData, points: pd.DataFrame) -> pd.DataFrame:
    """One row per panel, dataset and reference; those with too few images have no value."""
    several = points["dataset"].nunique() > 1
    rows = []
    for (_, dataset), of_panel in points.groupby(["panel", "dataset"]):
        # Points that diverged do not say how they would have been measured
        point = of_panel.sort_values("value", key=pd.isna, kind="stable").iloc[0]
        for control, entry in data.references_of(dataset, point["metric"]).items():
            label = style.reference_style(control).label + (f" ({dataset})" if several else "")
            rows.append(_reference_row(point, control, label, *entry))
    table = pd.DataFrame(rows, columns=points.columns).assign(behind=False)
    return table.astype(points.dtypes)


def _reference_row(
    point: pd.Series, control: str, label: str, entry: Mapping, is_measured: bool
) -> dict:
    """Row of a reference. Raises ValueError if it was measured otherwise than the curves."""
    row = point[["panel", "panel_title", "dataset", "metric", "metric_label"]].to_dict()
    row |= {"curve": label, "control": control, "n": entry["n"]}
    if not is_measured:
        return row | {"status": f"{LEFT_OUT}, needs {entry['needs']} images"}
    origin = {"extractor_id": entry.get("extractor"), "reference": entry.get("reference")}
    for key, value in origin.items():
        own, of_curves = (None if pd.isna(name) else name for name in (value, point[key]))
        if own != of_curves and pd.notna(point["value"]):
            raise ValueError(
                f"reference {label}: {key} of {entry['metric']} is {own}; expected {of_curves}, as "
                "of the curves"
            )
    value, se = entry["value"], np.nan if entry.get("se") is None else entry["se"]
    half = half_width(se, score_records.freedom_of(entry))
    band = {"lower": value - half, "upper": value + half}
    row |= {key: entry.get(key) for key in ("splits", "images_per_split")} | origin
    return row | band | {"value": value, "se": se, "status": "ok", "unsplit": _unsplit(entry)}


def _unsplit(entry: Mapping) -> float:
    """A score in splits as it is of all images at once, less its bias; NaN for other metrics."""
    is_split = (entry.get("splits") or 1) > 1 and entry.get("jackknife")
    return Jackknife(**entry["jackknife"]).corrected if is_split else np.nan


def limits(
    plotted: pd.DataFrame, y_scales: Mapping[str, str], *, shared: bool = True
) -> dict[str, tuple[float, float]]:
    """Panel → limits of its y axis: they include all curves, and references as long as the curves
    keep MIN_SHARE of the axis. shared: panels of one metric have the same limits.
    """
    ends = {}
    for _, rows in plotted.groupby("metric" if shared else "panel"):
        ends |= dict.fromkeys(rows["panel"], _limits(rows, y_scales[rows["metric"].iloc[0]]))
    return ends


def _limits(plotted: pd.DataFrame, y_scale: str) -> tuple[float, float]:
    forward, back = (np.log10, lambda v: 10.0**v) if y_scale == "log" else (float, float)
    is_curve = plotted["control"].isna()
    extremes = plotted.loc[is_curve, ["value", "lower", "upper"]].stack().dropna()
    levels = plotted.loc[~is_curve, "value"].dropna()
    if y_scale == "log":
        extremes, levels = extremes[extremes > 0], levels[levels > 0]
    if extremes.empty:
        return 0.1, 1.0
    low, high = forward(extremes.min()), forward(extremes.max())
    span = (high - low) or 0.1 * abs(high) or 1.0
    reach = [forward(value) for value in levels]
    for value in sorted(reach, key=lambda v: max(low - v, v - high)):
        if span >= MIN_SHARE * (max(high, value) - min(low, value)):
            low, high = min(low, value), max(high, value)
    pad = 0.05 * ((high - low) or span)
    return back(low - pad), back(high + pad)


def notes(plotted: pd.DataFrame) -> str:
    """Note on what is not plotted: diverged curves with their epochs, curves without data,
    references with too few images; "" if nothing.
    """
    points = plotted[plotted["control"].isna()].drop_duplicates([*CURVE, "epoch"])
    lists = {"diverged": [], "no data": [], LEFT_OUT: []}
    for curve, rows in points.groupby("curve", sort=False):
        if (rows["status"] == "missing").any():
            lists["no data"].append(curve)
        elif (rows["diverged"] > 0).any():
            lists["diverged"].append(f"{curve} {_diverged_epochs(rows)}")
    missing = plotted[plotted["control"].notna() & plotted["value"].isna()]
    for row in missing.drop_duplicates(["curve", "metric"]).itertuples():
        reason = row.status.removeprefix(f"{LEFT_OUT}, ")
        lists[LEFT_OUT].append(f"{row.metric_label} of {row.curve} (n = {row.n:,.0f}, {reason})")
    return "; ".join(f"{head}: {', '.join(items)}" for head, items in lists.items() if items)


def _diverged_epochs(rows: pd.DataFrame) -> str:
    """ "from epoch 40", or "at epoch 20, 40" if later epochs did not diverge."""
    is_bad = rows["diverged"] > 0
    bad, is_tail = rows[is_bad], is_bad.iloc[is_bad.argmax() :].all()
    epochs = [str(int(epoch)) for epoch in bad["epoch"]]
    runs = f" ({bad['diverged'].max():g} of {bad['runs'].max():g} runs)"
    suffix = runs if (bad["status"] == "partial").any() else ""
    return (f"from epoch {epochs[0]}" if is_tail else f"at epoch {', '.join(epochs)}") + suffix
