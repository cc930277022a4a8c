"""Which of several sets of images are about as good as the best of them, and which are not.

A set is within a margin of the best if it loses no more than the margin against every other set.
All of these comparisons must hold, so that each is tested at the full level (intersection-union
test; Hsu 1996, "Multiple comparisons", chapter 4), and the best one is not chosen from the data.
That it loses more against some other set is tested at the level divided by their number
(Bonferroni).
"""

from collections.abc import Sequence

import numpy as np

from uncanny.evaluation.contrasts import Contrast, Score, contrast

WITHIN, OUTSIDE, OPEN = "within", "outside", "not decided"
LEVEL = 0.05  # one-sided


def standings(sets: Sequence[Sequence[Score]], *, falling: bool, margin: float) -> list[str]:
    """WITHIN, OUTSIDE or OPEN for each entry, the scores of a sampler in all its runs.

    falling: less is better. margin: a share of the other's value. Comparisons are paired where
    images grew from the same latents; they hold for the models' weights as they are.
    """
    return [
        _standing([_excess(own, other, falling, margin) for other in sets if other is not own])
        for own in sets
    ]


def _excess(own: Sequence[Score], other: Sequence[Score], falling: bool, margin: float) -> Contrast:
    """How much more than the margin a set loses against another, in units of the metric."""
    # v_i - (1 + margin) v_j where less is better, (1 - margin) v_j - v_i where more is
    factors = (1.0, -1.0 - margin) if falling else (-1.0, 1.0 - margin)
    counts = (len(own), len(other))
    weights = np.repeat(factors, counts) / np.repeat(counts, counts)

    def function(values: np.ndarray) -> np.ndarray:
        return np.tensordot(weights, values, axes=1)

    return contrast(function, [*own, *other], weights)


def _standing(excess: Sequence[Contrast]) -> str:
    if all(_ends(c, LEVEL)[1] <= 0 for c in excess):
        return WITHIN
    is_worse = any(_ends(c, LEVEL / len(excess))[0] > 0 for c in excess)
    return OUTSIDE if is_worse else OPEN


def _ends(c: Contrast, level: float) -> tuple[float, float]:
    """One-sided limits; the value itself where it has no error, as that of the same images."""
    return (c.value, c.value) if c.by_construction else c.interval(1 - 2 * level)


def near(estimates: Sequence[float], *, falling: bool, margin: float) -> list[bool]:
    """Whether each estimate is within the margin of the best one, whatever their errors."""
    best = min(estimates) if falling else max(estimates)
    limit = best * (1 + margin if falling else 1 - margin)
    return [value <= limit if falling else value >= limit for value in estimates]
