"""Schedules on trained models: quality during training, the better schedule, and its prediction."""

import pandas as pd
from matplotlib.figure import Figure

from uncanny.figures import (
    _exact_artists,
    _lines,
    _page,
    _trained_artists,
    _trained_rows,
    captions,
    style,
)
from uncanny.figures import panels as naming
from uncanny.figures._trained_artists import SOLVERS
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"


def trained_schedules(
    data: FigureData, panels: list, *, model: str, other: str, nfe: PositiveInt = 10
) -> tuple[Figure, pd.DataFrame]:
    """Panels for `model`: its metric during training with each schedule (SDE sampler, nfe
    evaluations); exponential over polynomial schedule for every sampler; their difference in path
    KL as the model's own losses predict it; the updates at which the better schedule changes. For
    `other`: exponential over polynomial. For all models: the derived schedule over the better of
    both at the end of training.

    data.exact, data.verdicts: of experiments of kind trained_schedules. Raises ValueError for a
    model that they lack.
    """
    main, second = _trained_rows.of_model(data, model), _trained_rows.of_model(data, other)
    steps = data.exact.groupby(["model", "epoch"])["step"].first().to_dict()
    tables = [
        _trained_rows.by_checkpoint(_trained_rows.of_model(data, model, solver="sde", nfe=nfe)),
        _trained_rows.differences(main),
        _trained_rows.predicted(main),
        _trained_rows.crossings(data.verdicts, [model], steps),
        _trained_rows.differences(second),
        _trained_rows.gains(data),
    ]
    titles = _titles(data, model, other, nfe)
    tables = [
        rows.assign(panel=naming.letter(i), panel_title=titles[i], diverged=0)
        for i, rows in enumerate(tables)
    ]
    plotted = pd.concat(tables, ignore_index=True).reindex(columns=_trained_rows.COLUMNS)
    with style.context():
        figure, axes = _page.canvas(len(tables), columns=2)
        for ax, (letter, rows) in zip(axes, plotted.groupby("panel"), strict=True):
            _draw(ax, rows, data, main["step"])
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        _page.finish(figure, _legends(plotted), "")
    return figure, captions.with_facts(plotted, facts(plotted))


def _titles(data: FigureData, model: str, other: str, nfe: int) -> list[str]:
    name, second = data.label("models", model), data.label("models", other)
    return [
        f"{name}: SDE, {nfe} evaluations",
        f"{name}: samples",
        f"{name}: path KL from its own loss",
        f"{name}: crossings",
        f"{second}: samples",
        "derived schedule, last epoch",
    ]


def _draw(ax, rows: pd.DataFrame, data: FigureData, steps: pd.Series) -> None:
    role, metric = rows["role"].iloc[0], data.metric_label(rows["metric"].iloc[0])
    if role == "curve":
        _trained_artists.draw_curves(ax, rows)
        ax.set_ylabel(metric)
    elif role == "crossing":
        _trained_artists.draw_crossings(ax, rows, steps)
    elif role == "gain":
        labels = [
            f"{data.label('models', row.model)}, {SOLVERS[row.solver]} {row.nfe:.0f}"
            for row in rows.itertuples()
        ]
        _trained_artists.draw_gains(ax, rows, labels)
        ax.set_xlabel("Metric: derived schedule over the better of both")
    else:
        _trained_artists.draw_differences(ax, rows)
        unit = (
            "path KL, exp. − pol. (nats)" if role == "predicted" else f"{metric}, exp./pol. − 1 (%)"
        )
        ax.set_ylabel(unit[0].upper() + unit[1:])


def _legends(plotted: pd.DataFrame) -> list[list]:
    shown = set(plotted.loc[plotted["role"] == "curve", "schedule"])
    looks = _exact_artists.all_looks().items()
    schedules = [_lines.legend_entry(look, style.SOLID) for name, look in looks if name in shown]
    samplers = plotted[plotted["role"] == "difference"].drop_duplicates(["solver", "nfe"])
    return [schedules, _trained_artists.solver_legend(samplers)]


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on measurement and results, also from the CSV."""
    seeds = int(table.loc[table["role"] == "curve", "seeds"].max())
    crossings = table[table["role"] == "crossing"]
    changes = crossings[crossings["status"] == "change"]
    gains = table[table["role"] == "gain"]
    better, worse = (gains["upper"] < 0).sum(), (gains["lower"] > 0).sum()
    return [
        f"Lines are means over {seeds} training seeds, bands their range; with one training seed, "
        "±1.96 standard errors over sampling seeds, which all schedules share",
        "Path KL: difference of the two schedules, predicted from each checkpoint's own denoising "
        "loss",
        f"The better schedule changes in {len(changes)} of {len(crossings)} runs; markers right of "
        "the dashed line are runs without a change (filled: samples, where two checkpoints in a "
        "row must agree; open: path KL)",
        f"Bars: 95 %; the derived schedule is better than both others in {better} of {len(gains)} "
        f"cells, worse than the better one in {worse}",
    ]
