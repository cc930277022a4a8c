"""Schedules on trained models: quality during training, the better schedule, and its prediction."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _experiment_axes, _lines, _page, _trained_rows, captions, style
from uncanny.figures._experiment_axes import COLORS, SOLVERS, select
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"

SHADES = ("0.15", "0.6", "0.8")  # from the fewest evaluations
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
    main, second = select(data.exact, model=model), select(data.exact, model=other)
    quality = select(data.exact, model=model, solver="sde", nfe=nfe)
    name = data.label("models", model)
    shown = [
        (f"{name}: all three schedules", _trained_rows.by_checkpoint(quality)),
        (f"{name}: predicted from its loss", _trained_rows.predicted(main)),
        *_by_solver(name, _trained_rows.differences(main)),
        *_by_solver(data.label("models", other), _trained_rows.differences(second)),
    ]
    steps = main.groupby("epoch")["step"].first().to_dict()
    changes = _trained_rows.crossings(data.verdicts, model, steps)
    shown += [(f"{name}: when the better one changes", changes)]
    shown += [("derived schedule, end of training", _trained_rows.gains(data.exact))]
    plotted = _experiment_axes.panel_table(shown, _trained_rows.COLUMNS)
    counts = [2, main["solver"].nunique(), second["solver"].nunique(), 2]
    with style.context():
        figure, axes = _experiment_axes.mosaic(counts, [1.85, 1.85, 1.85, 2.3])
        _experiment_axes.draw_panels(axes, plotted, lambda ax, rows: _draw(ax, rows, data, steps))
        legend = _experiment_axes.schedule_legend(plotted.loc[_is(plotted, "curve"), "schedule"])
        _page.finish(figure, [legend], "")
    return figure, captions.with_facts(plotted, facts(plotted))


def _by_solver(name: str, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    groups = rows.groupby("solver", sort=False)
    return [(f"{name}: samples, {SOLVERS.get(s, s)}", of_solver) for s, of_solver in groups]


def _is(table: pd.DataFrame, role: str) -> pd.Series:
    return table["role"] == role


def _draw(ax: Axes, rows: pd.DataFrame, data: FigureData, steps: dict) -> None:
    role, metric = rows["role"].iloc[0], data.metric_label(rows["metric"].iloc[0])
    if role == "curve":
        _experiment_axes.draw_schedules(ax, rows, "step")
        _experiment_axes.set_updates(ax, rows["step"])
        _experiment_axes.set_log(ax, rows)
        ax.set_ylabel(f"{metric} ({SOLVERS['sde']},\n{rows['nfe'].iloc[0]} evaluations)")
    elif role == "crossing":
        _draw_changes(ax, rows, pd.Series(steps.values()))
    elif role == "gain":
        _draw_gains(ax, rows, data)
    else:
        _draw_differences(ax, rows)
        texts = {"predicted": "Path KL: exponential\n− polynomial (nats)"}
        ax.set_ylabel(texts.get(role, f"{metric}: exponential\nabove polynomial (%)"))


def _draw_differences(ax: Axes, rows: pd.DataFrame) -> None:
    """A line per number of evaluations; above 0 the polynomial schedule is better."""
    shades = dict(zip(sorted(rows["nfe"].unique()), SHADES, strict=False))
    looks = {"style": "nfe", "markers": dict(zip(shades, "osD", strict=False)), "dashes": False}
    _experiment_axes.draw_lines(ax, rows, "step", "nfe", shades, legend="full", **looks)
    _experiment_axes.set_updates(ax, rows["step"])
    _experiment_axes.name_sides(ax)
    ax.legend(title="evaluations", fontsize=6.5, title_fontsize=6.5, loc="best")


def _draw_changes(ax: Axes, rows: pd.DataFrame, steps: pd.Series) -> None:
    """A marker per training seed in a row per sampler and metric, at the right without a change."""
    last = steps.max()
    kinds = rows["metric"].map(lambda metric: "path KL" if metric == "path_kl" else "samples")
    samplers = rows["solver"].map(SOLVERS) + " " + rows["nfe"].map("{:.0f}".format)
    shown = rows.assign(
        kind=kinds, row=samplers + ", " + kinds, at=rows["value"].fillna(2.2 * last)
    )
    shown = shown.sort_values(["kind", "solver", "nfe"], ascending=[False, False, True])
    ax.set_xscale("log")
    ax.set_xlim(0.7 * steps[steps > 0].min(), 3.4 * last)
    options = {"size": 4.5, "linewidth": 0.8, "edgecolor": "0.15", "legend": False, "ax": ax}
    sns.swarmplot(shown, x="at", y="row", hue="kind", palette=KINDS, warn_thresh=1, **options)
    ax.axvline(1.45 * last, color="0.6", lw=0.6, ls=(0, (2, 2)))
    _lines.number_ticks(ax, _lines.spaced(ax, steps[steps > 0]), {2.2 * last: "never"})
    ax.set(xlabel="Updates when the better schedule changes", ylabel="")


def _draw_gains(ax: Axes, rows: pd.DataFrame, data: FigureData) -> None:
    labels = [
        f"{data.label('models', row.model)}: {SOLVERS[row.solver]} {row.nfe:.0f}"
        for row in rows.itertuples()
    ]
    _experiment_axes.draw_intervals(ax, rows, labels, [COLORS["derived"]] * len(rows))
    ax.tick_params(axis="y", labelsize=6)
    ax.set_xlabel("Metric relative to the better of both\n(below 1: derived is better)")


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on measurement and results, also from the CSV."""
    curves, gains = table[_is(table, "curve")], table[_is(table, "gain")]
    changes = table[_is(table, "crossing")]
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
