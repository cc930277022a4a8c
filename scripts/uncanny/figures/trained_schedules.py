"""Schedules on trained models: quality during training, the better schedule, and its prediction."""

from functools import partial

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.experiments.words import SOLVERS
from uncanny.figures import _experiment_axes, _lines, _page, _trained_rows, captions, style
from uncanny.figures._experiment_axes import COLORS, UPDATES, Panel, select
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"

SHADES = ("0.15", "0.6", "0.8")  # from the fewest evaluations
PATH_KL = "Path KL: exponential\n− polynomial (nats)"
CHANGE = "Updates when the better schedule changes"
DERIVED = "Metric relative to the better of both\n(below 1: derived is better)"
KINDS = {"samples": "0.15", "path KL": "white"}  # of changes, by how they are measured


def trained_schedules(
    data: FigureData, panels: list, *, model: str, other: str, nfe: PositiveInt = 10
) -> tuple[Figure, pd.DataFrame]:
    """Panels for `model`: its metric during training with each schedule (SDE sampler, nfe
    evaluations); the difference in path KL of both schedules as the model's own losses predict it;
    exponential over polynomial schedule, a panel per solver. The latter for `other`, too. The
    updates at which the better schedule of `model` changes. For all models: the derived schedule
    over the better of both at the end of training.

    data.exact, data.verdicts: of experiments of kind trained_schedules. Raises ValueError for a
    model that they lack.
    """
    main, name = select(data.exact, model=model), data.label("models", model)
    metric = data.metric_label(main["metric"].iloc[0])
    quality = _trained_rows.by_checkpoint(select(main, model=model, solver="sde", nfe=nfe))
    quality_label = f"{metric} ({SOLVERS['sde']},\n{nfe} evaluations)"
    predicted = _trained_rows.predicted(main)
    steps = main.groupby("epoch")["step"].first()
    changes = _trained_rows.crossings(data.verdicts, model, steps.to_dict())
    gains = _trained_rows.gains(data.exact)
    draw_changes, draw_gains = partial(_changes, steps=steps), partial(_gains, data=data)
    page = [
        [
            Panel(f"{name}: all three schedules", quality, _quality, quality_label, UPDATES),
            Panel(f"{name}: predicted from its loss", predicted, _differences, PATH_KL, UPDATES),
        ],
        _by_solver(data, model),
        _by_solver(data, other),
        [
            Panel(f"{name}: when the better one changes", changes, draw_changes, x=CHANGE),
            Panel("derived schedule, end of training", gains, draw_gains, x=DERIVED),
        ],
    ]
    with style.context():
        heights = [1.85, 1.85, 1.85, 2.3]
        figure, _, plotted = _experiment_axes.draw_page(page, heights, _trained_rows.COLUMNS)
        _page.finish(figure, _lines.legends(_experiment_axes.schedule_looks(quality)), "")
    return figure, captions.with_facts(plotted, facts(plotted))


def _by_solver(data: FigureData, model: str) -> list[Panel]:
    rows = _trained_rows.differences(select(data.exact, model=model))
    label = f"{data.metric_label(rows['metric'].iloc[0])}: exponential\nabove polynomial (%)"
    title = f"{data.label('models', model)}: samples, "
    return [
        Panel(title + SOLVERS.get(solver, solver), of_solver, _differences, label, UPDATES)
        for solver, of_solver in rows.groupby("solver", sort=False)
    ]


def _quality(ax: Axes, rows: pd.DataFrame) -> None:
    _experiment_axes.draw_schedules(ax, rows, "step")
    _lines.set_log_x(ax, rows["step"])
    _lines.set_log_y(ax, rows)


def _differences(ax: Axes, rows: pd.DataFrame) -> None:
    """A line per number of evaluations; above 0 the polynomial schedule is better."""
    shown = rows.sort_values(["nfe", "step"])
    rank = shown["nfe"].map(sorted(shown["nfe"].unique()).index)
    color, marker = ([looks[i] for i in rank] for looks in (SHADES, "osD"))
    texts = {"entry": shown["nfe"].astype(str), "variant_entry": "", "curve": shown["nfe"]}
    lines = {"linestyle": [style.SOLID] * len(shown), "fillcolor": color}
    shown = shown.assign(color=color, marker=marker, **lines, **texts)
    _lines.draw_curves(ax, shown, "step", errors="band")
    _lines.set_log_x(ax, rows["step"])
    _name_sides(ax)
    small = {"title": "evaluations", "fontsize": 6.5, "title_fontsize": 6.5, "loc": "best"}
    ax.legend(handles=_lines.legends(shown)[0], **small)


