"""Score records as one tidy table, and its means and standard errors.

One row of the table is one metric value of one cell (model, training seed, sampler, guidance,
draw, epoch). Nothing here samples, or composes paths of records.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from uncanny.evaluation import record_problems
from uncanny.evaluation.contrasts import Score, half_width
from uncanny.evaluation.jackknife import GROUPS, Jackknife
from uncanny.runtime import files
from uncanny.runtime.result_paths import Cell

CURVE = ["dataset", "model", "sampler", "guidance"]
CELL_COLUMNS = ["model", "train_seed", "sampler", "guidance", "sample_seed", "epoch"]
# Column -> keys of a record's parameters, dotted; the first that has a value counts.
PARAMETERS = {
    "arch": ["arch", "identity.network.kind"],
    "precond": ["precond", "identity.process.preconditioning"],
    "cond": ["cond", "identity.conditional"],
    "schedule": ["schedule", "identity.schedule"],
    "n_steps": ["n_steps", "sampler.init_sampling.num_steps"],
    "scale": ["scale", "guidance.scale"],
    "clf_id": ["clf_id", "guidance.classifier"],
}
# Fields that shift a metric's value by more than the differences of interest
COMPARABLE = ["n", "splits", "extractor_id", "reference", "groups"]
COLUMNS = [
    *["study", "dataset", "model", "arch", "precond", "cond", "schedule", "sampler", "params"],
    *["n_steps", "nfe", "guidance", "scale", "clf_id", "train_seed", "sample_seed", "epoch"],
    *["images_seen", "n", "splits", "images_per_split", "extractor_id", "reference"],
    *["metric", "kind", "value", "se", "freedom"],
    *["corrected", "corrected_se", "corrected_freedom", "score"],
    *["status", "seconds", "device"],
]
WHOLE_NUMBERS = [
    *["n_steps", "train_seed", "sample_seed", "epoch", "images_seen"],
    *["n", "splits", "images_per_split"],
]
# nfe: a mean where steps are adaptive
REAL_NUMBERS = ["nfe", "scale", "value", "se", "freedom", "seconds"]
REAL_NUMBERS += ["corrected", "corrected_se", "corrected_freedom"]


def read_records(paths: Iterable[str | Path]) -> list[dict]:
    """Read score records (JSON files), in the order given.

    Raises ValueError naming the file when one is damaged or is not a score record, when a record of
    status "ok" holds a value that is not a finite number, and for records of an earlier version,
    which do not have the values without groups of images.
    """
    return [_read_record(Path(path)) for path in paths]


def _read_record(path: Path) -> dict:
    record = files.read_json(path)
    if problem := record_problems.of_record(record):
        raise ValueError(f"{path}: not a score record: {problem}")
    if problem := record_problems.of_groups(record):
        raise ValueError(f"{path}: {problem}; delete it and run again")
    return record


def tidy(records: Iterable[dict]) -> pd.DataFrame:
    """Flatten score records to one row per metric value (columns: COLUMNS).

    `sample_seed` is the draw and `params` the mapping of the record's parameters. PARAMETERS names
    the keys of further columns in these; a block of options is written as kind(option=value).
    `value` and `se` are the metric's own (Inception Score: of splits), `freedom` the degrees of
    freedom of se² (splits, or groups of images, less one). `corrected` and
    `corrected_se` are those of all images at once, less the small-sample bias, with the jackknife's
    standard error and its degrees of freedom; `score` is the same as a contrasts.Score, or None.
    What a record lacks is empty. A diverged record gives one row with an empty metric and value.
    Raises ValueError when two records give the same metric of the same cell.
    """
    rows = [row for record in records for row in _rows(record)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    # Int64 of pandas is an integer column that may have empty cells.
    table = table.astype(dict.fromkeys(WHOLE_NUMBERS, "Int64") | dict.fromkeys(REAL_NUMBERS, float))
    # A model may be trained on several datasets of a study: the dataset is part of the key.
    repeated = table[table.duplicated(["dataset", *CELL_COLUMNS, "metric"])]
    if len(repeated):
        metric = repeated["metric"].iloc[0]
        raise ValueError(f"two records give metric {metric} of cell {_cells(repeated)[0]}")
    return table


def _rows(record: dict) -> list[dict]:
    # One empty row of a diverged cell: it counts as a run, without a value.
    metrics = record["metrics"] if record["status"] == "ok" else [{}]
    shared = _shared_columns(record)
    return [
        shared | _metric_columns(entry) | _corrected_columns(record, entry) for entry in metrics
    ]


def _shared_columns(record: dict) -> dict:
    cell, parameters = record["cell"], record.get("parameters") or {}
    timing = record.get("timing") or {}
    return {
        **{column: _option(parameters, keys) for column, keys in PARAMETERS.items()},
        **{key: cell.get(key) for key in ("study", *CURVE, "epoch")},
        "train_seed": cell["seed"],
        "sample_seed": cell["draw"],
        "params": parameters,
        "nfe": record.get("nfe"),
        "images_seen": record.get("images_seen"),
        "status": record["status"],
        "seconds": timing.get("seconds"),
        "device": timing.get("device"),
    }


def value_at(parameters: Mapping, dotted: str) -> object:
    """The value of a dotted key such as identity.schedule.kind, or None."""
    value = parameters
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _option(parameters: Mapping, keys: list[str]) -> object:
    """The value of the first dotted key that exists, a block of options as text; or None."""
    values = (value_at(parameters, key) for key in keys)
    value = next((value for value in values if value is not None), None)
    if not isinstance(value, Mapping):
        return value
    options = ", ".join(f"{k}={v}" for k, v in sorted(value.items()) if k != "kind")
    return f"{value.get('kind', '')}({options})"


def _metric_columns(entry: dict) -> dict:
    names = ["metric", "kind", "value", "se", "n", "splits", "images_per_split", "reference"]
    facts = {"freedom": freedom_of(entry) if entry else None}
    facts["extractor_id"] = entry.get("extractor")
    return {name: entry.get(name) for name in names} | facts


def freedom_of(entry: Mapping) -> int:
    """Degrees of freedom of the squared standard error of a metric's entry."""
    splits = entry.get("splits") or 1
    return (splits if splits > 1 else min(entry["n"], GROUPS)) - 1


