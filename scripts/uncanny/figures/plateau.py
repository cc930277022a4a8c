"""Whether curves still rise: their gain over the last part of the training, with its interval."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from uncanny.evaluation import score_records
from uncanny.figures import _lines, _page, _points, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "scores"
EPOCHS = "all"
RUNS = "all"

LATE = 0.6  # share of the training after which epochs count
STEP = 1 / 3  # share of the training over which the gain is reckoned
LEAST, MARGIN = 1.0, 5.0  # per cent: of a curve that rises or falls, and of one that is settled
NOISE = "gaussian"  # the reference from which a falling metric descends
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "metric", "metric_label", "value", "lower", "upper"],
    *["first", "last", "points", "seeds", "base", "n", "extractor_id", "diverged", "status"],
]


def plateau(
    data: FigureData, panels: list, *, metric: str, increasing: bool = True
) -> tuple[Figure, pd.DataFrame]:
    """Gain of each curve in a third of the training, from its slope over the last 40 %.

    A panel is {models, samplers, guidances = ["none"], epochs = all, title, metric = the figure's}.
    A curve is a row with a point and a 95 % interval, in per cent of its late mean, for a falling
    metric (increasing: false) of its descent from noise. Curves with fewer than two late epochs
    have no point.

    Raises ValueError if no curve has a value, and for rows that are not comparable.
    """
    points = _points.measured(data, _points.requested(data, metric, panels), panels, EPOCHS)
    groups = points.groupby(["panel", *CURVE], sort=False)
    plotted = pd.DataFrame(
        [_row(data, rows, increasing) for _, rows in groups], columns=COLUMNS
    ).astype({"value": float, "lower": float, "upper": float})
    looks = _lines.with_looks(plotted, data, ["sampler", "guidance"], lambda row: "")
    with style.context():
        rows = plotted.groupby("panel").size().max()
        figure, axes = _page.canvas(len(panels), height=0.85 + 0.2 * rows)
        for ax, (letter, own) in zip(axes, looks.groupby("panel"), strict=True):
            _draw(ax, own, plotted, data)
            _page.set_panel_title(ax, letter if len(axes) > 1 else "", own["panel_title"].iloc[0])
        _page.finish(figure, [], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


def _row(data: FigureData, points: pd.DataFrame, increasing: bool) -> dict:
    """The gain of one curve."""
    names = ["panel", "panel_title", "curve", *CURVE, "metric", "metric_label"]
    row = points[names].iloc[0].to_dict() | {"diverged": points["diverged"].fillna(0).max()}
    measured = points.dropna(subset="value")
    if measured.empty:
        return row | {"status": "diverged" if row["diverged"] else "missing"}
    row |= {key: measured[key].iloc[0] for key in ("n", "extractor_id")}
    last = measured["epoch"].max()
    epochs, values, se = _seeds(data, measured[measured["epoch"] >= LATE * last], row)
    row |= {"last": last, "points": len(epochs), "seeds": len(values)}
    if len(epochs) < 2:
        return row | {"status": "too few epochs"}
    base = _base(data, measured, values.mean(), increasing)
    gain, half = _gain(epochs, values, se, last)
    sign = 100.0 if increasing else -100.0
    gain, half = sign * gain / base, 100 * half / base
    row |= {"first": epochs[0], "base": base, "value": gain}
    return row | {"lower": gain - half, "upper": gain + half, "status": _status(gain, half)}


def _seeds(data: FigureData, late: pd.DataFrame, names: dict) -> tuple:
    """Epochs [m], and values and standard errors [R, m] by training seed, averaged over sampling
    seeds, at the epochs that all seeds have.
    """
    keys = [*CURVE, "metric"]
    is_curve = (data.table[keys] == [names[key] for key in keys]).all(axis=1)
    table = data.table[is_curve & data.table["epoch"].isin(late["epoch"])]
    seeds = [score_records.summarise(rows) for _, rows in table.groupby("train_seed")]
    curves = [rows.set_index("epoch")[["value", "se"]] for rows in seeds]
    both = pd.concat(curves, axis=1, keys=range(len(curves))).sort_index()
    values, se = (both.xs(key, axis=1, level=1).to_numpy(float).T for key in ("value", "se"))
    complete = np.isfinite(values).all(axis=0)
    return both.index.to_numpy(float)[complete], values[:, complete], se[:, complete]


def _gain(epochs: np.ndarray, values: np.ndarray, se: np.ndarray, last: float) -> tuple:
    """Gain over STEP of the training, and half its 95 % interval.

    The least-squares slope is sum w v with w = (e - mean e) / sum (e - mean e)^2. Several training
    seeds: Student's t of their slopes; one: standard errors of the evaluation, as if epochs, which
    share latents, were independent.
    """
    centred = epochs - epochs.mean()
    weights = STEP * last * centred / (centred**2).sum()
    gains = values @ weights
    if len(gains) == 1:
        return gains[0], captions.HALF_BAND * np.sqrt(((weights * se[0]) ** 2).sum())
    quantile = stats.t.ppf(0.975, len(gains) - 1)
    return gains.mean(), quantile * gains.std(ddof=1) / np.sqrt(len(gains))


def _base(data: FigureData, points: pd.DataFrame, late: float, increasing: bool) -> float:
    """What a gain is a share of: the late mean, or the descent to it from noise."""
    references = data.references_of(points["dataset"].iloc[0], points["metric"].iloc[0])
    entry, is_measured = references.get(NOISE, ({}, False))
    return abs(late) if increasing or not is_measured else abs(entry["value"] - late)


def _status(gain: float, half: float) -> str:
    if not np.isfinite(half):
        return "no error"
    if abs(gain) > half and abs(gain) >= LEAST:
        return "rising" if gain > 0 else "falling"
    return "settled" if abs(gain) + half <= MARGIN else "open"


def _draw(ax: Axes, rows: pd.DataFrame, plotted: pd.DataFrame, data: FigureData) -> None:
    """Draw one row per curve, the first on top."""
    ax.axvspan(-MARGIN, MARGIN, color="0.93", lw=0, zorder=0)
    ax.axvline(0, color="0.5", lw=0.7, zorder=1)
    rows = rows.reset_index(drop=True)
    for y, row in rows.iterrows():
        if np.isfinite(row["value"]):
            half = row["upper"] - row["value"]
            look = {"color": row["color"], "marker": row["marker"], "label": row["curve"]}
            ax.errorbar([row["value"]], [y], xerr=[half], ms=4, lw=1.1, **look)
        ax.text(1.03, y, row["status"], transform=ax.get_yaxis_transform(), **_TEXT)
    several = plotted["model"].groupby(plotted["panel"]).apply(lambda m: m.duplicated().any()).any()
    names = rows["curve"] if several else [data.label("models", model) for model in rows["model"]]
    ends = plotted[["lower", "upper", "value"]].abs().max().max()
    end = 1.1 * max(ends if np.isfinite(ends) else 0, 1.4 * MARGIN)
    ax.set(xlim=(-end, end), ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)))
    ax.set_yticklabels(names)
    ax.set_xlabel("Gain in a third of the training (%)")
    ax.grid(axis="y", visible=False)


_TEXT = {"size": 6.5, "va": "center", "color": "0.35"}


def _notes(plotted: pd.DataFrame) -> str:
    diverged = plotted.loc[plotted["diverged"] > 0, "curve"]
    return "diverged at some epoch: " + ", ".join(diverged) if len(diverged) else ""


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences: what is reckoned, words, uncertainty, points; also from the CSV."""
    measured = table.dropna(subset="n")
    seeds = measured["seeds"].max()
    error = f"Student's t over {seeds:.0f} training seeds"
    if seeds < 2:
        error = (
            "from standard errors of the evaluation, as if epochs, which share latents, were "
            "independent; without the spread between trainings"
        )
    sentences = [
        f"Gain in {' and '.join(table['metric_label'].unique())}: the least-squares slope over the "
        f"epochs after {LATE:.0%} of the training, times a third of the training, in % of the mean "
        "of these epochs (of the descent from noise for a metric that falls)",
        f"Bars are 95 % intervals ({error}); rising, falling: the interval excludes 0 and the gain "
        f"is at least {LEAST:g} %; settled: the interval lies within ±{MARGIN:g} % (grey); open: "
        "neither",
        f"n = {captions.span(measured['n'])} images per sampling seed, "
        f"{captions.span(measured['points'])} late epochs, "
        f"extractor {captions.extractors(measured)}",
    ]
    return captions.with_note(sentences, _notes(table))
