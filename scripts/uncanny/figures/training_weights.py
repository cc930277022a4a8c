"""Weightings of noise levels in training: quality, time to quality, and loss by noise level."""

from functools import partial

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from uncanny.experiments.words import ARMS, SOLVERS
from uncanny.figures import _experiment_axes, _lines, _page, captions, style
from uncanny.figures._experiment_axes import Panel, over_seeds, select
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import PositiveInt

NEEDS = "experiments"
EPOCHS = "last"
RUNS = "first"

COLUMNS = [
    *["panel", "panel_title", "role", "experiment", "model", "dataset", "levels", "weight", "arm"],
    *["solver", "nfe", "schedule", "seeds", "epoch", "step", "sigma", "factor", "metric"],
    *["value", "lower", "upper", "diverged", "status"],
]
ABOUT = ["experiment", "model", "dataset", "levels", "weight", "arm", "epoch", "step"]
Y_LABELS = {
    "E_S": "Score error $E_S$ (nats)",
    "e2": "Squared error of\nthe predicted noise",
    "gain": "Decrease of the loss\nper dimension",
    "imbalance": "Imbalance of the\ntraining loss",
}


def training_weights(
    data: FigureData, panels: list, *, nfe: PositiveInt = 10, schedule: str = "exponential"
) -> tuple[Figure, pd.DataFrame]:
    """For the four models of an experiment of kind training_weights: the metric (SDE sampler)
    during training and the updates to reach thresholds, over those of the base; the same of the
    score error E_S; the error of the predicted noise by noise level at the end of training; how
    unevenly noise levels contribute to the training loss; the decrease of the base's loss by noise
    level.

    data.exact, data.verdicts: of that experiment. Raises ValueError for what it lacks.
    """
    rows = data.exact
    metric = next(q for q in rows["quantity"].unique() if q not in Y_LABELS)
    sampled = {"solver": "sde", "nfe": nfe, "schedule": schedule}
    base = rows[rows["arm"] == "none"]
    name, label = data.label("models", base["model"].iloc[0]), data.label("metrics", metric)
    noise = along(rows, "e2", "sigma")
    last = noise[noise["epoch"] == noise["epoch"].max()]
    draw, draw_ratios = partial(_draw, data=data), partial(_draw_ratios, data=data, base=name)
    quality = along(rows, metric, **sampled)
    page = [
        [
            Panel(f"samples: {SOLVERS['sde']}, {nfe} evaluations", quality, draw),
            Panel(f"{label}: training needed", ratios(data, metric, nfe), draw_ratios),
        ],
        [
            Panel("score error during training", along(rows, "E_S", **sampled), draw),
            Panel("score error: training needed", ratios(data, "E_S", nfe), draw_ratios),
        ],
        [
            Panel("end of training", last, draw),
            Panel("balance of noise levels", along(rows, "imbalance"), draw),
            Panel(f"{name}: learned", along(base, "gain", "sigma"), _draw_gain),
        ],
    ]
    with style.context():
        figure, _, plotted = _experiment_axes.draw_page(page, [2.1, 2.1, 2.0], COLUMNS)
        _page.finish(figure, _lines.legends(_looks(quality, data)), "")
    return figure, captions.with_facts(plotted, facts(plotted))


def along(rows: pd.DataFrame, quantity: str, by: str = "step", **conditions) -> pd.DataFrame:
    """A quantity of each model against `by`: means over sampling seeds, their mean and range over
    training seeds. Raises ValueError if the experiments have no such quantity.

    conditions: values of further columns.
    """
    keys = [*dict.fromkeys([*ABOUT, by, *conditions]), "seed"]
    selected = select(rows, quantity=quantity, **conditions)
    means = selected.groupby(keys, sort=False, dropna=False)["value"].mean()
    return over_seeds(means).assign(role=by, metric=quantity)


def ratios(data: FigureData, metric: str, nfe: int) -> pd.DataFrame:
    """One row per model and threshold: updates of the model over those of the base, with a 95 %
    interval.
    """
    wanted = {"experiment": "T", "nfe": nfe, "metric": metric}
    lines = [line for line in data.verdicts if line.items() >= wanted.items()]
    facts_of = {"family": "arm", "metric": "metric", "solver": "solver", "nfe": "nfe"}
    names = {"ratio": "value", "low": "lower", "high": "upper"}
    table = pd.DataFrame(
        {new: line[old] for old, new in facts_of.items()} | entry
        for line in lines
        for entry in line["thresholds"]
    ).rename(columns=names)
    values, is_bound = table["value"].astype(float), table["is_bound"].astype(bool)
    status = pd.Series("reached", table.index).mask(is_bound, "at least")
    status = status.mask(is_bound & (values < 1), "at most")
    status = status.where(values.notna(), "neither arrives")
    models = data.exact.groupby("arm")["model"].first()
    return table.assign(role="ratio", model=table["arm"].map(models), status=status)


