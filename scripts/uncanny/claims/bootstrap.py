"""Bootstrap replicates of linear contrasts of curves: single or pooled differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uncanny.claims.curves import Curve
from uncanny.claims.finding import NotTestable
from uncanny.evaluation.convergence import replicate_weights

REPLICATES = 20_000  # 2000 suffice for intervals; Holm over tens of claims needs p below 0.001
Pair = tuple[Curve, Curve]


@dataclass(frozen=True)
class Difference:
    """Difference d = A - B per epoch, positive where A is better: estimate [m], replicates [B, m].

    base: |mean of B|. runs: number of training seeds R. epochs [m]: empty if those of the compared
    curves differ, so that only means over epochs are compared (m = 1). The base counts as exact:
    its error would add d / base times the relative error of B, negligible at margins of a few %.
    """

    estimate: np.ndarray
    replicates: np.ndarray
    base: float
    runs: int
    epochs: tuple[int, ...]

    @property
    def relative(self) -> float:
        """D / base, D the mean over epochs."""
        return float(self.estimate.mean() / self.base)

    @cached_property
    def relative_replicates(self) -> np.ndarray:
        """Replicates [B] of D / base."""
        return self.replicates.mean(axis=1) / self.base


def difference(pairs: Sequence[Pair], rng: np.random.Generator) -> Difference:
    """Mean difference of pairs of curves, paired by training seed.

    The mean over pairs is one linear contrast of the distinct curves, sum_c w_c y_c, so that a
    curve in several pairs contributes its error once. Evaluation errors of different curves count
    as independent. Cells that share latents are positively correlated, so intervals are rather too
    wide. Raises NotTestable for different training seeds, and if the mean of B is 0.
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
    return Difference(
        values.mean(axis=0), replicates(values, errors, rng), base, len(values), epochs
    )


def replicates(values: np.ndarray, errors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replicates [B, m] of the mean over R runs of values [R, m] with evaluation errors [R, m].

    R >= 2: whole curves are reweighted (convergence.replicate_weights) so that the mean has exactly
    its t distribution; the spread between runs includes the evaluation error. (Resampling three
    runs and adding the evaluation error gives 95 % intervals that cover 75 to 99 %, depending on
    which of the two errors is larger.) R = 1: evaluation error alone. Raises NotTestable if that is
    unknown.
    """
    mean = values.mean(axis=0)
    if len(values) > 1:  # mean + sum_r w_r (y_r - mean)
        return mean + replicate_weights(len(values), REPLICATES, rng) @ (values - mean)
    if not np.isfinite(errors).all():
        raise NotTestable("one training run, and its metric has no standard error")
    return mean + errors[0] * rng.standard_normal((REPLICATES, values.shape[1]))


def _same_runs(pairs: Sequence[Pair]) -> None:
    runs = {curve.seeds for pair in pairs for curve in pair}
    if len(runs) > 1:
        raise NotTestable(f"curves have different training seeds: {sorted(runs)}")


def _shared_epochs(curves: Sequence[Curve]) -> tuple[int, ...]:
    """The epochs of the curves if all have the same, else ()."""
    different = {curve.epochs for curve in curves}
    return next(iter(different)) if len(different) == 1 else ()
