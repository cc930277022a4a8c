"""What a metric tends to as the number of images grows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uncanny.evaluation.convergence import DRAWS


@dataclass(frozen=True)
class SizeLimit:
    """Fit y(n) = limit + coefficient / n; covariance [2, 2] of both.

    misfit: chi² per degree of freedom where the se are known, else NaN. freedom: of the
    t distribution of the errors, infinite where the se are known.
    """

    limit: float
    coefficient: float
    covariance: np.ndarray
    misfit: float
    freedom: float

    def at(self, n: float) -> float:
        """The fit at n images."""
        return self.limit + self.coefficient / n

    def remaining(self, n: float) -> float:
        """(y(n) - limit) / limit: what n images are off, as a share of the limit."""
        return self.coefficient / n / self.limit

    def draws(self, count: int = DRAWS, seed: int = 0) -> np.ndarray:
        """Draws [count, 2] of limit and coefficient."""
        rng = np.random.default_rng(seed)
        errors = rng.multivariate_normal([0.0, 0.0], self.covariance, count)
        if np.isfinite(self.freedom):
            errors *= np.sqrt(self.freedom / rng.chisquare(self.freedom, (count, 1)))
        return np.array([self.limit, self.coefficient]) + errors


def size_limit(
    n: Sequence[float],
    values: Sequence[float],
    se: Sequence[float] | None = None,
    *,
    nested: bool = True,
) -> SizeLimit:
    """Extrapolate a metric of n [m] images to infinitely many by least squares on 1/n.

    FID is too high by about c/n, IS too low (coefficient < 0); the number of splits, the same for
    all n, is part of the coefficient. nested: each sample contains the smaller ones, hence errors
    are correlated as cov(i, j) = se² of the larger; else they are independent.
    Weighted by 1/se²; errors grow by sqrt(misfit) where that exceeds 1. Without se, plain least
    squares, errors from the residuals (too small for nested samples). Raises ValueError for fewer
    than four sizes, values that are not finite, and se that are not positive.
    """
    n, values = np.asarray(n, float), np.asarray(values, float)
    se = None if se is None else np.asarray(se, float)
    if len(np.unique(n)) < 4 or len(np.unique(n)) < len(n) or np.any(n <= 0):
        raise ValueError(f"sizes {n.tolist()}: expected at least four different positive numbers")
    if values.shape != n.shape or not np.isfinite(values).all():
        raise ValueError(f"values {values.tolist()}: expected {len(n)} finite numbers")
    if se is not None and (se.shape != n.shape or not np.all(se > 0)):
        raise ValueError(f"se {se.tolist()}: expected {len(n)} positive numbers")
    order, freedom = np.argsort(n), len(n) - 2
    n, values = n[order], values[order]
    design = np.stack([np.ones(len(n)), 1 / n], axis=1)
    weights = np.ones(len(n)) if se is None else 1 / se[order] ** 2
    estimator = np.linalg.solve(design.T @ (weights[:, None] * design), design.T * weights)
    found = estimator @ values
    residual = float(weights @ (values - design @ found) ** 2) / freedom
    if se is None:
        covariance = residual * estimator @ estimator.T
        return SizeLimit(*map(float, found), covariance, np.nan, freedom)
    errors = _nested_covariance(se[order]) if nested else np.diag(se[order] ** 2)
    covariance = max(1.0, residual) * estimator @ errors @ estimator.T
    return SizeLimit(*map(float, found), covariance, residual, np.inf)


def _nested_covariance(se: np.ndarray) -> np.ndarray:
    """Means over nested samples: the covariance of two is the variance of the larger.

    se [m] by increasing n; an error that grows with n is chance and counts for smaller n, too.
    """
    variances = np.maximum.accumulate(se[::-1] ** 2)[::-1]
    return variances[np.maximum.outer(np.arange(len(se)), np.arange(len(se)))]