def _corrected_columns(record: dict, entry: dict) -> dict:
    if not entry.get("jackknife"):
        return {"score": None}
    without = Jackknife(**entry["jackknife"])
    # Images of imported sets grew from latents that are not known: from none that others share.
    seeds = (record.get("parameters") or {}).get("image_seeds")
    latents = seeds[0] if seeds else str(Cell.of(record["cell"]))
    images = (record.get("groups") or {}).get("images")
    score = Score(
        without.corrected, without.without_groups, latents, tuple(images) if images else None
    )
    freedom = len(without.replicates) - 1
    numbers = {"corrected": without.corrected, "corrected_se": without.se}
    return numbers | {"corrected_freedom": freedom, "score": score}


def check_comparable(table: pd.DataFrame) -> None:
    """Refuse a table whose rows of one metric were not measured in the same way.

    All rows of a metric must share the number of images n, the splits, the extractor and the
    reference set: each of them shifts the value by more than the differences of interest; and the
    number of groups of images, by which they are paired. Raises ValueError naming the field, its
    values and the cells. Diverged rows carry no measurement.
    """
    # Diverged rows have neither n nor reference, which would differ from those of all others.
    measured = table[table["status"] != "diverged"]
    measured = measured.assign(groups=measured["score"].map(_groups))
    for metric, rows in measured.groupby("metric"):
        for field in COMPARABLE:
            # dropna=False: rows without a value differ from rows with one; not so those of a value
            # too rare for a jackknife, which have no groups.
            by_value = rows.groupby(field, dropna=field == "groups")
            groups = [(value, _cells(g)) for value, g in by_value]
            if len(groups) > 1:
                values = "; ".join(f"{_shown(value)} in {_few(cells)}" for value, cells in groups)
                raise ValueError(f"metric {metric}: cells differ in {field}: {values}")


def _groups(score: Score | None) -> int | None:
    return len(score.without_groups) if isinstance(score, Score) else None


def _shown(value: object) -> str:
    return "none" if pd.isna(value) else str(value)


def _few(cells: list[Cell], limit: int = 3) -> str:
    rest = f" and {len(cells) - limit} more" if len(cells) > limit else ""
    return ", ".join(map(str, cells[:limit])) + rest


