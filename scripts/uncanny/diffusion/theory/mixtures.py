"""Mixtures of Gaussians as laws of data: score in closed form, Fisher information by quadrature."""

import itertools
from functools import cached_property

import numpy as np

REACH = 8.0  # standard deviations around each mean that a quadrature covers
SPACING = (1.0, 1 / 16, 1 / 3)  # of its nodes, by dimension of the means' span


class Mixture:
    """sum_k weights_k N(means_k, std^2 I): means [K, d], weights [K], std >= 0.

    Expectations are trapezoidal sums around each mean, in the line (to 1e-12) or plane (to 1e-6)
    that the means span; the other directions are Gaussian. Means that span more raise ValueError.
    """

    def __init__(self, means, weights, std: float):
        self.means, self.std = np.array(means, float, ndmin=2), float(std)
        self.weights = np.array(weights, float)
        if self.weights.shape != self.means.shape[:1] or (self.weights <= 0).any() or std < 0:
            raise ValueError(
                f"mixture of {len(self.means)} means, weights {weights}, std {std}: expected a "
                "positive weight for each mean and std >= 0"
            )
        self.weights /= self.weights.sum()
        # Orthonormal axes of the span of the means, by singular value decomposition
        _, size, axes = np.linalg.svd(self.means - self.means[0], full_matrices=False)
        axes = axes[size > 1e-9 * size.max()]
        if len(axes) >= len(SPACING):
            raise ValueError(
                f"mixture whose means span {len(axes)} dimensions; expected at most "
                f"{len(SPACING) - 1}"
            )
        self._means_in_span = (self.means - self.means[0]) @ axes.T  # [K, r], within the span
        self._rest = self.dim - len(axes)  # dimensions outside it

    @property
    def dim(self) -> int:
        return self.means.shape[1]

    @property
    def second_moment(self) -> float:
        return float(self.dim * self.std**2 + self.weights @ (self.means**2).sum(axis=1))

    def score(self, x: np.ndarray, lam: np.ndarray) -> np.ndarray:
        """grad log p_lam at x [n, d]; lam: [] or [n]."""
        # sum_k p(k | x) (mean_k - x) / (std^2 + lam)
        variance = self.std**2 + np.broadcast_to(np.asarray(lam, float), x.shape[:1])[:, None]
        share, _ = _posterior(x, self.means, self.weights, variance)
        return (share @ self.means - x) / variance

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Sample clean data [count, d]."""
        modes = rng.choice(len(self.means), size=count, p=self.weights)
        return self.means[modes] + self.std * rng.standard_normal((count, self.dim))

    def fisher_information(self, lam: np.ndarray) -> np.ndarray:
        """J(lam) = E||grad log p_lam||^2, in the shape of lam."""
        lam = np.asarray(lam, float)
        # Outside the span p_lam is N(0, std^2 + lam) in each direction.
        in_span = [self._in_span(value)[0] for value in lam.ravel()]
        return np.reshape(in_span, lam.shape) + self._rest / (self.std**2 + lam)

    def fisher_integral(self, low: float, high: float) -> float:
        """Integral of J over lam: twice the gain in entropy (de Bruijn's identity)."""
        return 2 * (self.entropy(high) - self.entropy(low))

    def entropy(self, lam: float) -> float:
        """Differential entropy of p_lam."""
        rest = np.log(2 * np.pi * np.e * (self.std**2 + lam))
        return self._in_span(lam)[1] + 0.5 * self._rest * float(rest)

    def initialisation_error(self, lam: float) -> float:
        """KL(p_lam || N(0, lam I))."""
        # cross-entropy minus entropy; E||x_lam||^2 / lam = E||x0||^2 / lam + d
        moment = self.second_moment / lam + self.dim
        return 0.5 * (self.dim * np.log(2 * np.pi * lam) + moment) - self.entropy(lam)

    @cached_property
    def _quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes [n, r] and weights [n] of expectations under N(0, I_r)."""
        rank = self._means_in_span.shape[1]
        axis = np.arange(-REACH, REACH + 1e-9, SPACING[rank])
        nodes = np.array(list(itertools.product(axis, repeat=rank)))
        density = np.exp(-0.5 * (nodes**2).sum(axis=1))
        return nodes, density / density.sum()

    def _in_span(self, lam: float) -> tuple[float, float]:
        """(J, entropy) of p_lam within the span of the means."""
        variance, (nodes, density) = self.std**2 + lam, self._quadrature
        fisher = entropy = 0.0
        # Expectations under p_lam are the weighted sum of those under each component.
        for mean, weight in zip(self._means_in_span, self.weights, strict=True):
            x = mean + np.sqrt(variance) * nodes  # [n, r]
            share, log_density = _posterior(x, self._means_in_span, self.weights, variance)
            score = (share @ self._means_in_span - x) / variance
            # J = E||score||^2, entropy = -E log p
            fisher += weight * (density @ (score**2).sum(axis=1))
            entropy -= weight * (density @ log_density)
        return float(fisher), float(entropy)


def _posterior(x, means, weights, variance) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each mean given x, [n, K], and log p(x), [n]; variance: a number or [n, 1]."""
    # ||x - mean_k||^2 = ||x||^2 - 2 x mean_k + ||mean_k||^2
    distance = (x**2).sum(axis=1, keepdims=True) - 2 * x @ means.T + (means**2).sum(axis=1)
    log_joint = np.log(weights) - distance / (2 * variance)
    # log-sum-exp: the largest term is taken out, so that no exponential overflows
    top = log_joint.max(axis=1, keepdims=True)
    share = np.exp(log_joint - top)
    total = share.sum(axis=1, keepdims=True)
    scale = 0.5 * x.shape[1] * np.log(2 * np.pi * variance)
    return share / total, (top + np.log(total) - scale)[:, 0]
