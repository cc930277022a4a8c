"""Whether curves still rise: their gain over the last part of the training, with its interval."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.evaluation import contrasts, late_gain
from uncanny.figures import _lines, _page, _points, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE
from uncanny.registry.option_types import Positive

NEEDS = "scores"
EPOCHS = "all"
RUNS = "all"

NOISE = "gaussian"  # the reference from which a falling metric descends
NAMES = ["panel", "panel_title", "curve", *CURVE, "metric", "metric_label"]
COLUMNS = [
    *[*NAMES, "value", "lower", "upper", "first", "last", "points", "seeds", "margin"],
    *["n", "extractor_id", "diverged", "status"],
]


def plateau(
    data: FigureData,
    panels: list,
    *,
    metric: str,
    increasing: bool = True,
    margin: Positive = 5.0,
) -> tuple[Figure, pd.DataFrame]:
    """Gain of each curve in a third of the training, from its slope over the last 40 %.

    A panel is {models, samplers, guidances = ["none"], epochs = all, title, metric = the figure's}.
    A curve is a row with a point and a 95 % interval, in per cent of its late mean, for a falling
    metric (increasing: false) of its descent from noise. Values are those of all images at once,
    less their small-sample bias (score_records). Curves with fewer than two late epochs have no
    point. margin: per cent within which the interval of a settled curve lies.

    Raises ValueError if no curve has a value, and for rows that are not comparable.
    """
    points = _points.measured(data, _points.requested(data, metric, panels), panels, EPOCHS)
    groups = points.groupby(["panel", *CURVE], sort=False)
    rows = [_row(data, of_curve, increasing, margin) for _, of_curve in groups]
    plotted = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(["value", *_ENDS], float))
    looks = _lines.with_looks(plotted, data)
    with style.context():
        height = 0.85 + 0.2 * plotted.groupby("panel").size().max()
        figure, axes = _page.canvas(len(panels), height=height)
        figure.get_layout_engine().set(wspace=0.06)  # words at the right, names at the left
        for ax, (letter, own) in zip(axes, looks.groupby("panel"), strict=True):
            _draw(ax, own, plotted, data)
            _page.set_panel_title(ax, letter if len(axes) > 1 else "", own["panel_title"].iloc[0])
        _page.finish(figure, [], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


_ENDS = ["lower", "upper"]


def _row(data: FigureData, points: pd.DataFrame, increasing: bool, margin: float) -> dict:
    """The gain of one curve."""
    row = points[NAMES].iloc[0].to_dict() | {"diverged": points["diverged"].fillna(0).max()}
    measured = points.dropna(subset="value")
    if measured.empty:
        return row | {"status": "diverged" if row["diverged"] else "missing"}
    is_curve = (data.table[[*CURVE, "metric"]] == [row[k] for k in (*CURVE, "metric")]).all(axis=1)
    table = data.table[is_curve & data.table["epoch"].isin(measured["epoch"])]
    runs = table.groupby("epoch")["train_seed"].nunique()
    epochs = runs.index[runs == runs.max()].to_numpy(float)
    row |= {"last": epochs.max(), "seeds": runs.max(), "margin": margin}
    row |= {key: measured[key].iloc[0] for key in ("n", "extractor_id")}
    try:
        weights = pd.Series(late_gain.weights(epochs), epochs)
    except ValueError:
        return row | {"points": 1, "status": "too few epochs"}
    late = epochs[late_gain.is_late(epochs, epochs.max())]
    noise = 0.0 if increasing else _noise(data, points)
    seeds = [_gain(rows, weights, late, noise) for _, rows in table.groupby("train_seed")]
    gain, lower, upper = _interval(seeds)
    row |= {"first": late[0], "points": len(late), "value": gain, "lower": lower, "upper": upper}
    known = np.isfinite(lower)
    return row | {"status": late_gain.trend(gain, lower, upper, margin) if known else "no error"}


def _noise(data: FigureData, points: pd.DataFrame) -> float | None:
    """The value of noise, from which a falling metric descends; None if it is not known."""
    references = data.references_of(points["dataset"].iloc[0], points["metric"].iloc[0])
    entry, is_measured = references.get(NOISE, ({}, False))
    return entry["value"] if is_measured else None


def _gain(
    rows: pd.DataFrame, weights: pd.Series, late: np.ndarray, noise: float | None
) -> contrasts.Contrast | float:
    """Gain of one training seed in per cent of the distance from noise to the late mean; without
    its error if a record has no values without groups of images.

    weights: by epoch. noise: 0 for a metric that rises; None, not known: the late mean itself.
    """
    rows = rows[rows["epoch"].isin(late)]
    draws = rows.groupby("epoch")["value"].transform("size").to_numpy(float)
    share = rows["epoch"].astype(float).map(weights).to_numpy() / draws
    mean = 1 / (len(late) * draws)

    def percent(values: np.ndarray) -> np.ndarray:
        late_mean = mean @ values
        distance = -late_mean if noise is None else late_mean - noise
        return 100 * (share @ values) / distance

    if rows["score"].isna().any():
        return float(percent(rows["value"].to_numpy(float)))
    return contrasts.contrast(percent, list(rows["score"]), share)


def _interval(seeds: list) -> tuple[float, float, float]:
    """Mean gain over training seeds and its 95 % interval: of several seeds Student's t of their
    gains, which holds their training and their images; of one that of its images alone.
    """
    gains = np.array([getattr(seed, "value", seed) for seed in seeds])
    gain = contrasts.repeated(gains) if len(seeds) > 1 else seeds[0]
    if isinstance(gain, float) or gain.by_construction:
        return gains.mean(), np.nan, np.nan
    return gain.value, *gain.interval()


def _draw(ax: Axes, rows: pd.DataFrame, plotted: pd.DataFrame, data: FigureData) -> None:
    """Draw one row per curve, the first on top."""
    margin = plotted["margin"].max()
    ax.axvspan(-margin, margin, color="0.93", lw=0, zorder=0)
    ax.axvline(0, color="0.5", lw=0.7, zorder=1)
    several = plotted.duplicated(["panel", "model"]).any()
    names = rows["curve"] if several else [data.label("models", model) for model in rows["model"]]
    _lines.draw_rows(ax, rows, names)
    for y, status in enumerate(rows["status"]):
        look = {"transform": ax.get_yaxis_transform(), "size": 6.5, "va": "center"}
        ax.text(1.03, y, status, color="0.35", **look)
    low = np.nanmin([plotted["lower"].min(), plotted["value"].min(), -1.4 * margin])
    high = np.nanmax([plotted["upper"].max(), plotted["value"].max(), 1.4 * margin])
    pad = 0.05 * (high - low)
    ax.set(xlim=(low - pad, high + pad), xlabel="Gain in a third of the training (%)")


def _notes(plotted: pd.DataFrame) -> str:
    diverged = plotted.loc[plotted["diverged"] > 0, "curve"]
    return "diverged at some epoch: " + ", ".join(diverged) if len(diverged) else ""


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences: definition, words, uncertainty, points; also from the CSV."""
    measured = table.dropna(subset="n")
    seeds, margin = measured["seeds"].max(), measured["margin"].max()
    error = (
        f"Student's t over {seeds:.0f} training seeds"
        if seeds > 1
        else "jackknife over groups of images, which are left out at all epochs at once, as these "
        "share their latents; without the spread between trainings"
    )
    sentences = [
        f"Gain in {captions.joined(table['metric_label'])}, of all images at once less the "
        "bias of small sets: the least-squares slope over the epochs after "
        f"{late_gain.LATE:.0%} of the training, times a third of the training, in % of the mean "
        "of these epochs (of the descent from noise for a metric that falls)",
        f"Bars are 95 % intervals ({error}); rising, falling: the interval excludes 0 and the gain "
        f"is at least {late_gain.LEAST:g} %; settled: the interval lies within ±{margin:g} % "
        "(grey); open: neither",
        f"n = {captions.span(measured['n'])} images per sampling seed, "
        f"{captions.span(measured['points'])} late epochs, "
        f"extractor {captions.extractors(measured)}",
    ]
    return captions.with_note(sentences, _notes(table))
