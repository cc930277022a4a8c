"""Decision rules: from bootstrap replicates of a quantity to a verdict. Pure functions of arrays.

Replicates [B] are distributed around the estimate. Intervals are percentiles; p is the share of
replicates on the wrong side, (k + 1) / (B + 1), so that it is never 0.
"""

from dataclasses import dataclass

import numpy as np

from uncanny.claims.finding import INCONCLUSIVE, REFUTED, STRICT, SUPPORTED

ALPHA = 0.05
SMALLEST_EFFECT = 0.01  # smallest difference that counts, relative to the mean
EQUAL = 0.02  # default margin of equality, relative to the mean
MASS, NO_MASS = (
    0.8,
    0.05,
)  # probability of a plateau's window from (to) which it is supported (refuted)
ORDER = 0.95  # probability of an order from which it is supported
Z = 1.959964  # two-sided 95 % of a normal distribution
POWER = (Z + 0.841621) / Z  # (z_0.975 + z_0.8) / z_0.975: effect at 80 % power, in half-widths


@dataclass(frozen=True)
class Decision:
    """A verdict and its p: 1 if a test is inconclusive, None if the rule is a threshold on a
    probability, and no test.
    """

    verdict: str
    p: float | None = None


def interval(replicates: np.ndarray, level: float = 1 - ALPHA) -> tuple[float, float]:
    """Percentile interval of replicates [B]."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def detectable(replicates: np.ndarray) -> float:
    """Smallest effect detected with 80 % power at level 0.05, given errors as of replicates [B]:
    (z_0.975 + z_0.8) standard errors.
    """
    low, high = interval(replicates)
    return POWER * (high - low) / 2


def tail(wrong: np.ndarray) -> float:
    """p = (k + 1) / (B + 1), for k of B replicates on the wrong side (bool, [B])."""
    return float((np.sum(wrong) + 1) / (len(wrong) + 1))


def sup(relative: np.ndarray, estimate: float, band: np.ndarray | None = None) -> Decision:
    """SUP: is A better than B? relative: replicates [B] of D/mean(B); estimate: of the same.

    Supported if the 95 % interval is above 0 and the estimate at least 1 %; strictly so if the
    band, a simultaneous lower bound [m] of all epochs, is above 0 everywhere. Refuted if the
    interval is below 0 or within ±1 %.
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
    """NON: is A no worse than B? relative: replicates [B] of D/mean(B). Supported if the 90 %
    interval is above -delta (a one-sided test), refuted if the 95 % interval is below it.
    """
    if interval(relative, 1 - 2 * ALPHA)[0] > -delta:
        return Decision(SUPPORTED, tail(relative <= -delta))
    if interval(relative)[1] < -delta:
        return Decision(REFUTED, min(1.0, 2 * tail(relative >= -delta)))
    return Decision(INCONCLUSIVE, 1.0)


def eq(relative: np.ndarray, delta: float = EQUAL) -> Decision:
    """EQ: are A and B equal? Two one-sided tests: supported if the 90 % interval of D/mean(B) is
    within ±delta, refuted if the 95 % interval is entirely outside.
    """
    low, high = interval(relative, 1 - 2 * ALPHA)
    if -delta < low and high < delta:
        return Decision(SUPPORTED, _outside(relative, delta))
    return within(relative, -delta, delta, supports=False)


def within(replicates: np.ndarray, low: float, high: float, *, supports: bool = True) -> Decision:
    """RAT: is the quantity in [low, high]? Supported if the 95 % interval is inside, refuted if it
    is entirely outside.
    """
    bottom, top = interval(replicates)
    if supports and low <= bottom and top <= high:
        return Decision(
            SUPPORTED, min(1.0, 2 * max(tail(replicates < low), tail(replicates > high)))
        )
    if bottom > high:
        return Decision(REFUTED, min(1.0, 2 * tail(replicates <= high)))
    if top < low:
        return Decision(REFUTED, min(1.0, 2 * tail(replicates >= low)))
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
    """PLAT: does the plateau start in the window? probability: that it does."""
    if probability >= MASS:
        return Decision(SUPPORTED)
    return Decision(REFUTED if probability <= NO_MASS else INCONCLUSIVE)


def order(is_first: np.ndarray) -> Decision:
    """ORD: does A come first? is_first: of replicates, bool [B]. Supported with a probability of at
    least 95 %, refuted with at most 5 %.
    """
    probability = float(np.mean(is_first))
    if probability >= ORDER:
        return Decision(SUPPORTED, tail(~is_first))
    if probability <= 1 - ORDER:
        return Decision(REFUTED, tail(is_first))
    return Decision(INCONCLUSIVE, 1.0)


def lower_band(estimate: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Simultaneous lower bound [m] of a curve from replicates [B, m]: with probability 97.5 % the
    whole curve is above it (max-t).

    estimate - q s, with scale s at each epoch and q the 97.5 % quantile of max_m (d - median) / s.
    """
    low, middle, high = np.quantile(replicates, [0.1587, 0.5, 0.8413], axis=0)
    scale = np.where(high > low, (high - low) / 2, 1.0)  # standard deviation, robust to heavy tails
    highest = np.max((replicates - middle) / scale, axis=1)
    return estimate - np.quantile(highest, 1 - ALPHA / 2) * scale


def _outside(relative: np.ndarray, delta: float) -> float:
    return max(tail(relative >= delta), tail(relative <= -delta))
