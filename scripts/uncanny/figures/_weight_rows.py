"""Tables of the figure of training weights."""

import pandas as pd

COLUMNS = [
    *["panel", "panel_title", "role", "experiment", "model", "dataset", "levels", "weight", "arm"],
    *["solver", "nfe", "schedule", "seeds", "epoch", "step", "sigma", "factor", "metric"],
    *["value", "lower", "upper", "diverged", "status"],
]
ABOUT = ["experiment", "model", "dataset", "levels", "weight", "arm"]


def along(rows: pd.DataFrame, quantity: str, by: str = "step", **conditions) -> pd.DataFrame:
    """A quantity of each model against `by`: means over sampling seeds, their mean and range over
    training seeds. Raises ValueError if the experiments have no such quantity.

    conditions: values of further columns.
    """
    selected = rows[rows["quantity"] == quantity]
    for column, value in conditions.items():
        selected = selected[selected[column] == value]
    if selected.empty:
        text = ", ".join(f"{key} {value}" for key, value in conditions.items())
        raise ValueError(f"figure is empty: its experiments have no {quantity} with {text}")
    keys = [*ABOUT, "epoch", "step"] + ([by] if by not in ("epoch", "step") else [])
    keys += [key for key in ("solver", "nfe", "schedule") if key in conditions]
    means = selected.groupby([*keys, "seed"], as_index=False, dropna=False)["value"].mean()
    groups = means.groupby(keys, sort=False, dropna=False)["value"]
    table = groups.agg(value="mean", lower="min", upper="max", seeds="count").reset_index()
    return table.assign(role=by, metric=quantity)


def last(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["epoch"] == table["epoch"].max()]


def ratios(verdicts: list, nfe: int, arms: dict[str, str]) -> pd.DataFrame:
    """One row per verdict and threshold: updates of a model over those of the base, with a 95 %
    interval. arms: arm → model.
    """
    rows = [
        {
            "model": arms[line["family"]],
            "arm": line["family"],
            "metric": line["metric"],
            "solver": line["solver"],
            "nfe": line["nfe"],
            "dataset": line["target"],
            "factor": entry["factor"],
            "value": entry["ratio"],
            "lower": entry["low"],
            "upper": entry["high"],
            "status": _status(entry, line),
        }
        for line in verdicts
        if line["experiment"] == "T" and line["nfe"] == nfe
        for entry in line["thresholds"]
    ]
    return pd.DataFrame(rows).assign(role="ratio")


def _status(entry: dict, line: dict) -> str:
    if entry["ratio"] is None:
        return "base never arrives"
    return "at least" if entry["is_bound"] else line["verdict"]
