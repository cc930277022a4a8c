"""Extrapolation of a metric to infinitely many images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REPLICATES = 2000  # of a fit


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
        """Remaining bias of n images as a share of the limit, (y(n) - limit) / limit."""
        return self.coefficient / n / self.limit

    def replicates(self) -> np.ndarray:
        """Replicates [REPLICATES, 2] of limit and coefficient, the same every time."""
        rng = np.random.default_rng(0)
        errors = rng.multivariate_normal([0.0, 0.0], self.covariance, REPLICATES)
        if np.isfinite(self.freedom):
            # Residuals estimate the errors: Student's t instead of the normal distribution
            errors *= np.sqrt(self.freedom / rng.chisquare(self.freedom, (REPLICATES, 1)))
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
    # y = X β + error with X = [1, 1/n] and β = (limit, coefficient)
    design = np.stack([np.ones(len(n)), 1 / n], axis=1)
    weights = np.ones(len(n)) if se is None else 1 / se[order] ** 2
    # Weighted least squares: β = (Xᵀ W X)⁻¹ Xᵀ W y, W = diag(1/se²)
    estimator = np.linalg.solve(design.T @ (weights[:, None] * design), design.T * weights)
    fit = estimator @ values
    # χ² per degree of freedom; without se the variance of the residuals
    residual = float(weights @ (values - design @ fit) ** 2) / freedom
    if se is None:
        covariance = residual * estimator @ estimator.T
        return SizeLimit(*map(float, fit), covariance, np.nan, freedom)
    # Cov β = A Cov(y) Aᵀ, as the weights neglect the correlation of nested samples
    errors = _nested_covariance(se[order]) if nested else np.diag(se[order] ** 2)
    covariance = max(1.0, residual) * estimator @ errors @ estimator.T
    return SizeLimit(*map(float, fit), covariance, residual, np.inf)


def _nested_covariance(se: np.ndarray) -> np.ndarray:
    """Covariance [m, m] of means over nested samples, from se [m] by increasing n."""
    # Cov(mean of n, mean of N) = σ²/N for n <= N: the variance of the larger sample.
    # An error that grows with n is chance and counts for smaller n, too.
    variances = np.maximum.accumulate(se[::-1] ** 2)[::-1]
    return variances[np.maximum.outer(np.arange(len(se)), np.arange(len(se)))]
