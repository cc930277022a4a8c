"""Weightings of noise levels in training: quality, time to quality, and loss by noise level."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from uncanny.figures import _lines, _page, _trained_artists, _weight_rows, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"

WORDS = {"both": "both", "levels": "levels alone", "weight": "weight alone"}
Y_LABELS = {
    "E_S": "Score error $E_S$ (nats)",
    "e2": "Error of the predicted noise $e^2$",
    "gain": "Loss taken off, per dimension",
    "imbalance": "Imbalance of the training loss",
}


def training_weights(
    data: FigureData, panels: list, *, nfe: PositiveInt = 10, schedule: str = "exponential"
) -> tuple[Figure, pd.DataFrame]:
    """For the four models of an experiment of kind training_weights: the metric (SDE sampler)
    during training; the updates to reach thresholds, over those of the base; the score error E_S;
    the error of the predicted noise by noise level at the end of training; the decrease of the
    base's loss by noise level; how unevenly noise levels contribute to the training loss.

    data.exact, data.verdicts: of that experiment. Raises ValueError for what it lacks.
    """
    rows = data.exact
    metrics = [q for q in rows["quantity"].unique() if q not in Y_LABELS]
    conditions = {"solver": "sde", "nfe": nfe, "schedule": schedule}
    arms = rows.groupby("arm")["model"].first().to_dict()
    base = rows[rows["arm"] == "none"]
    tables = [
        _weight_rows.along(rows, metrics[0], **conditions),
        _weight_rows.ratios(data.verdicts, nfe, arms),
        _weight_rows.along(rows, "E_S", **conditions),
        _weight_rows.last(_weight_rows.along(rows, "e2", "sigma")),
        _weight_rows.along(base, "gain", "sigma"),
        _weight_rows.along(rows, "imbalance"),
    ]
    tables = [
        table.assign(panel=naming.letter(i), panel_title=title, diverged=0)
        for i, (table, title) in enumerate(zip(tables, _titles(data, arms, nfe), strict=True))
    ]
    plotted = pd.concat(tables, ignore_index=True).reindex(columns=_weight_rows.COLUMNS)
    looks = style.model_styles(data.models)
    with style.context():
        figure, axes = _page.canvas(len(tables), columns=2)
        for ax, (letter, rows_of_panel) in zip(axes, plotted.groupby("panel"), strict=True):
            _draw(ax, rows_of_panel, data, looks)
            _page.set_panel_title(ax, letter, rows_of_panel["panel_title"].iloc[0])
        _page.finish(figure, [_legend(plotted, looks)], "")
    return figure, captions.with_facts(plotted, facts(plotted))


def _titles(data: FigureData, arms: dict[str, str], nfe: int) -> list[str]:
    return [
        f"samples, {nfe} evaluations",
        "time to a threshold",
        "score error along training",
        "score error by noise level, last epoch",
        f"{data.label('models', arms['none'])}: what is learned",
        "balance of noise levels",
    ]


def _draw(ax: Axes, rows: pd.DataFrame, data: FigureData, looks: dict) -> None:
    role, metric = rows["role"].iloc[0], rows["metric"].iloc[0]
    if role == "ratio":
        _draw_ratios(ax, rows, data)
        return
    ax.set_ylabel(Y_LABELS.get(metric) or data.metric_label(metric))
    if metric == "gain":
        _draw_gain(ax, rows)
        return
    for model, curve in rows.groupby("model", sort=False):
        look = style.line_look(looks[model], style.SOLID) | {"markersize": 2.6}
        if role == "sigma":
            look["markevery"] = 4
        _trained_artists.draw_band(ax, curve, look, looks[model].label, role)
    values = rows[["lower", "upper"]]
    _lines.set_y(ax, (values.min().min() / 1.15, values.max().max() * 1.15), "log")
    if role == "step":
        _trained_artists.set_updates(ax, rows["step"])
    else:
        ax.set(xscale="log", xlabel="Noise level σ")


def _draw_gain(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw one line per checkpoint, the darker the longer it was trained."""
    epochs = [epoch for epoch in sorted(rows["epoch"].unique()) if epoch > 0]
    for epoch, shade in zip(epochs, np.linspace(0.75, 0.1, len(epochs)), strict=True):
        curve = rows[rows["epoch"] == epoch].sort_values("sigma")
        updates = f"{curve['step'].iloc[0]:,.0f}"
        ax.plot(curve["sigma"], curve["value"], color=str(shade), lw=1.0, label=updates)
    ax.set(xscale="log", xlabel="Noise level σ")
    ax.legend(title="updates", fontsize=6, title_fontsize=6, loc="upper right", labelspacing=0.2)


def _draw_ratios(ax: Axes, rows: pd.DataFrame, data: FigureData) -> None:
    """Draw the ratios of each arm, one marker per threshold; filled: metric, open: E_S."""
    arms, metrics = [*WORDS], list(dict.fromkeys(rows["metric"]))
    for row in rows[rows["value"].notna()].itertuples():
        side = -0.2 if row.metric == metrics[0] else 0.2
        factors = sorted(rows["factor"].unique(), reverse=True)
        y = arms.index(row.arm) + side + 0.1 * (factors.index(row.factor) - 1)
        face = "0.2" if row.metric == metrics[0] else "white"
        marker = ">" if row.status == "at least" else "o"
        ax.plot([row.lower, row.upper], [y, y], color="0.2", lw=0.9)
        ax.plot([row.value], [y], marker, color="0.2", mfc=face, ms=3.4, mew=0.8)
    ax.axvline(1, color="0.35", lw=0.8)
    ax.set_yticks(range(len(arms)), [WORDS[arm] for arm in arms])
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.set(xscale="log", xlabel="Updates, over those of the base")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    labels = {("o", "0.2"): data.metric_label(metrics[0]), ("o", "white"): "$E_S$"}
    if (rows["status"] == "at least").any():
        labels[">", "0.2"] = "at least"
    handles = [
        Line2D([], [], ls="", marker=marker, color="0.2", mfc=face, ms=3.4, label=name)
        for (marker, face), name in labels.items()
    ]
    ax.legend(handles=handles, fontsize=6, loc="lower right", handlelength=1)


def _legend(plotted: pd.DataFrame, looks: dict) -> list:
    return [
        _lines.legend_entry(looks[model], style.SOLID)
        for model in plotted.loc[plotted["role"] == "step", "model"].unique()
    ]


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on measurement and results, also from the CSV."""
    seeds = int(table.loc[table["role"] == "step", "seeds"].max())
    ratios = table[table["role"] == "ratio"]
    factors = ", ".join(f"{factor:g}" for factor in sorted(ratios["factor"].unique())[::-1])
    gain = table[(table["metric"] == "gain") & (table["step"] > 0)]
    peak = gain.loc[gain.groupby("step")["value"].idxmax(), "sigma"]
    bound = (ratios["status"] == "at least").sum()
    return [
        f"Lines are means over {seeds} training seeds, bands their range",
        f"Thresholds, from the top marker down: {factors} times the best last value of any model; "
        "filled: the metric of samples, open: E_S; bars: 95 % intervals by bootstrap over training "
        f"and sampling seeds; {bound} ratios are lower bounds (triangles)",
        f"Training reduces the loss, in units of the network's output, most at σ from "
        f"{peak.min():.2g} to {peak.max():.2g}",
        "Imbalance: coefficient of variation over noise levels of their contributions to the "
        "training loss per unit of ln σ",
    ]
