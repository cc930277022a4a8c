"""Cost of a schedule to leading order in 1/N, from the share of the noise that a model explains.

g(sigma) = d - E||eps_theta - n||^2 = d - L(sigma) / sigma^2, with L the denoising loss of the model
at sigma, equals lam (J - E||s_theta - s||^2): the cross term vanishes because the best denoiser is
a conditional mean. On nodes from sigma_max to sigma_min

    PathKL = const - sum_k (1 - lam_{k+1} / lam_k) g(sigma_k) / 2,

with a constant that no schedule changes: which of two schedules is better for a model follows from
its own loss alone. With kappa = g - (dg / d ln sigma) / 2 and ln sigma as a function of u = k / N,

    PathKL = const' + (1/N) integral of kappa(sigma) (d ln sigma / du)^2 du + O(1/N^2).

Noise levels `sigma` here are measuring points [M], rising; functions of them are [..., M].
"""

import numpy as np

from uncanny.diffusion.theory.decomposition import step_weights
from uncanny.diffusion.theory.grids import RHO


def explained_noise(loss: np.ndarray, sigma: np.ndarray, dim: int) -> np.ndarray:
    """g from the denoising loss L(sigma) = E||D_theta(x + sigma n) - x||^2, summed over dimensions,
    [..., M]. d where a model predicts all of the noise, 0 where it predicts none.
    """
    # g = d - L / sigma^2
    return dim - np.asarray(loss, float) / np.asarray(sigma, float) ** 2


def exact_explained_noise(target, error: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """g of a model with error e^2 on a Gaussian target, [..., D, M] per dimension; [..., M]."""
    # g = lam J - sum_i e_i^2
    lam = np.asarray(sigma, float) ** 2
    return lam * target.fisher_information(lam) - np.swapaxes(error, -1, -2) @ target.counts


def variable_path_kl(explained: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """The part of PathKL that depends on the schedule, [...]; explained: g at the nodes
    [..., N+1]. Only differences between schedules of one range mean anything.
    """
    # -sum_k (1 - lam_{k+1} / lam_k) g(sigma_k) / 2
    return -0.5 * (step_weights(sigmas) * explained[..., :-1]).sum(axis=-1)


def cost_density(explained: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """kappa(sigma) = -lam^2 d(J - q) / d lam, [..., M], with q = E||s_theta - s||^2. Near 0 where a
    model is untrained: there no schedule helps. Below 0 where long steps do less harm than short
    ones.
    """
    # kappa = g - (dg / d ln sigma) / 2, equal to the definition because g = lam (J - q)
    return explained - 0.5 * np.gradient(explained, np.log(sigma), axis=-1, edge_order=2)


def preference(density: np.ndarray, sigma: np.ndarray, rho: float = RHO) -> np.ndarray:
    """I = integral of kappa (rho (B - A) sigma^(-1/rho) - l) d ln sigma, [...], with A, B the ends
    of sigma^(1/rho) and l the length of the range in ln sigma: the limit of N (PathKL of the
    polynomial schedule - that of the exponential one). Below 0 the polynomial schedule is better,
    whose steps are finer at high noise (above 0.771 by default).
    """
    # (d ln sigma / du)^2 of each schedule, divided by it along the schedule: rho (B - A)
    # sigma^(-1/rho) for the polynomial one, l for the exponential one
    low, high = sigma[0] ** (1 / rho), sigma[-1] ** (1 / rho)
    speed = rho * (high - low) * sigma ** (-1 / rho)
    return np.trapezoid(density * (speed - np.log(sigma[-1] / sigma[0])), np.log(sigma), axis=-1)