def _looks(rows: pd.DataFrame, data: FigureData) -> pd.DataFrame:
    """Rows with the looks of their models, a curve each."""
    return _lines.with_looks(rows.assign(panel="", curve=rows["model"]), data)


def _draw(ax: Axes, rows: pd.DataFrame, data: FigureData) -> None:
    """Draw a line per model against its training or against the noise level."""
    role, metric = rows["role"].iloc[0], rows["metric"].iloc[0]
    _lines.draw_curves(ax, _looks(rows, data), role, errors="band")
    _lines.set_log_y(ax, rows)
    if role == "step":
        _lines.set_log_x(ax, rows["step"])
        ax.set_xlabel(_experiment_axes.UPDATES)
    else:
        ax.set(xscale="log", xlabel="Noise level σ")
    ax.set_ylabel(Y_LABELS.get(metric) or data.metric_label(metric))


def _draw_gain(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw one line per checkpoint, the darker the longer it was trained."""
    trained = rows[rows["step"] > 0]
    shades = LogNorm(trained["step"].min() / 4, trained["step"].max())
    options = {"hue_norm": shades, "palette": "light:0.1", "legend": "brief", "estimator": None}
    sns.lineplot(trained, x="sigma", y="value", hue="step", ax=ax, **options)
    small = {"title": "updates", "fontsize": 6, "title_fontsize": 6}
    sns.move_legend(ax, "upper right", **small)
    ax.set(xscale="log", xlabel="Noise level σ", ylabel=Y_LABELS["gain"])


def _draw_ratios(ax: Axes, rows: pd.DataFrame, data: FigureData, base: str) -> None:
    shown = _looks(rows[rows["value"].notna()], data)
    shown["marker"] = shown["status"].map({"at least": ">", "at most": "<", "reached": "o"})
    labels = [f"{ARMS[row.arm]}, to {row.factor:g} × best" for row in shown.itertuples()]
    _experiment_axes.draw_ratios(ax, shown, labels)
    for y, row in enumerate(shown.itertuples()):
        text = {"at least": "≥ ", "at most": "≤ "}.get(row.status, "") + f"{row.value:.2f}"
        options = {"textcoords": "offset points", "xytext": (4, 0), "va": "center", "size": 6}
        ax.annotate(text, (row.upper, y), **options)
    ax.set_xlim(right=ax.get_xlim()[1] * 1.15)  # for the last number
    ax.set_xlabel(f"Updates needed / those of {base}")


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on measurement and results, also from the CSV."""
    seeds = int(table.loc[table["role"] == "step", "seeds"].max())
    ratios_shown = table[table["role"] == "ratio"]
    count = ratios_shown["status"].value_counts().get
    lower, upper, absent = (count(s, 0) for s in ("at least", "at most", "neither arrives"))
    gain = table[(table["metric"] == "gain") & (table["step"] > 0)]
    peak = gain.loc[gain.groupby("step")["value"].idxmax(), "sigma"]
    return [
        "The base is trained with noise levels from a bell-shaped distribution and weights them as "
        "Karras et al. (2022); the others with levels that are uniform in ln σ (flat levels), with "
        "the weight 1/σ² (flat weight), or both, as Song et al. (2021)",
        f"Lines are means over {captions.counted(str(seeds), 'training seed')}, bands their range; "
        "lower is better",
        "Intervals: how many times the base's updates a model needs until the value falls to a "
        "multiple of the best final value of any model, 95 % t intervals between trainings "
        "(with one training seed, between sampling seeds); "
        f"{lower} of {len(ratios_shown)} are lower bounds (triangles, ≥), as the "
        "model never falls so far"
        + (f"; {upper} are upper bounds (≤), as the base does not" if upper else "")
        + (f"; {absent} are left out, as neither does" if absent else ""),
        "E_S: the score's part of the path divergence",
        "Imbalance: coefficient of variation over noise levels of their contributions to the "
        "training loss per unit of ln σ",
        "Decrease of the loss since the first checkpoint, in units of the network's output: "
        f"largest at σ from {peak.min():.2g} to {peak.max():.2g}",
    ]
