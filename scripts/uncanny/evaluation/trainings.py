"""Contrasts between trained models, with the variance between trainings in their standard errors.

A model trained again with another seed gives other scores, beyond what their evaluation explains:
two models differ by luck. The spread is estimated from several models trained with the same seeds,
of which each seed gives all models the same latents.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from uncanny.evaluation.contrasts import (
    ROUNDING,
    Contrast,
    Score,
    differing_groups,
    number_of_groups,
)


@dataclass(frozen=True)
class Term:
    """coefficient × T(mean of the scores), T the logarithm or a division by a base."""

    coefficient: float
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Spread:
    """Variance between trainings of a value, from M models with R training seeds each.

    variance: V, of the two-way residual (model × seed, without the means of models and of seeds),
    with `freedom` degrees of freedom. evaluation: the part of V that comes from finite numbers of
    images, with `evaluation_freedom`. source: study and seeds, in words.
    """

    variance: float
    freedom: float
    evaluation: float
    evaluation_freedom: float
    source: str = ""

    @property
    def training(self) -> float:
        """τ² = max(V - evaluation, 0)."""
        return max(self.variance - self.evaluation, 0.0)

    def of_mean(self, weights: np.ndarray, seeds: int) -> tuple[float, float]:
        """(variance, uncertainty) that training gives the mean over `seeds` seeds of Σ c_m y_m."""
        share = float(np.sum(np.square(weights))) / seeds
        # Variance of the estimate of τ², halved: V²/ν + E²/f (Welch, 1947)
        doubt = self.variance**2 / self.freedom + self.evaluation**2 / self.evaluation_freedom
        return share * self.training, share**2 * doubt


@dataclass(frozen=True)
class Runs:
    """Values of M models in R trainings with covariances of their evaluation.

    values: y [M, R]. covariances: (position of the seed, covariance [M, M], degrees of freedom) for
    each set of latents. terms: of each model and seed [M][R], from which values are computed.
    """

    values: np.ndarray
    covariances: tuple[tuple[int, np.ndarray, int], ...]
    terms: Sequence[Sequence[Sequence[Term]]]
    scale: str = "log"

    @classmethod
    def of(cls, terms, *, base: float | None = None) -> "Runs":
        """Runs of the terms of each model and seed [M][R][...].

        base: the scale is the difference in multiples of it; None: the logarithm. Raises ValueError
        where a logarithm is undefined (`is_positive`), or groups of images differ in number.
        """
        values = np.array([[_value(run, base) for run in model] for model in terms])
        scale = "log" if base is None else "difference"
        covariances = tuple(
            (seed, *_covariance([model[seed] for model in terms], latents, base))
            for seed in range(values.shape[1])
            for latents in _latents(model[seed] for model in terms)
        )
        return cls(values, covariances, terms, scale)

    def spread(self, rows: Sequence[int] | None = None, source: str = "") -> Spread:
        """Spread between trainings of some models (all: None). Needs two seeds.

        Of one model, it is the variance between its seeds.
        """
        rows = range(len(self.values)) if rows is None else rows
        y, (models, seeds) = self.values[list(rows)], (len(rows), self.values.shape[1])
        # r = y - ȳ_m - ȳ_r + ȳ; V = Σ r² / ((M - 1)(R - 1)). One model has no seed mean to remove.
        centre = np.eye(models) - 1 / models if models > 1 else np.eye(1)
        residuals = centre @ (y - y.mean(axis=1, keepdims=True))
        count = max(models - 1, 1)
        freedom = count * (seeds - 1)
        # E: jackknife variance of the same residual within a seed, tr(P C_r P)/(M - 1)
        parts = [
            (np.trace(centre @ c[np.ix_(rows, rows)] @ centre) / count / seeds, f)
            for _, c, f in self.covariances
        ]
        return Spread(
            float(np.sum(residuals**2)) / freedom,
            float(freedom),
            float(sum(part for part, _ in parts)),
            float(sum(f for _, f in parts)),
            source,
        )

    def contrast(
        self, weights: Sequence[float], spreads: Sequence[tuple[Sequence[int], Spread]] = ()
    ) -> Contrast:
        """Σ_m c_m y_m, mean over seeds, with the variance of evaluation and of training.

        spreads: (models, their spread); of models in none, the weights count as fixed.
        SE² = Σ_r se_r²/R² + Σ c² τ²/R, degrees of freedom by Welch and Satterthwaite.
        """
        c, seeds = np.array(weights, float), self.values.shape[1]
        pieces = [(float(c @ cov @ c) / seeds**2, f) for _, cov, f in self.covariances]
        total = sum(variance for variance, _ in pieces)
        doubt = sum(variance**2 / f for variance, f in pieces)
        for rows, spread in spreads:
            variance, uncertain = spread.of_mean(c[list(rows)], seeds)
            total, doubt = total + variance, doubt + uncertain
        value = float(c @ self.values.mean(axis=1))
        freedom = total**2 / doubt if doubt > 0 else float(sum(f for _, f in pieces))
        se = np.sqrt(total) if np.sqrt(total) > ROUNDING else 0.0
        return Contrast(value, float(se), max(freedom, 1.0), self._differing(c), self.scale)

    def _differing(self, weights: np.ndarray) -> int:
        listed = [
            (score, c * term.coefficient / len(term.scores))
            for c, model in zip(weights, self.terms, strict=True)
            for run in model
            for term in run
            for score in term.scores
        ]
        return differing_groups(*zip(*listed, strict=True))


def is_positive(scores: Sequence[Score]) -> bool:
    """Whether logarithms of the values, and of those without a group, are defined."""
    return min(min(score.value, score.without_groups.min()) for score in scores) > 0


def _value(terms: Sequence[Term], base: float | None) -> float:
    return sum(
        term.coefficient * _scaled(np.mean([score.value for score in term.scores]), base)
        for term in terms
    )


def _scaled(value, base: float | None):
    return np.log(value) if base is None else value / base


def _latents(runs) -> list[Hashable]:
    """The different latents of runs of one seed."""
    return list(dict.fromkeys(s.latents for run in runs for term in run for s in term.scores))


def _covariance(runs, latents: Hashable, base: float | None) -> tuple[np.ndarray, int]:
    """Jackknife's covariance [M, M] of the values of runs that leave out groups of one set of
    latents, and its degrees of freedom.
    """
    scores = [s for run in runs for t in run for s in t.scores if s.latents == latents]
    count = number_of_groups(scores)
    replicates = [sum(_without(term, latents, base) for term in run) for run in runs]
    deviations = np.stack([np.broadcast_to(rows, count) for rows in replicates])
    deviations = deviations - deviations.mean(axis=1, keepdims=True)
    # (G - 1)/G Σ_g d_g d_gᵀ (Efron, 1982)
    return (count - 1) / count * deviations @ deviations.T, count - 1


def _without(term: Term, latents: Hashable, base: float | None) -> np.ndarray:
    """A term without each group [G] of the images that grew from some latents."""
    rows = [s.without_groups if s.latents == latents else s.value for s in term.scores]
    mean = sum(np.asarray(row, float) for row in rows) / len(rows)
    return term.coefficient * _scaled(mean, base)
