"""Whether a metric still changes at the end of training: its gain in a third of the training."""

from collections.abc import Sequence

import numpy as np

LATE = 0.6  # share of the training after which epochs count
STEP = 1 / 3  # share of the training in which the gain is made
RISING, FALLING, SETTLED, OPEN = "rising", "falling", "settled", "open"
LEAST = 1.0  # per cent: a smaller gain is neither a rise nor a fall


def is_late(epochs: Sequence[float], last: float) -> np.ndarray:
    """Which epochs are in the last 40 % of a training of `last` epochs, bool [m]."""
    return np.asarray(epochs, float) >= LATE * last - 1e-9


def weights(epochs: Sequence[float]) -> np.ndarray:
    """Weights [m] of a metric's values at m epochs, whose weighted sum is the gain.

    The gain is the least-squares slope over the epochs at or after LATE of the training, which ends
    with the last of `epochs`, times STEP of the training; earlier epochs have the weight 0. The
    weights sum to 0: what all epochs share, such as the latents' luck, cancels. Raises ValueError
    for fewer than two late epochs.
    """
    epochs = np.asarray(epochs, float)
    end = epochs.max(initial=0.0)
    late = is_late(epochs, end)
    if late.sum() < 2:
        listed = ", ".join(f"{epoch:g}" for epoch in epochs)
        raise ValueError(
            f"{late.sum()} of the epochs {listed} in the last 40 % of the "
            "training; a slope takes two"
        )
    # slope = Σ w v with w = (e - mean e) / Σ (e - mean e)²
    centred = np.where(late, epochs - epochs[late].mean(), 0.0)
    return STEP * end * centred / (centred**2).sum()


def trend(gain: float, lower: float, upper: float, margin: float, least: float = LEAST) -> str:
    """What a gain and its interval mean: RISING or FALLING if the interval excludes 0 and the gain
    is at least `least`, SETTLED if the interval lies within ±margin, else OPEN.
    """
    if abs(gain) >= least and (lower > 0 or upper < 0):
        return RISING if gain > 0 else FALLING
    return SETTLED if -margin <= lower and upper <= margin else OPEN
