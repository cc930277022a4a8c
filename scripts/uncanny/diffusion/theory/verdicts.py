"""Verdicts on the claim that a well trained score prefers the exponential schedule and a less
trained one the polynomial: one verdict per cell, and one for all of them.

Differences are relative, error of the exponential schedule / error of the polynomial one - 1, in
order from the well trained end to the less trained one: strengths rising, epochs falling. Below 0
the exponential schedule is better.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

import numpy as np
from scipy import special

from uncanny.diffusion.theory.crossovers import Crossing

SUPPORTS, PARTIAL, NO_CROSSOVER = "supports", "partial", "no_crossover"
CONTRADICTS, INCONCLUSIVE = "contradicts", "inconclusive"
VERDICTS = (SUPPORTS, PARTIAL, NO_CROSSOVER, CONTRADICTS, INCONCLUSIVE)
SIGNIFICANT, STRONG = 1e-6, 0.01  # of a relative difference without sampling error
ALPHA = 0.05  # two-sided, of differences with sampling error
NAMES = {-1: "exponential", 0: "tie", 1: "polynomial"}
ENDS = ("well", "less")
BOUNDS = ("path_kl", "E_S")  # no metric of samples: of trained models they are scope
# Cells on which the summary rests; all others are its scope.
DEFAULT = {
    "G": {"target": "manifold", "family": "bias", "metric": "kl", "nfe": (40, 40)},
    "N": {"nfe": (1, 12), "schedule_range": [0.002, 80.0]},
    "T": {"nfe": (1, 12), "family": "both"},
}


class Verdict(NamedTuple):
    """verdict: one of VERDICTS. well, less: which schedule is better at each end, "exponential",
    "polynomial" or "tie". effects: the relative differences there. errors: their standard errors
    over sampling seeds, where there are any.
    """

    verdict: str
    well: str
    less: str
    effects: tuple[float, float]
    errors: tuple[float, float] | None = None


def exact(differences: np.ndarray) -> Verdict:
    """Decide on relative differences [K] that have no sampling error."""
    differences = np.asarray(differences, float)
    signs = np.where(np.abs(differences) > SIGNIFICANT, np.sign(differences), 0)
    ends = differences[[0, -1]]
    # An end where both schedules are equal contradicts, too.
    against = (ends[0] >= 0, ends[1] <= 0)
    return decide(differences, signs, np.abs(ends) >= STRONG, against)


def sampled(differences: np.ndarray) -> Verdict:
    """Decide on relative differences [C, R] of checkpoints, the longest trained one first.

    R: sampling seeds that the schedules share. Each checkpoint has a two-sided t test at 5 %. An
    end contradicts the claim only if it is significant at 2.5 %, as one of both suffices for that.
    What is not significant is evidence of neither side. Raises ValueError for fewer than two seeds.
    """
    differences = np.asarray(differences, float)
    if differences.ndim != 2 or differences.shape[1] < 2:
        raise ValueError(
            f"differences of shape {differences.shape}: a verdict takes at least two seeds per "
            "checkpoint, expected [checkpoints, seeds]"
        )
    mean = differences.mean(axis=1)
    error = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
    p = p_values(mean, error, differences.shape[1] - 1)
    signs = np.where(p <= ALPHA, np.sign(mean), 0)
    is_sure = p[[0, -1]] <= ALPHA / 2  # Bonferroni over both ends
    against = (is_sure[0] and mean[0] > 0, is_sure[1] and mean[-1] < 0)
    verdict = decide(mean, signs, signs[[0, -1]] != 0, against)
    return verdict._replace(errors=(float(error[0]), float(error[-1])))


def p_values(mean: np.ndarray, error: np.ndarray, freedom: int) -> np.ndarray:
    """Two-sided p of Student's test that a mean is 0; 1 where mean and error are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num(np.abs(mean) / error, nan=0.0, posinf=np.inf)
    return 2 * special.stdtr(freedom, -t)


