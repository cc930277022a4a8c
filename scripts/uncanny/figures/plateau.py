"""Where curves converge: the start of each plateau and its uncertainty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.evaluation import convergence, score_records
from uncanny.figures import _page, _points, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "scores"
EPOCHS = "all"
RUNS = "all"

FLOOR, CEILING = "gaussian", "train"  # references that decide whether a curve has failed
LEFT_OUT = "left out"  # role of such a reference with fewer images than the metric needs
BAR = 0.62  # height of a bar of probability 1, in rows
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "metric", "metric_label", "role", "epoch"],
    *["probability", "low", "high", "level", "threshold", "best", "best_epoch", "points", "seeds"],
    *["n", "extractor_id", *convergence.CODES, "diverged", "status"],
]
WORDS = {"not_converged": "not settled", "too_few": "too few points", "no_error": "no error"}


def plateau(
    data: FigureData, panels: list, *, metric: str, increasing: bool = True
) -> tuple[Figure, pd.DataFrame]:
    """Start of the plateau of each curve (convergence.plateau) and its distribution.

    A panel is {models, samplers, guidances = ["none"], epochs = all, title, metric = the figure's}.
    A curve is a row: a marker at the start of its plateau, or an arrow at its last epoch if it has
    not settled; bars for the share of bootstrap replicates that start at each epoch. increasing:
    whether the metric rises in training. A curve has failed if it stays near the references of
    noise; without references this is not tested.

    Raises ValueError if no curve has a value, and for rows that are not comparable.
    """
    requested = _points.requested(data, metric, panels)
    points = _points.measured(data, requested, panels, EPOCHS)
    tables = [
        _rows(data, rows, increasing) for _, rows in points.groupby(["panel", *CURVE], sort=False)
    ]
    plotted = pd.concat(tables, ignore_index=True)[COLUMNS]
    rows_of_panels = plotted[plotted["role"] == "plateau"].groupby("panel").size()
    with style.context():
        figure, axes = _page.canvas(len(panels), height=0.75 + 0.24 * rows_of_panels.max())
        for ax, (letter, rows) in zip(axes, plotted.groupby("panel"), strict=True):
            _draw(ax, rows, data)
            _page.set_panel_title(ax, letter if len(axes) > 1 else "", rows["panel_title"].iloc[0])
        _page.finish(figure, [], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


# ---- Plotted table --------------------------------------------------------------------------


def _rows(data: FigureData, points: pd.DataFrame, increasing: bool) -> pd.DataFrame:
    """Rows of one curve: its plateau, and the probability of each epoch."""
    names = ["panel", "panel_title", "curve", *CURVE, "metric", "metric_label"]
    diverged = int(points["diverged"].fillna(0).max())
    shared = points[names].iloc[0].to_dict() | {"diverged": diverged}
    measured = points.dropna(subset="value")
    if measured.empty:
        status = "diverged" if diverged else "missing"
        row = {"role": "plateau", "status": status, "epoch": points["epoch"].min()}
        return _table([row], shared)
    shared |= {key: measured[key].iloc[0] for key in ("n", "extractor_id")}
    epochs, values, se = _replicates(data, points, shared)
    shared |= {"points": len(epochs), "seeds": len(values)}
    last = {"role": "plateau", "epoch": epochs[-1]}
    options = _ends(data, measured) | {"increasing": increasing}
    if len(epochs) < convergence.FEWEST_POINTS:
        return _table([last | {"status": "too_few"}], shared)
    if len(values) < 2 and not np.isfinite(se).all():
        return _table([last | {"status": "no_error"}], shared)
    estimate = convergence.plateau(epochs, values, se, **options)
    distribution = convergence.plateau_distribution(epochs, values, se, **options)
    low, high = distribution.quantiles(0.025, 0.975)
    row = last | distribution.frequencies | {"status": estimate.status, "low": low, "high": high}
    row |= {key: getattr(estimate, key) for key in ("level", "threshold", "best", "best_epoch")}
    row |= {"epoch": epochs[-1] if estimate.epoch is None else estimate.epoch}
    mass = [
        {"role": "mass", "epoch": epoch, "probability": share, "status": estimate.status}
        for epoch, share in distribution.probabilities.items()
    ]
    return _table([row, *mass, *_left_out(data, measured)], shared)


def _table(rows: list[dict], shared: dict) -> pd.DataFrame:
    return pd.DataFrame([shared | row for row in rows], columns=COLUMNS)


def _replicates(data: FigureData, points: pd.DataFrame, names: Mapping) -> tuple:
    """Epochs [m], and values and standard errors [R, m] by training seed, averaged over sampling
    seeds.
    """
    keys = [*CURVE, "metric"]
    is_curve = (data.table[keys] == [names[key] for key in keys]).all(axis=1)
    table = data.table[is_curve & data.table["epoch"].isin(points["epoch"])]
    seeds = [rows for _, rows in table.groupby("train_seed")]
    curves = [score_records.summarise(rows).set_index("epoch")[["value", "se"]] for rows in seeds]
    both = pd.concat(curves, axis=1, keys=range(len(curves))).sort_index()
    values, se = (both.xs(key, axis=1, level=1).to_numpy(float).T for key in ("value", "se"))
    complete = np.isfinite(values).all(axis=0)
    return both.index.to_numpy(float)[complete], values[:, complete], se[:, complete]


def _ends(data: FigureData, points: pd.DataFrame) -> dict:
    """Metric of noise and of real images, None without such a reference."""
    references = data.references_of(points["dataset"].iloc[0], points["metric"].iloc[0])
    values = {
        name: entry["value"] for name, (entry, is_measured) in references.items() if is_measured
    }
    return {"floor": values.get(FLOOR), "ceiling": values.get(CEILING)}


def _left_out(data: FigureData, points: pd.DataFrame) -> list[dict]:
    """Rows of unmeasured references, without which failed curves cannot be recognised."""
    references = data.references_of(points["dataset"].iloc[0], points["metric"].iloc[0])
    unmeasured = {c: entry for c, (entry, is_measured) in references.items() if not is_measured}
    return [
        {
            "role": LEFT_OUT,
            "curve": style.reference_style(control).label,
            "n": unmeasured[control]["n"],
            "status": f"needs {unmeasured[control]['needs']} images",
        }
        for control in (FLOOR, CEILING)
        if control in unmeasured
    ]


# ---- Artists --------------------------------------------------------------------------------


def _draw(ax: Axes, table: pd.DataFrame, data: FigureData) -> None:
    """Draw one row per curve, the first on top."""
    looks, plateaus = style.model_styles(data.models), table[table["role"] == "plateau"]
    last = table["epoch"].max()
    for y, row in enumerate(plateaus.itertuples()):
        look = looks[row.model]
        mass = table[(table["role"] == "mass") & _is_same(table, row)]
        bars = {"width": 0.03 * last, "color": look.color, "alpha": 0.35, "label": row.curve}
        ax.bar(mass["epoch"], -BAR * mass["probability"], bottom=y + 0.3, **bars)
        ax.hlines(y + 0.3, 0, last, color="0.85", lw=0.5, zorder=0.9)
        marker = {"marker": look.marker, "ms": style.MARKERS[look.marker], "mec": "white"}
        if row.status == "not_converged":
            marker = {"marker": ">", "ms": 5, "mec": look.color, "mfc": "white"}
        if row.status in convergence.CODES and row.status != "failed":
            options = {"color": look.color, "ls": "", "clip_on": False, "label": row.curve}
            ax.plot([row.epoch], [y + 0.3], mew=0.6, zorder=3, **(options | marker))
        text_style = {"transform": ax.get_yaxis_transform(), "size": 6.5, "va": "center"}
        ax.text(1.03, y + 0.15, _status(row), color="0.35", **text_style)
    ax.set(xlim=(0, last * 1.03), ylim=(len(plateaus) - 0.45, -0.55), xlabel="Training epochs")
    ax.set_yticks(np.arange(len(plateaus)) + 0.15, _names(plateaus, data))
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)


def _is_same(table: pd.DataFrame, row) -> pd.Series:
    keys = ["panel", *CURVE]
    return (table[keys] == [getattr(row, key) for key in keys]).all(axis=1)


def _names(plateaus: pd.DataFrame, data: FigureData) -> list[str]:
    """Names of the models, or of the curves if a model has several."""
    if plateaus["model"].duplicated().any():
        return plateaus["curve"].tolist()
    return [data.label("models", model) for model in plateaus["model"]]


def _status(row) -> str:
    share = getattr(row, row.status, np.nan)
    words = WORDS.get(row.status, row.status)
    return words if np.isnan(share) else f"{words} {share:.0%}"


# ---- Caption --------------------------------------------------------------------------------


def _notes(plotted: pd.DataFrame) -> str:
    rows = plotted[(plotted["role"] == "plateau") & (plotted["diverged"] > 0)]
    texts = ["diverged at some epoch: " + ", ".join(rows["curve"])] if len(rows) else []
    unmeasured = plotted[plotted["role"] == LEFT_OUT].drop_duplicates(["curve", "metric"])
    for row in unmeasured.itertuples():
        reference = f"{row.metric_label} of {row.curve} (n = {row.n:,.0f}, {row.status})"
        texts.append(f"not measured: {reference}, so that no curve counts as failed")
    return "; ".join(texts)


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences: definition of a plateau, uncertainty, points; also from the CSV."""
    rows = table[table["role"] == "plateau"]
    measured = rows.dropna(subset="n")
    metrics = " and ".join(rows["metric_label"].unique())
    single = "; with one training seed, the variation between trainings is not included"
    single = single if measured["seeds"].max() < 2 else ""
    sentences = [
        f"The plateau of {metrics} starts at the first epoch after which no gain is larger than "
        "the threshold, 1 % of the best value (2 % of the descent of a falling metric) or twice "
        "the standard error, whichever is larger",
        "Arrows: fewer than two points follow, the curve may still change. Bars and percentages: "
        f"share of {convergence.REPLICATES:,} bootstrap replicates of the curve{single}",
        f"n = {captions.span(measured['n'])} images per sampling seed, "
        f"{captions.span(measured['points'])} epochs, extractor {captions.extractors(measured)}",
    ]
    return captions.with_note(sentences, _notes(table))
