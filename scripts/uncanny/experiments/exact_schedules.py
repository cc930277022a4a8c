"""Polynomial against exponential schedule where everything has a closed form."""

import itertools
from typing import Annotated, Literal

import numpy as np
import pandas as pd

from uncanny.diffusion.theory import verdicts
from uncanny.diffusion.theory.comparison import METRICS, NFE, Comparison
from uncanny.diffusion.theory.crossovers import crossings
from uncanny.diffusion.theory.grids import GRIDS
from uncanny.diffusion.theory.perturbations import AFFINE, STRENGTHS
from uncanny.diffusion.theory.targets import TARGETS, Gaussian, single
from uncanny.registry.option_types import Above, NonEmpty, Positive, PositiveInt

SCHEDULES = (*GRIDS, "derived")
STEPS = (10, 18, 40, 128, 512)
JUDGED = ("sde", "heun")  # Euler's own error cancels that of the score: shown, not judged
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

    targets: names of design_space.targets.TARGETS, default all. widths: standard deviations of
    further targets of one dimension. families: default all of design_space.perturbations.STRENGTHS.
    solvers: default sde, heun, euler. num_steps: default 10, 18, 40, 128, 512. sigma_min,
    sigma_max: range of both schedules. rho: exponent of the polynomial one. The schedule "derived"
    is the one that suits each model. ODE solvers walk on the clock sigma = t.
    """
    laws = {name: _known("targets", TARGETS, name) for name in _all(targets, TARGETS)}
    laws |= {f"s={width:g}": single(width) for width in widths or []}
    wanted = [_checked(name) for name in _all(num_steps, STEPS)]
    rows, lines = [], []
    for (name, target), family in itertools.product(laws.items(), _all(families, STRENGTHS)):
        _known("families", STRENGTHS, family)
        comparison = Comparison(target, family, sigma_min, sigma_max, rho)
        predicted = comparison.predicted_crossings()
        for steps, solver in itertools.product(wanted, _all(solvers, NFE)):
            _known("solvers", NFE, solver)
            place = {"target": name, "family": family, "solver": solver, "num_steps": steps}
            rows += [_rows(comparison, place, schedule) for schedule in SCHEDULES]
            lines += _verdicts(comparison, place, predicted)
    return _table(rows), lines


def _all(wanted: list | None, known) -> list:
    return list(known if wanted is None else wanted)


def _known(option: str, known: dict, name: str):
    if name not in known:
        raise ValueError(f"{option}: {name!r} is unknown; expected one of {', '.join(known)}")
    return known[name]


def _checked(num_steps: int) -> int:
    if num_steps < 1:
        raise ValueError(f"num_steps: {num_steps} is too few; expected at least 1")
    return num_steps


def _rows(comparison: Comparison, place: dict, schedule: str) -> dict | None:
    """Columns of one schedule, arrays [K] or values; None where nothing is defined."""
    solver = place["solver"]
    sigmas = comparison.nodes(schedule, place["num_steps"])
    found = comparison.metrics(comparison.strengths, sigmas, solver)
    if not found:
        return None
    target = comparison.target
    about = {"dim": target.dim, "width": _width(target), "schedule": schedule}
    about |= {"clock": "" if solver == "sde" else "linear"}
    about |= {"sigma_min": comparison.sigma_min, "sigma_max": comparison.sigma_max}
    about |= {"rho": comparison.rho if schedule == "polynomial" else np.nan}
    about |= {"nfe": NFE[solver] * place["num_steps"], "strength": comparison.strengths}
    return place | about | found


def _width(target: Gaussian) -> float:
    """The standard deviation of a target that has only one."""
    return float(target.stds[0]) if len(target.stds) == 1 else np.nan


def _table(rows: list[dict | None]) -> pd.DataFrame:
    blocks = [pd.DataFrame(row) for row in rows if row is not None]
    return pd.concat(blocks, ignore_index=True).reindex(columns=COLUMNS)


def _verdicts(comparison: Comparison, place: dict, predicted: list) -> list[dict]:
    """One line for each metric that is defined."""
    solver, steps = place["solver"], place["num_steps"]
    names = METRICS if comparison.family in AFFINE else METRICS[:1]
    names = [name for name in names if solver == "sde" or name != "path_kl"]
    return [
        _verdict(comparison, place, metric, predicted, NFE[solver] * steps)
        for metric in names
        if solver in JUDGED
    ]


def _verdict(comparison: Comparison, place: dict, metric: str, predicted: list, nfe: int) -> dict:
    """Strengths below a crossing are well trained, those above it less trained."""
    steps = place["num_steps"]
    log_ratio = comparison.log_ratio(metric, steps, place["solver"])
    found = crossings(log_ratio, comparison.strengths)
    best = next((c for c in found if c.direction == "E->P"), found[0] if found else None)
    theory = next((c.at for c in predicted if c.direction == "E->P"), None)
    cell = {
        **{"experiment": "G", "target": place["target"], "solver": place["solver"], "nfe": nfe},
        **{"metric": metric, "family": comparison.family, "rho": comparison.rho, "seeds": 0},
        "schedule_range": [comparison.sigma_min, comparison.sigma_max],
    }
    share = _score_share(comparison, steps, best.at) if best else None
    return verdicts.line(
        cell,
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
