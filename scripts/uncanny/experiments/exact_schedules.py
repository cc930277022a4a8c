"""Compare polynomial and exponential schedules on targets with closed forms."""

import itertools
from typing import Annotated, Literal

import numpy as np
import pandas as pd

from uncanny.diffusion.theory import verdicts
from uncanny.diffusion.theory.comparison import METRICS, NFE, Comparison
from uncanny.diffusion.theory.crossovers import crossings
from uncanny.diffusion.theory.grids import GRIDS
from uncanny.diffusion.theory.perturbations import AFFINE, STRENGTHS
from uncanny.diffusion.theory.targets import TARGETS, single
from uncanny.registry.option_types import Above, NonEmpty, Positive, PositiveInt

SCHEDULES = (*GRIDS, "derived")
STEPS = (10, 18, 40, 128, 512)
WITH_VERDICT = ("sde", "heun")  # Euler's own error cancels that of the score: shown, no verdict
COLUMNS = [
    *["target", "dim", "width", "family", "strength", "solver", "clock", "schedule"],
    *["sigma_min", "sigma_max", "rho", "num_steps", "nfe", "E_I", "E_D", "E_S", "path_kl"],
    *["kl", "w2", "kl_denoised", "w2_denoised"],
]


def exact_schedules(
    *,
    targets: list[Literal["singular", "near", "mid", "broad", "manifold", "mixed", "spectrum"]]
    | None = None,
    widths: list[Positive] | None = None,
    families: list[Literal["uniform", "bandwidth", "bias", "gain"]] | None = None,
    solvers: list[Literal["sde", "heun", "euler"]] | None = None,
    num_steps: NonEmpty[PositiveInt] | None = None,
    sigma_min: Positive = 0.002,
    sigma_max: Annotated[Positive, Above("sigma_min")] = 80.0,
    rho: Positive = 7.0,
) -> tuple[pd.DataFrame, list[dict]]:
    """One row per target, family, strength, solver, number of steps and schedule; a verdict per
    target, family, solver, number of steps and metric.

    targets: names in theory.targets.TARGETS, default all. widths: standard deviations of further
    targets of one dimension. families: of perturbations, names in theory.perturbations.STRENGTHS,
    default all. solvers: default sde, heun, euler. num_steps: default 10, 18, 40, 128, 512.
    sigma_min, sigma_max: range of both schedules. rho: exponent of the polynomial one. The schedule
    "derived" is optimal for each model. ODE solvers use the time sigma = t. Raises ValueError for
    unknown names.
    """
    distributions = {name: _lookup("targets", TARGETS, name) for name in _all(targets, TARGETS)}
    distributions |= {f"s={width:g}": single(width) for width in widths or []}
    step_counts = [_check_steps(name) for name in _all(num_steps, STEPS)]
    rows, lines = [], []
    for (name, target), family in itertools.product(
        distributions.items(), _all(families, STRENGTHS)
    ):
        _lookup("families", STRENGTHS, family)
        comparison = Comparison(target, family, sigma_min, sigma_max, rho)
        predicted = comparison.predicted_crossings()
        for steps, solver in itertools.product(step_counts, _all(solvers, NFE)):
            _lookup("solvers", NFE, solver)
            cell = {"target": name, "family": family, "solver": solver, "num_steps": steps}
            rows += [_rows(comparison, cell, schedule) for schedule in SCHEDULES]
            lines += _verdicts(comparison, cell, predicted)
    return _table(rows), lines


def _all(wanted: list | None, default) -> list:
    return list(default if wanted is None else wanted)


def _lookup(option: str, entries: dict, name: str):
    if name not in entries:
        raise ValueError(f"{option}: {name!r} is unknown; expected one of {', '.join(entries)}")
    return entries[name]


def _check_steps(num_steps: int) -> int:
    if num_steps < 1:
        raise ValueError(f"num_steps: {num_steps} is too few; expected at least 1")
    return num_steps


def _rows(comparison: Comparison, cell: dict, schedule: str) -> dict | None:
    """Columns of one schedule, arrays [K] or single values; None if no metric is defined."""
    solver = cell["solver"]
    sigmas = comparison.nodes(schedule, cell["num_steps"])
    metrics = comparison.metrics(comparison.strengths, sigmas, solver)
    if not metrics:
        return None
    target = comparison.target
    facts = {
        "dim": target.dim,
        # Standard deviation of a one-dimensional target
        "width": float(target.stds[0]) if len(target.stds) == 1 else np.nan,
        "schedule": schedule,
        "clock": "" if solver == "sde" else "linear",
        "sigma_min": comparison.sigma_min,
        "sigma_max": comparison.sigma_max,
        "rho": comparison.rho if schedule == "polynomial" else np.nan,
        "nfe": NFE[solver] * cell["num_steps"],
        "strength": comparison.strengths,
    }
    return cell | facts | metrics


def _table(rows: list[dict | None]) -> pd.DataFrame:
    blocks = [pd.DataFrame(row) for row in rows if row is not None]
    return pd.concat(blocks, ignore_index=True).reindex(columns=COLUMNS)


def _verdicts(comparison: Comparison, cell: dict, predicted: list) -> list[dict]:
    """One line per metric that is defined."""
    solver, steps = cell["solver"], cell["num_steps"]
    names = METRICS if comparison.family in AFFINE else METRICS[:1]
    names = [name for name in names if solver == "sde" or name != "path_kl"]
    return [
        _verdict(comparison, cell, metric, predicted, NFE[solver] * steps)
        for metric in names
        if solver in WITH_VERDICT
    ]


def _verdict(comparison: Comparison, cell: dict, metric: str, predicted: list, nfe: int) -> dict:
    """Line on one metric: below a crossing, strengths count as well trained, above it as less."""
    steps = cell["num_steps"]
    log_ratio = comparison.log_ratio(metric, steps, cell["solver"])
    candidates = crossings(log_ratio, comparison.strengths)
    first = candidates[0] if candidates else None
    best = next((c for c in candidates if c.direction == "E->P"), first)
    theory = next((c.at for c in predicted if c.direction == "E->P"), None)
    facts = {
        "experiment": "G",
        "target": cell["target"],
        "solver": cell["solver"],
        "nfe": nfe,
        "metric": metric,
        "family": comparison.family,
        "rho": comparison.rho,
        "seeds": 0,
        "schedule_range": [comparison.sigma_min, comparison.sigma_max],
    }
    share = _score_share(comparison, steps, best.at) if best else None
    return verdicts.line(
        facts,
        verdicts.exact(np.expm1(log_ratio(comparison.strengths))),
        best,
        R_at_crossing=share,
        predicted_crossing=theory,
    )


def _score_share(comparison: Comparison, steps: int, strength: float) -> float:
    """R = E_S / (E_D + E_I) of both schedules together."""
    both = [comparison.terms(np.array([strength]), comparison.nodes(name, steps)) for name in GRIDS]
    score = sum(float(terms.score[0]) for terms in both)
    return score / (sum(float(terms.path_kl[0]) for terms in both) - score)
