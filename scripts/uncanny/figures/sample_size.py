"""Metric against the number of images, extrapolated to infinitely many."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uncanny.evaluation import sample_size as size_limit
from uncanny.evaluation import score_records
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
        looks = _looks(plotted, data)
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
    for _, model, sampler, guidance in naming.curves_of(panel):
        curve = dict(zip(CURVE, (model, sampler, guidance), strict=True))
        names = curve | {"curve": data.curve_label(model, sampler, guidance)}
        records = _records(data, curve, panel.get("epochs"))
        if not records:
            missing = {"role": POINT, "status": "missing", "diverged": 0, "metric": metrics[0]}
            tables.append(pd.DataFrame([missing | names], columns=COLUMNS))
        for metric in metrics:
            for epoch in sorted({record["cell"]["epoch"] for record in records}):
                selected = [record for record in records if record["cell"]["epoch"] == epoch]
                tables.append(_curve(selected, metric, metric == metrics[0]).assign(**names))
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    table["metric_label"] = table["metric"].map(data.metric_label)
    is_right = table["role"].isin([SPREAD, GUIDE])
    left, right = (naming.letter(2 * index + side) for side in (0, 1))
    return table.assign(panel=np.where(is_right, right, left), panel_title=panel.get("title", ""))


def _records(data: FigureData, curve: dict, epochs: list[int] | None) -> list[dict]:
    """Records of a curve at `epochs`, or at its last epoch."""
    records = [r for r in data.sizes if all(r["cell"][k] == name for k, name in curve.items())]
    last = max((record["cell"]["epoch"] for record in records), default=None)
    return [record for record in records if record["cell"]["epoch"] in (epochs or [last])]


def _curve(records: list[dict], metric: str, with_spread: bool) -> pd.DataFrame:
    """Means, fit and spread of one metric of one curve at one epoch."""
    points = _points(records, metric)
    tables = [points, _fit(points), _left_out(records, metric)]
    if with_spread:
        tables += _spread(records, metric, points)
    epoch, diverged = records[0]["cell"]["epoch"], sum(r["status"] == "diverged" for r in records)
    table = pd.concat(tables, ignore_index=True)
    return table.assign(metric=metric, epoch=epoch, diverged=diverged)


def _points(records: list[dict], metric: str) -> pd.DataFrame:
    """Mean and band over the records of each size."""
    ok = [record for record in records if record["status"] == "ok"]
    sizes = sorted({size["n"] for record in ok for size in record["sizes"]})
    tables = []
    for n in sizes:
        table = score_records.tidy([record | {"metrics": _entries(record, n)} for record in ok])
        table = table[table["metric"] == metric]
        score_records.check_comparable(table)
        tables.append(score_records.summarise(table))
    if not tables or all(table.empty for table in tables):
        return pd.DataFrame([{"role": POINT, "status": "diverged" if not ok else "missing"}])
    points = pd.concat(tables, ignore_index=True)
    half = captions.HALF_BAND * points["se"]
    return points.assign(lower=points["value"] - half, upper=points["value"] + half, role=POINT)


def _left_out(records: list[dict], metric: str) -> pd.DataFrame:
    """One row for each size with too few images for the metric."""
    required = {
        entry["n"]: entry["needs"]
        for record in records
        for size in record["sizes"]
        for entry in size.get("left_out", [])
        if entry["metric"] == metric
    }
    rows = [
        {"role": LEFT_OUT, "n": n, "status": f"needs {images} images"}
        for n, images in required.items()
    ]
    return pd.DataFrame(rows, columns=["role", "n", "status"])


def _entries(record: dict, n: int) -> list[dict]:
    return [entry for size in record["sizes"] if size["n"] == n for entry in size["metrics"]]


def _fit(points: pd.DataFrame) -> pd.DataFrame:
    """One row: limit, its interval and the coefficient of 1/n; no row for fewer than four sizes."""
    if "value" not in points or len(points) < 4:
        return pd.DataFrame([], columns=["role"])
    se = points["se"].to_numpy(float)
    has_errors = np.isfinite(se).all() and (se > 0).all()
    fit = size_limit.size_limit(points["n"], points["value"], se if has_errors else None)
    lower, upper = np.quantile(fit.replicates()[:, 0], [0.025, 0.975])
    row = {"role": FIT, "value": fit.limit, "lower": lower, "upper": upper, "status": "ok"}
    return pd.DataFrame([row | {"coefficient": fit.coefficient, "misfit": fit.misfit}])


def _spread(records: list[dict], metric: str, points: pd.DataFrame) -> list[pd.DataFrame]:
    """Standard deviation between splits (or standard error) of each size, and the guide line."""
    if "value" not in points:
        return []
    spreads = {}
    for record in records:
        for size in record["sizes"]:
            for entry in size["metrics"]:
                spread = (entry.get("details") or {}).get("std") if entry.get("splits") else None
                spread = entry.get("se") if spread is None else spread
                if entry["metric"] == metric and spread:
                    spreads.setdefault(size["n"], []).append(spread)
    table = points[["n", "splits"]].assign(role=SPREAD, status="ok")
    table["value"] = [float(np.mean(spreads[n])) if n in spreads else np.nan for n in table["n"]]
    measured = table.dropna(subset="value")
    if measured.empty:
        return [table]
    scale = np.exp(np.mean(np.log(measured["value"]) + 0.5 * np.log(measured["n"].astype(float))))
    return [table, pd.DataFrame([{"role": GUIDE, "coefficient": scale, "status": "ok"}])]


# ---- Artists --------------------------------------------------------------------------------


def _looks(plotted: pd.DataFrame, data: FigureData) -> pd.DataFrame:
    """The table with LOOK; the metric of one split has a hollow marker."""
    looks = _lines.with_looks(
        plotted, data, ["metric"], lambda row: data.label("metrics", row["metric"])
    )
    return looks.astype(dict.fromkeys(["n", "value", "lower", "upper"], float))


def _draw(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    sizes = table.loc[table["role"] != LEFT_OUT, "n"].dropna()
    ax.set(xscale="log", xlabel="Number of images")
    if sizes.empty:
        return
    end = sizes.max() * (sizes.max() / sizes.min()) ** INFINITY
    points = table[table["role"].isin([POINT, SPREAD])]
    _lines.draw_curves(ax, points, "n", errors="bar", width=0)
    is_left = table["role"].isin([POINT, FIT]).any()
    for index, fit in enumerate(table[table["role"] == FIT].itertuples()):
        _draw_fit(ax, fit, sizes, end * 1.13**index)
    for guide in table[table["role"] == GUIDE].itertuples():
        n = np.array([sizes.min(), sizes.max()])
        ax.plot(n, guide.coefficient / np.sqrt(n), color="0.5", lw=0.8, ls=GUIDE_DASH, zorder=1.9)
    ax.set(xscale="log", xlabel="Number of images")
    spread_label = "Std. between splits" if table["splits"].notna().any() else "Standard error"
    label = table.loc[table["metric"] == metric, "metric_label"].iloc[0]
    ax.set_ylabel(label if is_left else spread_label)
    if not is_left:
        low, high = table["value"].min(), table["value"].max()
        _lines.set_y(ax, (low / 1.3, high * 1.3), "log")
    ax.set_xlim(sizes.min() / 1.15, end * 1.4 if is_left else sizes.max() * 1.15)
    _lines.number_ticks(ax, sizes, {end: "∞"} if (table["role"] == FIT).any() else None)


def _draw_fit(ax: Axes, fit, sizes: pd.Series, end: float) -> None:
    """Draw the fit as a thin line, and its limit with an interval at infinity."""
    n = np.geomspace(sizes.min(), sizes.max(), 100)
    values = fit.value + fit.coefficient / n
    ax.plot(n, values, color=fit.color, ls=fit.linestyle, lw=0.9, label=f"{fit.curve} fit")
    bar = [[fit.value - fit.lower], [fit.upper - fit.value]]
    look = {"marker": fit.marker, "ms": 4, "color": fit.color, "mfc": fit.fillcolor}
    ax.errorbar([end], [fit.value], bar, lw=0.9, capsize=2, ls="", **look)


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
        f"{' and '.join(points['metric_label'].unique())} of n = {sizes} images{split}, epoch "
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
