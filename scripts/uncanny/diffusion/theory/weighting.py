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
    """steps of one choice over those of another, with a 95 % interval, and the two-sided p of a
    ratio of 1, None where no error is known. is_bound: one of both never arrives; a ratio of 1 or
    more is a lower bound then, as that is the first, and one below 1 an upper bound. value is None
    where neither arrives.
    """

    value: float | None
    low: float | None
    high: float | None
    is_bound: bool
    p: float | None = None


def log_ratio(
    steps: np.ndarray, one: np.ndarray, other: np.ndarray, threshold: float
) -> tuple[float | None, bool]:
    """Return (log time of `one` over that of `other` to a threshold, whether it is a bound, as one
    of both never arrives), of curves [C]; None where neither does.
    """
    first, is_there = steps_to(steps, one, threshold)
    second, arrives = steps_to(steps, other, threshold)
    value = float(np.log(first / second)) if is_there or arrives else None
    return value, not (is_there and arrives)


def is_slower(ratio: Ratio) -> bool:
    """Whether a choice takes longer: the ratio is above RATIO, beyond chance."""
    return ratio.p is not None and ratio.value > RATIO and ratio.low > 1


def is_faster(ratio: Ratio) -> bool:
    """Whether it takes less long: the ratio is below 1 / RATIO, beyond chance."""
    return ratio.p is not None and ratio.value < 1 / RATIO and ratio.high < 1


def needed(count: int) -> int:
    """Of so many thresholds, how many decide: two thirds, rounded up."""
    return -(-2 * count // 3)


def verdict(ratios: Sequence[Ratio]) -> str:
    """Decide: "supports" where a choice is slower at two of three thresholds; "contradicts" where
    it is faster; else "inconclusive".
    """
    least = needed(len(ratios))
    if sum(map(is_slower, ratios)) >= least:
        return "supports"
    return "contradicts" if sum(map(is_faster, ratios)) >= least else "inconclusive"
