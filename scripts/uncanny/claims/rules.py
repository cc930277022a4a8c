"""Decision rules: from draws of a quantity to a verdict. Pure functions of arrays.

Draws [B] come from a bootstrap around the estimate. Intervals are percentiles; a p counts the draws
on the wrong side, one added to both counts, so that B draws never claim p = 0.
"""

from dataclasses import dataclass

import numpy as np

from uncanny.claims.finding import INCONCLUSIVE, REFUTED, STRICT, SUPPORTED

ALPHA = 0.05
SMALLEST_EFFECT = 0.01  # of the mean: a smaller difference is none
EQUAL = 0.02  # of the mean: the default margin of equality
MASS, NO_MASS = 0.8, 0.05  # probability of a plateau's window that supports or refutes it
ORDER = 0.95  # probability of an order that supports it
Z = 1.959964  # two-sided 95 % of a normal distribution
POWER = (Z + 0.841621) / Z  # half-widths that are found with 80 % power


@dataclass(frozen=True)
class Decision:
    """A verdict and its p: 1 where a test decides nothing, None where the rule counts probability
    and is no test.
    """

    verdict: str
    p: float | None = None


def interval(draws: np.ndarray, level: float = 1 - ALPHA) -> tuple[float, float]:
    """Percentile interval of draws [B]."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def detectable(draws: np.ndarray) -> float:
    """Smallest effect that errors like those of draws [B] show with 80 % power at level 0.05."""
    low, high = interval(draws)
    return POWER * (high - low) / 2


def tail(wrong: np.ndarray) -> float:
    """Share of draws [B] (bool) that lie on the wrong side, one added."""
    return float((np.sum(wrong) + 1) / (len(wrong) + 1))


def sup(relative: np.ndarray, estimate: float, band: np.ndarray | None = None) -> Decision:
    """SUP: is A better than B? relative [B]: draws of D/mean(B), estimate the value itself.

    Supported if the 95 % interval is above 0 and the estimate at least 1 %; strictly, if band, the
    simultaneous lower bound [m] at every epoch, is above 0 throughout; refuted if the interval is
    below 0 or within ±1 %.
    """
    low, high = interval(relative)
    if low > 0 and estimate >= SMALLEST_EFFECT:
        is_strict = band is not None and len(band) > 1 and bool(np.all(band > 0))
        return Decision(STRICT if is_strict else SUPPORTED, min(1.0, 2 * tail(relative <= 0)))
    if high < 0:
        return Decision(REFUTED, min(1.0, 2 * tail(relative >= 0)))
    if low > -SMALLEST_EFFECT and high < SMALLEST_EFFECT:
        return Decision(REFUTED, min(1.0, 2 * _outside(relative, SMALLEST_EFFECT)))
    return Decision(INCONCLUSIVE, 1.0)


def non(relative: np.ndarray, delta: float = EQUAL) -> Decision:
    """NON: is A no worse than B? relative [B]: draws of D/mean(B). Supported if the 90 % interval
    is above -delta (a one-sided test), refuted if the 95 % interval is below it.
    """
    if interval(relative, 1 - 2 * ALPHA)[0] > -delta:
        return Decision(SUPPORTED, tail(relative <= -delta))
    if interval(relative)[1] < -delta:
        return Decision(REFUTED, min(1.0, 2 * tail(relative >= -delta)))
    return Decision(INCONCLUSIVE, 1.0)


def eq(relative: np.ndarray, delta: float = EQUAL) -> Decision:
    """EQ by two one-sided tests: supported if the 90 % interval of D/mean(B) is within ±delta,
    refuted if the 95 % interval is wholly outside.
    """
    low, high = interval(relative, 1 - 2 * ALPHA)
    if -delta < low and high < delta:
        return Decision(SUPPORTED, _outside(relative, delta))
    return within(relative, -delta, delta, supports=False)


def within(draws: np.ndarray, low: float, high: float, *, supports: bool = True) -> Decision:
    """Is the quantity in [low, high]? Supported if the 95 % interval lies in it (RAT), refuted if
    the interval lies wholly outside.
    """
    bottom, top = interval(draws)
    if supports and low <= bottom and top <= high:
        return Decision(SUPPORTED, min(1.0, 2 * max(tail(draws < low), tail(draws > high))))
    if bottom > high:
        return Decision(REFUTED, min(1.0, 2 * tail(draws <= high)))
    if top < low:
        return Decision(REFUTED, min(1.0, 2 * tail(draws >= low)))
    return Decision(INCONCLUSIVE, 1.0)


def differ(relative: np.ndarray) -> Decision:
    """Do A and B differ? Refuted if the 95 % interval is within ±1 %, else supported if it excludes
    0.
    """
    low, high = interval(relative)
    if low > -SMALLEST_EFFECT and high < SMALLEST_EFFECT:
        return Decision(REFUTED, min(1.0, 2 * _outside(relative, SMALLEST_EFFECT)))
    if low > 0 or high < 0:
        wrong = relative <= 0 if low > 0 else relative >= 0
        return Decision(SUPPORTED, min(1.0, 2 * tail(wrong)))
    return Decision(INCONCLUSIVE, 1.0)


def mass(probability: float) -> Decision:
    """PLAT: does the plateau start in the window? From the probability that it does."""
    if probability >= MASS:
        return Decision(SUPPORTED)
    return Decision(REFUTED if probability <= NO_MASS else INCONCLUSIVE)


def order(is_first: np.ndarray) -> Decision:
    """ORD: does A come first? From draws [B] (bool); supported with a probability of 95 %, refuted
    with at most 5 %.
    """
    probability = float(np.mean(is_first))
    if probability >= ORDER:
        return Decision(SUPPORTED, tail(~is_first))
    if probability <= 1 - ORDER:
        return Decision(REFUTED, tail(is_first))
    return Decision(INCONCLUSIVE, 1.0)


def lower_band(estimate: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Simultaneous lower bound [m] of a curve from draws [B, m]: with 97.5 % probability all epochs
    lie above it (max-t).
    """
    low, middle, high = np.quantile(draws, [0.1587, 0.5, 0.8413], axis=0)
    scale = np.where(high > low, (high - low) / 2, 1.0)  # a spread that heavy tails do not move
    highest = np.max((draws - middle) / scale, axis=1)
    return estimate - np.quantile(highest, 1 - ALPHA / 2) * scale


def _outside(relative: np.ndarray, delta: float) -> float:
    return max(tail(relative >= delta), tail(relative <= -delta))
