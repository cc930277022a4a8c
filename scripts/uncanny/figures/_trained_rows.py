"""Tables of the figure of schedules on trained models."""

import numpy as np
import pandas as pd
from scipy import stats

from uncanny.experiments.trained_schedules import relative

COLUMNS = [
    *["panel", "panel_title", "role", "experiment", "model", "dataset", "solver", "nfe"],
    *["schedule", "seed", "seeds", "epoch", "step", "metric", "value", "lower", "upper"],
    *["diverged", "status"],
]
CELL = ["experiment", "model", "dataset", "solver", "nfe", "metric"]


def of_model(data, model: str, **conditions) -> pd.DataFrame:
    """Rows of a model and further conditions, column=value. Raises ValueError if there are none."""
    rows = data.exact
    for column, value in ({"model": model} | conditions).items():
        rows = rows[rows[column] == value] if column in rows else rows[:0]
    if rows.empty:
        text = ", ".join(f"{key} {value}" for key, value in conditions.items())
        raise ValueError(f"figure is empty: no samples of model {model!r} {text}".rstrip())
    return rows


def by_checkpoint(rows: pd.DataFrame) -> pd.DataFrame:
    """The metric of each schedule and checkpoint: mean and range over training seeds."""
    keys = [*CELL, "schedule", "epoch", "step"]
    means = rows.groupby([*keys, "seed"], as_index=False)["value"].mean()
    return _over_seeds(means, keys).assign(role="curve")


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Exponential / polynomial - 1, in %, by checkpoint and sampler: mean and range over training
    seeds; with one training seed, ±1.96 standard errors over sampling seeds.
    """
    tables = []
    for key, run in rows.groupby([*CELL, "seed"], sort=False):
        gaps = 100 * relative(run)
        steps = run.groupby("epoch")["step"].first()
        facts = dict(zip([*CELL, "seed"], key, strict=True))
        error = 1.96 * gaps.std(axis=1, ddof=1) / np.sqrt(gaps.shape[1])
        table = pd.DataFrame({"value": gaps.mean(axis=1), "error": error, "step": steps})
        tables.append(table.reset_index().assign(**facts))
    table = pd.concat(tables, ignore_index=True)
    merged = _over_seeds(table, [*CELL, "epoch", "step"])
    if table["seed"].nunique() == 1:
        merged["lower"] = merged["value"] - table["error"].to_numpy()
        merged["upper"] = merged["value"] + table["error"].to_numpy()
    return merged.assign(role="difference")


def predicted(rows: pd.DataFrame) -> pd.DataFrame:
    """Path KL of the exponential minus that of the polynomial schedule, from the model's own loss:
    mean and range over training seeds, one row per checkpoint and number of evaluations.
    """
    rows = rows[rows["solver"] == "sde"].drop_duplicates(["nfe", "seed", "epoch", "schedule"])
    keys = ["experiment", "model", "dataset", "solver", "nfe", "seed", "epoch", "step"]
    both = rows.pivot(index=keys, columns="schedule", values="own_cost")
    gap = (both["exponential"] - both["polynomial"]).rename("value").reset_index()
    summary = _over_seeds(gap, [key for key in keys if key != "seed"])
    return summary.assign(role="predicted", metric="path_kl")


def crossings(verdicts: list, models: list[str], steps: dict) -> pd.DataFrame:
    """One row per verdict of a model: the updates at which its better schedule changes; status
    "change" or "no change". steps: (model, epoch) → updates.
    """
    rows = [
        {
            **{key: line[key] for key in ("solver", "nfe", "metric", "model")},
            "dataset": line["target"],
            "seed": line["train_seed"],
            "role": "crossing",
            "epoch": line["crossing"]["epoch"],
            "status": "no change" if line["crossing"]["epoch"] is None else "change",
            "value": steps.get((line["model"], line["crossing"]["epoch"]), np.nan),
        }
        for line in verdicts
        if line["experiment"] == "N" and line["model"] in models
    ]
    return pd.DataFrame(rows)


def gains(data) -> pd.DataFrame:
    """Derived / better of the other two schedules - 1, in %, at the last checkpoint, by sampler:
    mean and 95 % t interval over training seeds or, with one, over sampling seeds.
    """
    rows = data.exact[data.exact.groupby("model")["epoch"].transform("max") == data.exact["epoch"]]
    summaries = []
    for key, run in rows.groupby(CELL, sort=False):
        if "derived" not in set(run["schedule"]):
            continue
        both = run.pivot(index=["seed", "draw"], columns="schedule", values="value")
        better = both.drop(columns="derived").mean().idxmin()
        gap = 100 * (both["derived"] / both[better] - 1)
        runs = gap.groupby("seed").mean()
        spread = runs if len(runs) > 1 else gap
        half_width = stats.t.ppf(0.975, len(spread) - 1) * spread.std(ddof=1) / np.sqrt(len(spread))
        facts = dict(zip(CELL, key, strict=True)) | {"seeds": len(runs), "role": "gain"}
        facts |= {"epoch": run["epoch"].iloc[0], "step": run["step"].iloc[0], "schedule": better}
        value = float(gap.mean())
        summaries.append(
            facts | {"value": value, "lower": value - half_width, "upper": value + half_width}
        )
    return pd.DataFrame(summaries)


def _over_seeds(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    groups = table.groupby(keys, sort=False)["value"]
    summary = groups.agg(value="mean", lower="min", upper="max", seeds="count")
    return summary.reset_index()
