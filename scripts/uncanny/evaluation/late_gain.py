"""How much a curve still gains at the end of a training."""

from collections.abc import Sequence

import numpy as np

FROM = 0.6  # of the training: milestones from there on


def is_late(epochs: Sequence[int], last: int) -> np.ndarray:
    """Which epochs are in the last 40 % of a training of `last` epochs, bool [m]."""
    return np.asarray(epochs) >= FROM * last - 1e-9


def weights(epochs: Sequence[int]) -> np.ndarray:
    """Weights [m] of a curve's values at its epochs that give its gain over a third of the training
    at the slope of its end; 0 at earlier epochs.

    Least squares over the milestones from 60 % of the training on. Raises ValueError where fewer
    than two are there.
    """
    late = is_late(epochs, epochs[-1])
    if late.sum() < 2:
        raise ValueError(
            f"{late.sum()} of the epochs {', '.join(map(str, epochs))} in the last 40 % of the "
            "training; a slope needs two"
        )
    t = np.asarray(epochs, float) / epochs[-1]
    # gain = 1/3 Σ (t - t̄) y / Σ (t - t̄)²
    centred = np.where(late, t - t[late].mean(), 0.0)
    return centred / np.sum(centred**2) / 3
