"""Tables of the figure of schedules on trained models."""

import numpy as np
import pandas as pd
from scipy import stats

from uncanny.experiments.trained_schedules import BOTH, relative
from uncanny.figures._experiment_axes import over_seeds

COLUMNS = [
    *["panel", "panel_title", "role", "experiment", "model", "dataset", "solver", "nfe"],
    *["schedule", "seed", "seeds", "draws", "epoch", "step", "metric", "value", "lower", "upper"],
    *["diverged", "status"],
]
CELL = ["experiment", "model", "dataset", "solver", "nfe", "metric"]


def by_checkpoint(rows: pd.DataFrame) -> pd.DataFrame:
    """The metric of each schedule and checkpoint: mean and range over training seeds."""
    draws = rows["draw"].nunique()
    means = rows.groupby([*CELL, "schedule", "epoch", "step", "seed"])["value"].mean()
    return over_seeds(means).assign(role="curve", draws=draws)


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Exponential / polynomial - 1, in %, by checkpoint and sampler: mean and range over training
    seeds; with one training seed, 95 % t intervals over sampling seeds.
    """
    runs = {key: 100 * relative(run) for key, run in rows.groupby([*CELL, "seed"], sort=False)}
    gaps = pd.concat(runs, names=[*CELL, "seed"])  # a column per sampling seed
    steps = gaps.index.get_level_values("epoch").map(rows.groupby("epoch")["step"].first())
    gaps = gaps.set_index(pd.Index(steps, name="step"), append=True)
    merged = over_seeds(gaps.mean(axis=1).rename("value"))
    if rows["seed"].nunique() == 1:
        quantile = stats.t.ppf(0.975, gaps.shape[1] - 1)
        error = quantile * stats.sem(gaps, axis=1)
        merged = merged.assign(lower=merged["value"] - error, upper=merged["value"] + error)
    return merged.assign(role="difference", draws=gaps.shape[1])


def predicted(rows: pd.DataFrame) -> pd.DataFrame:
    """Path KL of the exponential minus that of the polynomial schedule, from the model's own loss:
    mean and range over training seeds, one row per checkpoint and number of evaluations.
    """
    keys = ["experiment", "model", "dataset", "solver", "nfe", "epoch", "step", "seed"]
    first = rows[rows["solver"] == "sde"].drop_duplicates([*keys, "schedule"])
    both = first.pivot(index=keys, columns="schedule", values="own_cost")
    gap = (both[BOTH[0]] - both[BOTH[1]]).rename("value")
    return over_seeds(gap).assign(role="predicted", metric="path_kl")


def crossings(verdicts: list, model: str, steps: dict) -> pd.DataFrame:
    """One row per verdict of a model: the updates at which its better schedule changes; status
    "change" or "no change". steps: epoch → updates.
    """
    lines = [line for line in verdicts if line["experiment"] == "N" and line["model"] == model]
    table = pd.DataFrame(lines)[["solver", "nfe", "metric", "model", "train_seed", "crossing"]]
    table = table.rename(columns={"train_seed": "seed"}).assign(role="crossing")
    table["epoch"] = table.pop("crossing").str["epoch"]
    table["value"] = table["epoch"].map(steps)
    table["status"] = np.where(table["epoch"].isna(), "no change", "change")
    return table


def gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Derived / better of the other two schedules, at the last checkpoint, by sampler:
    geometric mean and 95 % t interval over training seeds or, with one, over sampling seeds.
    """
    last = rows[rows.groupby("model")["epoch"].transform("max") == rows["epoch"]]
    summaries = []
    for key, run in last.groupby(CELL, sort=False):
        both = run.pivot(index=["seed", "draw"], columns="schedule", values="value")
        if "derived" not in both:
            continue
        better = both[list(BOTH)].mean().idxmin()
        ratio = np.log(both["derived"] / both[better])
        runs = ratio.groupby("seed").mean()
        spread = runs if len(runs) > 1 else ratio
        half = stats.t.ppf(0.975, len(spread) - 1) * stats.sem(spread)
        value, lower, upper = np.exp(ratio.mean() + half * np.array([0.0, -1.0, 1.0]))
        summary = {"value": value, "lower": lower, "upper": upper, "schedule": better}
        summary |= run[["epoch", "step"]].iloc[0].to_dict() | {"seeds": len(runs), "role": "gain"}
        summaries.append(dict(zip(CELL, key, strict=True)) | summary)
    return pd.DataFrame(summaries)
