"""Faults of score records, in words."""

import numpy as np

from uncanny.evaluation import jackknife

CELL_KEYS = {"dataset", "model", "seed", "sampler", "guidance", "draw", "epoch"}


def of_record(record: object) -> str:
    """Reason why this is not a score record, or an empty string."""
    if not isinstance(record, dict) or not isinstance(record.get("cell"), dict):
        return "expected an object with the key 'cell'"
    if missing := CELL_KEYS - record["cell"].keys():
        return f"its cell lacks {', '.join(sorted(missing))}"
    if record.get("status") not in ("ok", "diverged"):
        return f"status is {record.get('status')!r}, expected 'ok' or 'diverged'"
    return "" if record["status"] == "diverged" else _metrics_problem(record.get("metrics"))


def _metrics_problem(metrics: object) -> str:
    if not isinstance(metrics, list) or not metrics:
        return f"metrics is {metrics!r}, expected a list with at least one metric"
    for entry in metrics:
        if not isinstance(entry, dict) or "metric" not in entry:
            return f"a metric without a name: {entry!r}"
        value, se = entry.get("value"), entry.get("se")
        if not _is_finite(value):
            return f"metric {entry['metric']} has the value {value!r}, expected a finite number"
        if se is not None and not (_is_finite(se) and se >= 0):
            return f"metric {entry['metric']} has the se {se!r}, expected null or a number >= 0"
    return ""


def _is_finite(value: object) -> bool:
    # In Python True is an int, and NaN a float.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and bool(np.isfinite(value))


def of_groups(record: dict) -> str:
    """Reason why a score record is of an earlier version, or an empty string."""
    if record["status"] == "diverged":
        return ""
    groups, metrics = record.get("groups"), record["metrics"]
    if not isinstance(groups, dict) or any("jackknife" not in entry for entry in metrics):
        return "scores without groups of images, as earlier versions wrote them"
    if groups.get("seed") != jackknife.SEED:
        return f"groups of images with seed {groups.get('seed')!r}, expected {jackknife.SEED}"
    for entry in metrics:
        if entry["jackknife"] is not None and not _is_jackknife(entry["jackknife"], groups):
            count = groups.get("count")
            return f"jackknife of {entry['metric']}: expected value, bias and {count!r} replicates"
    return ""


def _is_jackknife(block: object, groups: dict) -> bool:
    if not isinstance(block, dict) or block.keys() != {"value", "bias", "replicates"}:
        return False
    replicates = block["replicates"]
    return (
        isinstance(replicates, list)
        and len(replicates) == groups.get("count")
        and all(map(_is_finite, [block["value"], block["bias"], *replicates]))
    )
