"""Crossings: the strength of a perturbation, or the epoch, at which the better schedule changes."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

EQUAL = 1e-9  # log ratios below it are rounding
SECTIONS, ROUNDS = 16, 11  # of each bracket: 44 bisections in 11 calls


class Crossing(NamedTuple):
    """at: strength or epoch. direction: "E->P" where the exponential schedule is better below and
    the polynomial one above, or "P->E". interval: the neighbouring points between which it lies.
    """

    at: float
    direction: str
    interval: tuple[float, float]


def crossings(log_ratio: Callable, strengths: np.ndarray) -> list[Crossing]:
    """Find all changes of sign of log(error of exponential / error of polynomial), by bisection.

    log_ratio: strengths [K] -> [K]. strengths: rising; between two neighbours one change is found.
    """
    # Signs at the given strengths, then brackets, then bisection
    values = np.asarray(log_ratio(strengths), float)
    signed = np.flatnonzero(np.abs(values) > EQUAL)  # NaN is no sign either
    # Brackets: neighbours of opposite sign, with points of no sign between them skipped
    turns = [(i, j) for i, j in pairwise(signed) if values[i] * values[j] < 0]
    if not turns:
        return []
    first, last = (np.array([turn[end] for turn in turns]) for end in (0, 1))
    low, high = strengths[first].astype(float), strengths[last].astype(float)
    rises = values[first] < 0
    shares = np.arange(1, SECTIONS) / SECTIONS
    for _ in range(ROUNDS):
        # All brackets are cut at once; of each, the section with the first change of sign is kept.
        inner = low[:, None] + (high - low)[:, None] * shares
        is_before = (log_ratio(inner.ravel()).reshape(inner.shape) < 0) == rises[:, None]
        ends = np.concatenate([low[:, None], inner, high[:, None]], axis=1)
        first = np.argmin(np.pad(is_before, ((0, 0), (0, 1))), axis=1)
        low, high = (np.take_along_axis(ends, first[:, None] + i, axis=1)[:, 0] for i in (0, 1))
    return [
        Crossing(float(at), "E->P" if up else "P->E", (float(strengths[i]), float(strengths[j])))
        for at, up, (i, j) in zip(0.5 * (low + high), rises, turns, strict=True)
    ]


def crossing_epoch(epochs: Sequence[int], z: np.ndarray) -> Crossing | None:
    """Find the epoch from which the exponential schedule is significantly better.

    It is the first of two checkpoints in a row with z <= -2, after one with z >= 2, where the
    polynomial schedule is better. epochs: rising. z [C]: (error of exponential - error of
    polynomial) / its standard error or, where that is an estimate, the standard normal number that
    is as improbable. None where there is no such epoch. Raises ValueError for fewer than three
    checkpoints.
    """
    z = np.asarray(z, float)
    if len(epochs) != len(z) or len(z) < 3:
        raise ValueError(
            f"{len(epochs)} checkpoints with {len(z)} values: a crossing takes at least three, one "
            "before it and two after"
        )
    if not (np.diff(epochs) > 0).all():
        raise ValueError(f"epochs {list(epochs)}: expected rising ones")
    for i in range(1, len(z) - 1):
        # The interval begins at the last checkpoint at which the polynomial schedule was better.
        before = np.flatnonzero(z[:i] >= 2)
        if z[i] <= -2 and z[i + 1] <= -2 and len(before):
            interval = (float(epochs[before[-1]]), float(epochs[i]))
            return Crossing(float(epochs[i]), "P->E", interval)
    return None
