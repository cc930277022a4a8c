"""Means of a tidy score table over sampling and training seeds, with their standard errors."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from uncanny.evaluation.contrasts import half_width
from uncanny.evaluation.score_records import CURVE


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