def _cells(rows: pd.DataFrame) -> list[Cell]:
    return list(map(Cell, *(rows[name] for name in CELL_COLUMNS)))


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error per curve (dataset, model, sampler, guidance), metric and epoch.

    The mean is taken over the K draws of a training seed, then over the R training seeds.

    Within a seed, the standard error is that of the evaluation, or the spread over draws where one
    has no evaluation error; between seeds the larger of spread and evaluation error. For R = 1 the
    training seed is not included. Evaluation errors of draws and of training seeds are independent,
    as their latents are. An unknown standard error is empty. Degrees of freedom: R - 1 where the
    spread is taken, else those of the evaluation by Welch and Satterthwaite.

    Columns: those of the curve, metric, epoch, value, se, lower and upper (95 %, by Student's t),
    corrected and corrected_* (the same of the values less their bias), seeds (R), draws (fewest K
    of a seed),
    levels (sources of error in se, of "evaluation", "sampling seed", "training seed"), runs and
    diverged (number of records, and of diverged ones), status ("ok", "partial": mean of the runs
    that are left, "diverged": no value), images_seen, n, splits, images_per_split, extractor_id,
    reference.
    """
    # dropna=False keeps diverged points of a study without any measurement.
    groups = _diverged_in_every_metric(table).groupby([*CURVE, "metric", "epoch"], dropna=False)
    points = [dict(zip(groups.keys, key, strict=True)) | _point(rows) for key, rows in groups]
    summary = pd.DataFrame(points, columns=[*groups.keys, *_POINT_COLUMNS])
    return summary.astype(dict.fromkeys(["epoch", *_POINT_COUNTS], "Int64"))


_SHARED_BY_RUNS = ["images_seen", "n", "splits", "images_per_split", "extractor_id", "reference"]
_INTERVAL = ["se", "lower", "upper"]
_POINT_COLUMNS = ["value", *_INTERVAL, "corrected", *(f"corrected_{name}" for name in _INTERVAL)]
_POINT_COLUMNS += ["seeds", "draws", "levels", "runs", "diverged", "status"]
_POINT_COLUMNS += _SHARED_BY_RUNS
_POINT_COUNTS = ["seeds", "draws", "runs", "diverged", *_SHARED_BY_RUNS[:4]]


def _diverged_in_every_metric(table: pd.DataFrame) -> pd.DataFrame:
    """Repeat the diverged rows, which have no metric, for every metric of the table."""
    is_diverged = table["status"] == "diverged"
    measured, diverged = table[~is_diverged], table[is_diverged]
    if measured.empty or diverged.empty:
        return table
    repeats = [diverged.assign(metric=metric) for metric in measured["metric"].unique()]
    return pd.concat([measured, *repeats], ignore_index=True)


def _point(rows: pd.DataFrame) -> dict:
    ok = rows[rows["status"] == "ok"]
    # First over draws, then over seeds: a seed with more draws has no greater weight.
    seeds = [group for _, group in ok.groupby("train_seed")]
    # The fewest draws of a seed; more of another do not make up for them.
    draws = int(ok.groupby("train_seed").size().min()) if len(ok) else 0
    value = _over_seeds([_over_draws(r["value"], r["se"], r["freedom"]) for r in seeds])
    names = ("corrected", "corrected_se", "corrected_freedom")
    corrected = _over_seeds([_over_draws(*(r[name] for name in names)) for r in seeds])
    diverged = len(rows) - len(ok)
    return {
        **_interval("value", "", value),
        **_interval("corrected", "corrected_", corrected),
        "seeds": len(seeds),
        "draws": draws,
        "levels": _levels(len(seeds), draws, value.se),
        "runs": len(rows),
        "diverged": diverged,
        "status": "ok" if not diverged else "partial" if len(ok) else "diverged",
        # The same in all rows (check_comparable): that of the first that was measured
        **{name: (ok if len(ok) else rows)[name].iloc[0] for name in _SHARED_BY_RUNS},
    }


class _Mean(NamedTuple):
    value: float
    se: float
    freedom: float


def _interval(name: str, prefix: str, mean: _Mean) -> dict:
    half = half_width(mean.se, mean.freedom)
    ends = {"lower": mean.value - half, "upper": mean.value + half}
    return {name: mean.value} | {f"{prefix}{k}": v for k, v in {"se": mean.se, **ends}.items()}


def _over_draws(values: pd.Series, errors: pd.Series, freedom: pd.Series) -> _Mean:
    """Mean over the K draws of one training seed."""
    # se_r = sqrt(Σ_k se_k²)/K. Every draw is a fresh set of images: its evaluation error already
    # contains the chance of its latents. Without evaluation errors, the spread sd_k/sqrt(K).
    values, evaluation = values.to_numpy(), _error_of_mean(errors.to_numpy(), freedom.to_numpy())
    return _Mean(values.mean(), *(_spread(values) if np.isnan(evaluation[0]) else evaluation))


def _over_seeds(per_seed: list[_Mean]) -> _Mean:
    """Mean over R training seeds."""
    if not per_seed:
        return _Mean(np.nan, np.nan, np.nan)
    values, errors, freedom = np.array(per_seed).T
    # se = max(sd_r/sqrt(R), sqrt(Σ_r se_r²)/R). The spread already contains the evaluation error,
    # hence no sum; the maximum keeps two seeds that agree by chance from promising more than their
    # evaluation can.
    spread, evaluation = _spread(values), _error_of_mean(errors, freedom)
    known = [error for error in (spread, evaluation) if not np.isnan(error[0])]
    return _Mean(values.mean(), *max(known, default=spread))


def _error_of_mean(errors: np.ndarray, freedom: np.ndarray) -> tuple[float, float]:
    """Standard error of a mean of values with independent errors, and its degrees of freedom."""
    # Var(mean) = Σ se²/n²; ν = (Σ se²)²/Σ(se⁴/ν_i) (Welch, 1947; Satterthwaite, 1946)
    variances = np.square(errors)
    doubt = np.sum(variances**2 / freedom)
    total = np.sum(variances)
    return np.sqrt(total) / len(errors), total**2 / doubt if doubt > 0 else np.min(freedom)


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Standard error of a mean from the values' spread, and its degrees of freedom."""
    count = len(values)
    return (np.std(values, ddof=1) / np.sqrt(count), count - 1) if count > 1 else (np.nan, np.nan)


def _levels(seeds: int, draws: int, se: float) -> str:
    """Sources of error that a standard error includes."""
    if np.isnan(se):
        return ""
    included = {"evaluation": True, "sampling seed": draws > 1, "training seed": seeds > 1}
    return ", ".join(name for name, is_included in included.items() if is_included)
