"""Metric against the number of images, extrapolated to infinitely many."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uncanny.evaluation import sample_size as size_limit
from uncanny.evaluation import score_records, summaries
from uncanny.figures import _lines, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "sizes"
EPOCHS = "last"
RUNS = "all"

INFINITY = 0.16  # position of infinitely many images beyond the largest n, fraction of the axis
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "epoch", "metric", "metric_label", "role"],
    *["n", "value", "lower", "upper", "se", "coefficient", "misfit", "splits"],
    *["images_per_split", "extractor_id", "reference", "seeds", "draws", "levels", "runs"],
    *["diverged", "status"],
]
POINT, FIT, SPREAD, GUIDE = "mean", "fit", "spread", "guide"
GUIDE_DASH = (0, (4, 2))
LEFT_OUT = "left out"  # role of a size with fewer images than the metric needs


def sample_size(
    data: FigureData, panels: list, *, metric: str, one_split: str | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Two axes per panel: a metric against the number of images n, and its spread.

    A panel is {models, samplers, guidances = ["none"], epochs = the last one, title}. Left: means
    with bands, the fit limit + coefficient / n (sample_size.size_limit), and its limit with a 95 %
    interval at infinity; one_split: the same metric measured without splits, also shown. Right: the
    standard deviation between splits (or the standard error, for a metric without splits) and a
    line falling as n^(-1/2). Fewer than four sizes are not fitted.

    Raises ValueError if there is nothing to plot, and for sizes that were measured differently.
    """
    tables = [
        _panel(data, panel, index, [name for name in (metric, one_split) if name])
        for index, panel in enumerate(panels)
    ]
    plotted = pd.concat(tables, ignore_index=True)[COLUMNS]
    if not plotted["value"].notna().any():
        raise ValueError(f"figure is empty: no value of {metric} for any of its curves")
    with style.context():
        figure, axes = _page.canvas(2 * len(panels))
        looks = _lines.with_looks(plotted, data, ("metric",))
        for ax, (letter, rows) in zip(axes, looks.groupby("panel"), strict=True):
            _draw(ax, rows, metric)
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        lines = [Line2D([], [], color="0.25", lw=0.9, label="fit: limit + c / n")]
        lines.append(Line2D([], [], color="0.5", lw=0.8, ls=GUIDE_DASH, label="falling as 1/√n"))
        _page.finish(figure, [*_lines.legends(looks), lines], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


# ---- Plotted table --------------------------------------------------------------------------


def _panel(data: FigureData, panel: dict, index: int, metrics: list[str]) -> pd.DataFrame:
    """Rows of both axes of a panel; a curve without records has one row of status "missing"."""
    tables = []
    for _, *names in naming.curves_of(panel):
        curve = dict(zip(CURVE, names, strict=True))
        records = [r for r in data.sizes if curve.items() <= r["cell"].items()]
        last = max((record["cell"]["epoch"] for record in records), default=None)
        for metric, epoch in itertools.product(metrics, panel.get("epochs") or [last]):
            own = [record for record in records if record["cell"]["epoch"] == epoch]
            table = _curve(own, metric, with_spread=metric == metrics[0])
            shared = {"epoch": epoch, "curve": data.curve_label(*names), "metric": metric}
            tables.append(table.assign(**curve, **shared))
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    table["metric_label"] = table["metric"].map(data.metric_label)
    is_right = table["role"].isin([SPREAD, GUIDE])
    left, right = (naming.letter(2 * index + side) for side in (0, 1))
    return table.assign(panel=np.where(is_right, right, left), panel_title=panel.get("title", ""))


def _curve(records: list[dict], metric: str, *, with_spread: bool) -> pd.DataFrame:
    """Means, fit and spread of one metric of one curve at one epoch."""
    points = _points(records, metric)
    parts = [points, _left_out(records, metric)]
    if "value" in points:
        parts += [_fit(points)] if len(points) >= 4 else []
        parts += _spread(points) if with_spread else []
    diverged = sum(record["status"] == "diverged" for record in records)
    return pd.concat(parts, ignore_index=True).assign(diverged=diverged)


def _points(records: list[dict], metric: str) -> pd.DataFrame:
    """Mean, band and spread over the records of each size."""
    by_size = {}
    for record in records:
        for size in record["sizes"]:
            entries = [entry for entry in size["metrics"] if entry["metric"] == metric]
            by_size.setdefault(size["n"], []).extend(record | {"metrics": [e]} for e in entries)
    tables = []
    for _, scored in sorted(pair for pair in by_size.items() if pair[1]):
        table = score_records.tidy(scored)
        score_records.check_comparable(table)
        spread = np.mean([_spread_of(record["metrics"][0]) for record in scored])
        tables.append(summaries.summarise(table).assign(spread=spread))
    if not tables:
        status = "diverged" if any(r["status"] == "diverged" for r in records) else "missing"
        return pd.DataFrame([{"role": POINT, "status": status}])
    points = pd.concat(tables, ignore_index=True)
    return points.assign(role=POINT)


def _spread_of(entry: dict) -> float:
    """Standard deviation between splits, or standard error of a metric without splits."""
    between = (entry.get("details") or {}).get("std") if entry.get("splits") else None
    return (entry.get("se") if between is None else between) or np.nan


def _left_out(records: list[dict], metric: str) -> pd.DataFrame:
    """One row for each size with too few images for the metric."""
    left_out = [e for r in records for size in r["sizes"] for e in size.get("left_out", [])]
    needs = {entry["n"]: entry["needs"] for entry in left_out if entry["metric"] == metric}
    rows = [{"n": n, "status": f"needs {images} images"} for n, images in needs.items()]
    return pd.DataFrame(rows, columns=["n", "status"]).assign(role=LEFT_OUT)


def _fit(points: pd.DataFrame) -> pd.DataFrame:
    """One row: limit, its interval and the coefficient of 1/n."""
    se = points["se"].to_numpy(float)
    has_errors = np.isfinite(se).all() and (se > 0).all()
    fit = size_limit.size_limit(points["n"], points["value"], se if has_errors else None)
    lower, upper = np.quantile(fit.replicates()[:, 0], [0.025, 0.975])
    row = {"role": FIT, "value": fit.limit, "lower": lower, "upper": upper, "status": "ok"}
    return pd.DataFrame([row | {"coefficient": fit.coefficient, "misfit": fit.misfit}])


def _spread(points: pd.DataFrame) -> list[pd.DataFrame]:
    """The spread of each size, and the line that falls as n^(-1/2) through their middle."""
    spread = points[["n", "splits"]].assign(role=SPREAD, value=points["spread"], status="ok")
    logs = np.log(spread["value"]) + 0.5 * np.log(spread["n"].astype(float))
    if logs.isna().all():
        return [spread]
    guide = {"role": GUIDE, "coefficient": np.exp(logs.mean()), "status": "ok"}
    return [spread, pd.DataFrame([guide])]


# ---- Artists --------------------------------------------------------------------------------


def _draw(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    sizes = table.loc[table["role"] != LEFT_OUT, "n"].dropna()
    ax.set(xscale="log", xlabel="Number of images")
    if sizes.empty:
        return
    low, high = sizes.min(), sizes.max()
    points = table[table["role"].isin([POINT, SPREAD])]
    _lines.draw_curves(ax, points, "n", errors="bar", width=0)
    if table["role"].isin([SPREAD, GUIDE]).any():
        for guide in table[table["role"] == GUIDE].itertuples():
            ends = np.array([low, high])
            falling = guide.coefficient / np.sqrt(ends)
            ax.plot(ends, falling, color="0.5", lw=0.8, ls=GUIDE_DASH, zorder=1.9)
        label = "Std. between splits" if table["splits"].notna().any() else "Standard error"
        ax.set(ylabel=label, xlim=(low / 1.15, high * 1.15))
        _lines.set_log_y(ax, table)
        _lines.number_ticks(ax, sizes)
        return
    end = high * (high / low) ** INFINITY
    fits = table[table["role"] == FIT]
    for index, (_, fit) in enumerate(fits.iterrows()):
        _draw_fit(ax, fit, (low, high), end * 1.13**index)
    label = table.loc[table["metric"] == metric, "metric_label"].iloc[0]
    ax.set(ylabel=label, xlim=(low / 1.15, end * 1.4))
    _lines.number_ticks(ax, sizes, {end: "∞"} if len(fits) else None)


def _draw_fit(ax: Axes, fit: pd.Series, ends: tuple[float, float], infinity: float) -> None:
    """Draw the fit as a thin line, and its limit with an interval at infinity."""
    n = np.geomspace(*ends, 100)
    line = {"color": fit["color"], "ls": fit["linestyle"], "lw": 0.9}
    ax.plot(n, fit["value"] + fit["coefficient"] / n, label=f"{fit['curve']} fit", **line)
    bar = [[fit["value"] - fit["lower"]], [fit["upper"] - fit["value"]]]
    look = _lines.artist(fit) | {"ls": "", "lw": 0.9, "capsize": 2}
    ax.errorbar([infinity], [fit["value"]], bar, **look)


# ---- Caption --------------------------------------------------------------------------------


def _notes(plotted: pd.DataFrame) -> str:
    missing = plotted[(plotted["role"] == POINT) & plotted["value"].isna()].drop_duplicates("curve")
    texts = [f"{row.status}: {row.curve}" for row in missing.itertuples()]
    too_small = plotted[plotted["role"] == LEFT_OUT].drop_duplicates(["metric", "n"])
    for (label, reason), rows in too_small.groupby(["metric_label", "status"], sort=False):
        sizes = ", ".join(f"{n:,.0f}" for n in sorted(rows["n"]))
        texts.append(f"not measured: {label} of n = {sizes} ({reason})")
    return "; ".join(texts)


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the sizes and on the fits; also from the CSV."""
    points = table[(table["role"] == POINT) & table["value"].notna()]
    sizes = captions.span(points["n"])
    splits = points["splits"].dropna().unique()
    split = f" in {' and '.join(f'{s:.0f}' for s in splits)} splits" if len(splits) else ""
    sentences = [
        f"{captions.joined(points['metric_label'])} of n = {sizes} images{split}, epoch "
        f"{captions.span(points['epoch'])}, extractor {captions.extractors(points)}; each set "
        "contains the smaller ones, so errors of neighbouring points are correlated",
        captions.bands(points, "bars"),
        "Points are measured; the lines are fits, limit + c / n, with the limit and its 95 % "
        "interval at ∞: a bias of c / n follows from the definition of the metric. At the right, "
        "the spread and a line that falls as 1/√n",
    ]
    fits = table[table["role"] == FIT]
    sentences += [_fit_text(row, points["n"].max()) for row in fits.itertuples()]
    return captions.with_note(sentences, _notes(table))


def _fit_text(row, largest: float) -> str:
    off = row.coefficient / largest / row.value
    return (
        f"Fit of {row.metric_label}, {row.curve}: {row.value:.4g} (95 % interval {row.lower:.4g} "
        f"to {row.upper:.4g}) for infinitely many images; n images deviate by "
        f"{row.coefficient:+.3g}/n, which is {off:+.1%} at n = {largest:,.0f}"
    )