def _name_sides(ax: Axes) -> None:
    """Name the better schedule above and below 0, in its colour."""
    ax.axhline(0, color="0.35", lw=0.8, zorder=1.5)
    low, high = ax.get_ylim()
    margin = 0.2 * (high - low)
    ax.set_ylim(min(low, -margin), max(high, margin))
    for name, va, offset in (("polynomial", "bottom", 3), ("exponential", "top", -3)):
        at = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "va": va}
        text = {"size": 6.5, "color": COLORS[name], "linespacing": 1.0}
        ax.annotate(f"{name}\nbetter", (1.02, 0), (0, offset), **at, **text)


def _changes(ax: Axes, rows: pd.DataFrame, steps: pd.Series) -> None:
    """A marker per training seed in a row per sampler and metric, at the right without a change."""
    last = steps.max()
    kinds = rows["metric"].map(lambda metric: "path KL" if metric == "path_kl" else "samples")
    samplers = rows["solver"].map(SOLVERS) + " " + rows["nfe"].map("{:.0f}".format)
    at = rows["value"].fillna(2.2 * last)
    shown = rows.assign(kind=kinds, row=samplers + ", " + kinds, at=at)
    shown = shown.sort_values(["kind", "solver", "nfe"], ascending=[False, False, True])
    ax.set_xscale("log")
    ax.set_xlim(0.7 * steps[steps > 0].min(), 3.4 * last)
    options = {"size": 4.5, "linewidth": 0.8, "edgecolor": "0.15", "legend": False, "ax": ax}
    sns.swarmplot(shown, x="at", y="row", hue="kind", palette=KINDS, warn_thresh=1, **options)
    ax.axvline(1.45 * last, color="0.6", lw=0.6, ls=(0, (2, 2)))
    _lines.number_ticks(ax, steps[steps > 0], {2.2 * last: "never"})
    ax.set_ylabel("")


def _gains(ax: Axes, rows: pd.DataFrame, data: FigureData) -> None:
    labels = [
        f"{data.label('models', row.model)}: {SOLVERS[row.solver]} {row.nfe:.0f}"
        for row in rows.itertuples()
    ]
    looks = _experiment_axes.schedule_looks(rows.assign(schedule="derived"))
    _experiment_axes.draw_ratios(ax, looks, labels)
    ax.tick_params(axis="y", labelsize=6)


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on measurement and results, also from the CSV."""
    curves, gains, changes = (table[table["role"] == r] for r in ("curve", "gain", "crossing"))
    seeds, draws = int(curves["seeds"].max()), int(curves["draws"].max())
    better, worse = (gains["upper"] < 1).sum(), (gains["lower"] > 1).sum()
    return [
        f"Lines are means over {captions.counted(str(seeds), 'training seed')} with "
        f"{captions.counted(str(draws), 'sampling seed')} each, which all schedules share; bands "
        "are the range over training seeds or, of a model with one training seed, 95 % t intervals "
        "over sampling seeds",
        "Lower is better in all metrics; where the polynomial schedule is better, the difference "
        "is above 0",
        "Prediction: the difference in path KL (the divergence of whole trajectories) that follows "
        "from the denoising loss of each checkpoint, without sampling",
        "Changes: a marker per training seed; filled, from the samples, where the exponential "
        "schedule is better at two checkpoints in a row; open, from path KL. It changes in "
        f"{(changes['status'] == 'change').sum()} of {len(changes)} cases",
        "Intervals are 95 % over training seeds, or over sampling seeds of a single one; the "
        "number after the solver is that of evaluations. The derived schedule is better than both "
        f"others in {better} of {len(gains)} cells, and worse than the better one in {worse}",
    ]
