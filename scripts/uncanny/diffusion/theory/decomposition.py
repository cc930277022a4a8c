"""The error of sampling as a sum of three: KL of the true reverse path from that of the sampler.

The sampler takes steps y_{k+1} = y_k + Delta_k s_theta(y_k, sigma_k) + sqrt(Delta_k) n_k with
Delta_k = lam_k - lam_{k+1}, from y_0 ~ N(0, lam_0 I). Along the true reverse process the score is a
martingale, so that the errors of score and of steps are uncorrelated and

    PathKL = E_I + E_D + E_S >= KL(p_{sigma_min} || law of y_N).

(arXiv 2406.12839 bounds the same three terms.)
"""

from typing import NamedTuple

import numpy as np

from uncanny.diffusion.theory.grids import check_nodes
from uncanny.diffusion.theory.targets import Gaussian


class Decomposition(NamedTuple):
    """E_I, E_D, E_S in nats, floats or arrays of one shape."""

    initialisation: np.ndarray
    discretisation: np.ndarray
    score: np.ndarray

    @property
    def path_kl(self) -> np.ndarray:
        return self.initialisation + self.discretisation + self.score


def decompose(target, sigmas: np.ndarray, error: np.ndarray) -> Decomposition:
    """Compute the three terms of a target on nodes [..., N+1].

    error: e^2 of the noise prediction, [..., D, N+1] for a Gaussian target, per dimension
    (perturbations.noise_error); for another target its mean over dimensions, [..., N+1].
    """
    sigmas = check_nodes(sigmas)
    # E_I = KL(p_{lam_0} || N(0, lam_0 I))
    initial = np.vectorize(target.initialisation_error, otypes=[float])(sigmas[..., 0] ** 2)
    terms = (initial, discretisation_error(target, sigmas), score_error(target, sigmas, error))
    return Decomposition(*np.broadcast_arrays(*terms))


def discretisation_error(target, sigmas: np.ndarray) -> np.ndarray:
    """E_D = (integral of J - sum_k J(lam_k) Delta_k) / 2 >= 0 on nodes [..., N+1]: [...]."""
    lam = check_nodes(sigmas) ** 2
    steps = lam[..., :-1] - lam[..., 1:]
    # Gaussian, without cancellation: each step of each dimension adds (-ln(1 - r) - r) / 2 with
    # r = Delta_k / (s_i^2 + lam_k).
    if isinstance(target, Gaussian):
        r = steps[..., None, :] / (target.variances[:, None] + lam[..., None, :-1])
        return 0.5 * ((-np.log1p(-r) - r).sum(axis=-1) @ target.counts)
    # J falls in lam: its sum at the upper ends of the steps is below its integral.
    whole = np.vectorize(target.fisher_integral, otypes=[float])(lam[..., -1], lam[..., 0])
    return 0.5 * (whole - (target.fisher_information(lam[..., :-1]) * steps).sum(axis=-1))


def score_error(target, sigmas: np.ndarray, error: np.ndarray) -> np.ndarray:
    """E_S = sum_i sum_k (1 - lam_{k+1} / lam_k) e^2_i(sigma_k) / 2; error as for `decompose`."""
    # Delta_k E||s_theta - s||^2 = (1 - lam_{k+1} / lam_k) e^2, because e^2 = lam E||s_theta - s||^2
    weights = step_weights(sigmas)
    if isinstance(target, Gaussian):
        return 0.5 * ((weights[..., None, :] * error[..., :-1]).sum(axis=-1) @ target.counts)
    return 0.5 * target.dim * (weights * error[..., :-1]).sum(axis=-1)


def step_weights(sigmas: np.ndarray) -> np.ndarray:
    """1 - lam_{k+1} / lam_k of each step, [..., N]: the share of the noise that it removes."""
    sigmas = check_nodes(sigmas)
    return 1 - (sigmas[..., 1:] / sigmas[..., :-1]) ** 2
