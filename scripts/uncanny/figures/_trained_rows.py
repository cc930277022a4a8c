"""The tables behind the figure of schedules on trained models."""

import numpy as np
import pandas as pd
from scipy import stats

from uncanny.experiments.trained_schedules import relative

COLUMNS = [
    *["panel", "panel_title", "role", "experiment", "model", "dataset", "solver", "nfe"],
    *["schedule", "seed", "seeds", "epoch", "step", "metric", "value", "lower", "upper"],
    *["diverged", "status"],
]
WALK = ["experiment", "model", "dataset", "solver", "nfe", "metric"]


def of_model(data, model: str, **same) -> pd.DataFrame:
    """Samples of a model; ValueError where the experiments have none."""
    rows = data.exact
    for column, value in ({"model": model} | same).items():
        rows = rows[rows[column] == value] if column in rows else rows[:0]
    if rows.empty:
        named = ", ".join(f"{key} {value}" for key, value in same.items())
        raise ValueError(f"figure is empty: no samples of model {model!r} {named}".rstrip())
    return rows


def by_checkpoint(rows: pd.DataFrame) -> pd.DataFrame:
    """The metric of each schedule at each checkpoint: mean and range over training seeds."""
    keys = [*WALK, "schedule", "epoch", "step"]
    means = rows.groupby([*keys, "seed"], as_index=False)["value"].mean()
    return _over_seeds(means, keys).assign(role="curve")


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Exponential over polynomial - 1, in %, at each checkpoint of each walk: mean over training
    seeds, whose range the bounds are; with one seed, 1.96 standard errors over draws.
    """
    found = []
    for place, walk in rows.groupby([*WALK, "seed"], sort=False):
        gaps = 100 * relative(walk)
        steps = walk.groupby("epoch")["step"].first()
        about = dict(zip([*WALK, "seed"], place, strict=True))
        error = 1.96 * gaps.std(axis=1, ddof=1) / np.sqrt(gaps.shape[1])
        table = pd.DataFrame({"value": gaps.mean(axis=1), "error": error, "step": steps})
        found.append(table.reset_index().assign(**about))
    table = pd.concat(found, ignore_index=True)
    merged = _over_seeds(table, [*WALK, "epoch", "step"])
    if table["seed"].nunique() == 1:
        merged["lower"] = merged["value"] - table["error"].to_numpy()
        merged["upper"] = merged["value"] + table["error"].to_numpy()
    return merged.assign(role="difference")


def predicted(rows: pd.DataFrame) -> pd.DataFrame:
    """Path KL of the exponential schedule minus that of the polynomial one, from the model's own
    loss: mean and range over training seeds, one row per checkpoint and number of evaluations.
    """
    rows = rows[rows["solver"] == "sde"].drop_duplicates(["nfe", "seed", "epoch", "schedule"])
    keys = ["experiment", "model", "dataset", "solver", "nfe", "seed", "epoch", "step"]
    both = rows.pivot(index=keys, columns="schedule", values="own_cost")
    gap = (both["exponential"] - both["polynomial"]).rename("value").reset_index()
    found = _over_seeds(gap, [key for key in keys if key != "seed"])
    return found.assign(role="predicted", metric="path_kl")


def crossings(verdicts: list, models: list[str], steps: dict) -> pd.DataFrame:
    """One row per verdict of a model: the updates at which its better schedule changes, with status
    "change", or "no change". steps: (model, epoch) -> updates.
    """
    found = [
        {
            **{key: line[key] for key in ("solver", "nfe", "metric", "model")},
            **{"dataset": line["target"], "seed": line["train_seed"], "role": "crossing"},
            **{
                "epoch": line["crossing"]["epoch"],
                "status": "change" if _turns(line) else "no change",
            },
            "value": steps.get((line["model"], line["crossing"]["epoch"]), np.nan),
        }
        for line in verdicts
        if line["experiment"] == "N" and line["model"] in models
    ]
    return pd.DataFrame(found)


def _turns(line) -> bool:
    return line["crossing"]["epoch"] is not None


def gains(data) -> pd.DataFrame:
    """The derived schedule over the better of the other two, - 1, in %, at the last checkpoint of
    every walk: mean and 95 % interval, over training seeds or, with one, over draws.
    """
    rows = data.exact[data.exact.groupby("model")["epoch"].transform("max") == data.exact["epoch"]]
    found = []
    for place, walk in rows.groupby(WALK, sort=False):
        if "derived" not in set(walk["schedule"]):
            continue
        both = walk.pivot(index=["seed", "draw"], columns="schedule", values="value")
        better = both.drop(columns="derived").mean().idxmin()
        gap = 100 * (both["derived"] / both[better] - 1)
        runs = gap.groupby("seed").mean()
        spread = runs if len(runs) > 1 else gap
        reach = stats.t.ppf(0.975, len(spread) - 1) * spread.std(ddof=1) / np.sqrt(len(spread))
        about = dict(zip(WALK, place, strict=True)) | {"seeds": len(runs), "role": "gain"}
        about |= {"epoch": walk["epoch"].iloc[0], "step": walk["step"].iloc[0], "schedule": better}
        value = float(gap.mean())
        found.append(about | {"value": value, "lower": value - reach, "upper": value + reach})
    return pd.DataFrame(found)


def _over_seeds(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    groups = table.groupby(keys, sort=False)["value"]
    found = groups.agg(value="mean", lower="min", upper="max", seeds="count")
    return found.reset_index()
