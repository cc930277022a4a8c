"""Weighting of noise levels in training, and the time each choice takes to reach a quality.

The total weight of a noise level is its density in training times the weight of the loss there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SIGMA_DATA = 0.5
LOGNORMAL = (-1.2, 1.2)  # mean and deviation of ln sigma (Karras et al. 2022)
LOG_UNIFORM = (0.02, 100.0)  # range of sigma (Song et al. 2021)
RATIO = 1.2  # of times that counts as a difference
REPLICATES = 2000  # of a bootstrap


def _lognormal(sigma):
    mean, std = LOGNORMAL
    # normal density in ln sigma
    return np.exp(-0.5 * ((np.log(sigma) - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def _log_uniform(sigma):
    low, high = LOG_UNIFORM
    inside = (sigma >= low) & (sigma <= high)
    return inside / np.log(high / low)


LEVELS = {"lognormal": _lognormal, "log_uniform": _log_uniform}  # density of ln sigma
WEIGHTS = {
    "inverse_variance": lambda sigma: sigma**-2.0,
    "unit_output": lambda sigma: (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2,
}


def share_of_loss(levels: str, weight: str, sigma: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Contribution of each noise level to the training loss, per unit of ln sigma: [..., M].

    loss: E||D - x0||^2 at sigma [M], [..., M].
    """
    # p(ln sigma) weight(sigma) L(sigma)
    sigma = np.asarray(sigma, float)
    return LEVELS[levels](sigma) * WEIGHTS[weight](sigma) * np.asarray(loss, float)


def imbalance(share: np.ndarray) -> np.ndarray:
    """Coefficient of variation over noise levels, [...]: 0 where all levels count alike."""
    # standard deviation over mean
    return share.std(axis=-1) / share.mean(axis=-1)


def steps_to(steps: np.ndarray, values: np.ndarray, threshold: float) -> tuple[float, bool]:
    """Return (updates after which values [C] first are at or below a threshold, whether that is
    within the training); the last number of updates where they never are.
    """
    below = np.flatnonzero(values <= threshold)
    if not len(below):
        return float(steps[-1]), False
    i = below[0]
    if i == 0 or values[i - 1] == values[i] or steps[i - 1] <= 0:
        return float(max(steps[i], 1)), True
    # Between checkpoints along a straight line in both logarithms
    share = np.log(values[i - 1] / threshold) / np.log(values[i - 1] / values[i])
    return float(steps[i - 1] * (steps[i] / steps[i - 1]) ** share), True


class Ratio(NamedTuple):
    """steps of one choice over those of another, with a 95 % interval. is_bound: the first never
    arrives, and the ratio is a lower bound. value is None where the second never does.
    """

    value: float | None
    low: float | None
    high: float | None
    is_bound: bool


def ratio_of_steps(
    steps: Sequence[int],
    one: np.ndarray,
    other: np.ndarray,
    threshold: float,
    rng: np.random.Generator,
) -> Ratio:
    """Return the time of `one` over that of `other` to a threshold, with a bootstrap interval.

    Both are curves [R, K, C] over training seeds and sampling seeds, of which means are taken.
    """
    steps = np.asarray(steps, float)
    first, is_there = steps_to(steps, one.mean(axis=(0, 1)), threshold)
    second, arrives = steps_to(steps, other.mean(axis=(0, 1)), threshold)
    if not arrives:
        return Ratio(None, None, None, not is_there)
    # Bootstrap in two stages, training seeds, then sampling seeds of each; the same for both curves
    runs, seeds = one.shape[:2]
    ratios = []
    for _ in range(REPLICATES):
        rows = rng.integers(runs, size=(runs, 1)), rng.integers(seeds, size=(runs, seeds))
        times = [steps_to(steps, c[rows].mean(axis=(0, 1)), threshold)[0] for c in (one, other)]
        ratios.append(times[0] / times[1])
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Ratio(first / second, float(low), float(high), not is_there)


def verdict(ratios: Sequence[Ratio]) -> str:
    """Decide: "supports" where at two of three thresholds the ratio is above RATIO, beyond chance;
    "contradicts" where it is below 1 / RATIO; else "inconclusive".
    """
    known = [r for r in ratios if r.value is not None]
    slower = sum(r.value > RATIO and r.low > 1 for r in known)
    faster = sum(r.value < 1 / RATIO and r.high < 1 for r in known)
    needed = -(-2 * len(ratios) // 3)  # two thirds, rounded up
    if slower >= needed:
        return "supports"
    return "contradicts" if faster >= needed else "inconclusive"
