"""Draws of linear contrasts of curves: differences, pooled or not, with their errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uncanny.claims.curves import Curve
from uncanny.claims.finding import NotTestable
from uncanny.evaluation.convergence import replicate_weights

DRAWS = 20_000  # 2000 would do for intervals; Holm over tens of claims asks for p below 0.001
Pair = tuple[Curve, Curve]


@dataclass(frozen=True)
class Difference:
    """d = A - B per epoch, positive where A is better: estimate [m], draws [B, m].

    base: |mean of B|. runs: R. epochs [m], or empty where the compared epochs differ and only means
    over them are compared (m = 1). The relative difference takes the base as known: its error is
    the relative difference times the relative error of B, which matters at no margin of interest.
    """

    estimate: np.ndarray
    draws: np.ndarray
    base: float
    runs: int
    epochs: tuple[int, ...]

    @property
    def relative(self) -> float:
        """D / base, D the mean over epochs."""
        return float(self.estimate.mean() / self.base)

    @cached_property
    def relative_draws(self) -> np.ndarray:
        """Draws [B] of D / base."""
        return self.draws.mean(axis=1) / self.base


def difference(pairs: Sequence[Pair], rng: np.random.Generator) -> Difference:
    """Mean difference of pairs of curves, paired by training seed.

    A curve that is in several pairs has one error, not several: the mean over pairs is one linear
    contrast of the different curves. Evaluation errors of different curves count as independent;
    cells that share latents differ by less, which makes the intervals wide, never narrow.
    """
    _same_runs(pairs)
    epochs = _shared_epochs([curve for pair in pairs for curve in pair])
    weights: dict[Curve, float] = {}
    for better, worse in pairs:
        weights[better] = weights.get(better, 0.0) + 1 / len(pairs)
        weights[worse] = weights.get(worse, 0.0) - 1 / len(pairs)
    levels = {curve: curve.level(per_epoch=bool(epochs)) for curve in weights}
    sign = pairs[0][0].sign
    values = sign * sum(w * levels[c][0] for c, w in weights.items())
    errors = np.sqrt(sum((w * levels[c][1]) ** 2 for c, w in weights.items()))
    base = abs(float(np.mean([levels[worse][0].mean() for _, worse in pairs])))
    if base == 0:
        raise NotTestable("the mean that differences are compared with is 0")
    return Difference(values.mean(axis=0), draws(values, errors, rng), base, len(values), epochs)


def draws(values: np.ndarray, errors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws [B, m] of the mean over R runs of values [R, m] with evaluation errors [R, m].

    R >= 2: whole curves of runs, weighted as convergence.replicate_weights says, so that a mean has
    exactly its t distribution; the spread between runs holds the error of evaluation. (Resampling
    three runs and adding the evaluation error gives 95 % intervals that cover 75 to 99 %, depending
    on which of both errors is larger.) R = 1: evaluation alone. Raises NotTestable where that is
    unknown.
    """
    mean = values.mean(axis=0)
    if len(values) > 1:
        return mean + replicate_weights(len(values), DRAWS, rng) @ (values - mean)
    if not np.isfinite(errors).all():
        raise NotTestable("one training run, and its metric has no standard error")
    return mean + errors[0] * rng.standard_normal((DRAWS, values.shape[1]))


def _same_runs(pairs: Sequence[Pair]) -> None:
    runs = {curve.seeds for pair in pairs for curve in pair}
    if len(runs) > 1:
        raise NotTestable(f"curves have different training seeds: {sorted(runs)}")


def _shared_epochs(curves: Sequence[Curve]) -> tuple[int, ...]:
    """The epochs, where all curves have the same; else none."""
    found = {curve.epochs for curve in curves}
    return next(iter(found)) if len(found) == 1 else ()