def decide(
    differences: np.ndarray,
    signs: np.ndarray,
    is_strong: np.ndarray,
    against: tuple[bool, bool],
) -> Verdict:
    """Decide from relative differences [K], their signs [K] (0: not significant), and at the two
    ends whether each is strong enough, and whether it is sure not to be as the claim says.

    supports: exponential at the well trained end, polynomial at the other, one change.
    no_crossover: an end is sure not to be so, and one schedule is better wherever they differ.
    contradicts: the ends are reversed. partial: everything else, such as an end that is weak or not
    significant, or several changes. inconclusive: neither end is significant.
    """
    if len(differences) < 2:
        raise ValueError(f"{len(differences)} strengths or checkpoints: expected at least two")
    ends = (int(signs[0]), int(signs[-1]))
    phases = [int(sign) for sign, _ in groupby(signs[signs != 0])]
    effects = (float(differences[0]), float(differences[-1]))
    verdict = _verdict(ends, phases, is_strong, against)
    return Verdict(verdict, NAMES[ends[0]], NAMES[ends[1]], effects)


def _verdict(ends: tuple, phases: list, is_strong: np.ndarray, against: tuple) -> str:
    if ends == (0, 0):
        return INCONCLUSIVE
    if any(against):
        if len(phases) == 1:
            return NO_CROSSOVER
        return CONTRADICTS if (phases[0], phases[-1]) == (1, -1) else PARTIAL
    # Exponential first, polynomial last, and nothing in between
    is_whole = phases == [-1, 1] and 0 not in ends and all(is_strong)
    return SUPPORTS if is_whole else PARTIAL


def line(cell: Mapping, verdict: Verdict, crossing: Crossing | None, **numbers) -> dict:
    """Write a cell's verdict as a JSON object.

    cell: experiment ("G", "N", "T"), target, solver, nfe, metric, family, schedule_range, rho,
    seeds. numbers: R_at_crossing and predicted_crossing, where known. The crossing's key is "knob",
    or "epoch" for a cell without family.
    """
    key = "knob" if cell.get("family") else "epoch"
    at = crossing or Crossing(None, None, None)
    return {
        **cell,
        "better_when_well_trained": verdict.well,
        "better_when_less_trained": verdict.less,
        "crossing": {
            key: at.at,
            "interval": list(at.interval) if at.interval else None,
            "direction": at.direction,
        },
        "effect": dict(zip(ENDS, verdict.effects, strict=True)),
        "error": dict(zip(ENDS, verdict.errors or (None, None), strict=True)),
        "R_at_crossing": numbers.get("R_at_crossing"),
        "predicted_crossing": numbers.get("predicted_crossing"),
        "verdict": verdict.verdict,
    }


def is_default(entry: Mapping) -> bool:
    """Whether the summary rests on this cell: see DEFAULT; of the SDE sampler only."""
    # An experiment without default cells gets a range of evaluations that no cell has.
    wanted = dict(DEFAULT.get(entry["experiment"], {"nfe": (0, 0)}))
    low, high = wanted.pop("nfe")
    same = all(entry[key] == value for key, value in wanted.items())
    same = same and entry["solver"] == "sde" and low <= entry["nfe"] <= high
    return same and entry["metric"] not in BOUNDS


def summary(lines: Iterable[Mapping]) -> dict:
    """Summarise: the verdict over the default cells, and counts of verdicts in all others.

    Default cells that agree give their verdict; if they do not, it is partial where one of them
    supports at least partly, else inconclusive. Without default cells it is None.
    """
    lines = list(lines)
    default = [entry for entry in lines if is_default(entry)]
    verdicts = {entry["verdict"] for entry in default}
    verdict = PARTIAL if verdicts & {SUPPORTS, PARTIAL} else INCONCLUSIVE
    if len(verdicts) < 2:
        verdict = next(iter(verdicts), None)
    keys = ("experiment", "solver", "metric", "family")
    scope: dict[tuple, Counter] = {}
    for entry in lines:
        if not is_default(entry):
            scope.setdefault(tuple(entry[key] for key in keys), Counter())[entry["verdict"]] += 1
    return {
        "verdict": verdict,
        "default": default,
        "scope": [
            dict(zip(keys, values, strict=True)) | {"verdicts": dict(sorted(counts.items()))}
            for values, counts in scope.items()
        ],
    }
