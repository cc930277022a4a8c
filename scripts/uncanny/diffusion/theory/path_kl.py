"""Divergence between the true reverse path and that of the sampler, by Monte Carlo.

A check of the decomposition that uses none of its theory.
"""

from collections.abc import Callable

import numpy as np

from uncanny.diffusion.theory.grids import check_nodes


def monte_carlo(
    target, sigmas: np.ndarray, model: Callable, rng: np.random.Generator, count: int
) -> tuple[float, float]:
    """Return (estimate, standard error) of PathKL on nodes [N+1], in nats.

    model: s_theta(x [n, d], sigma) -> [n, d]. count: paths per step.
    """
    sigmas = check_nodes(sigmas)
    # Girsanov: PathKL = E_I + sum_k E integral over step k of
    # ||s(X_lam, lam) - s_theta(X_k, sigma_k)||^2 / 2 d lam, along the true reverse process.
    total, variance = target.initialisation_error(sigmas[0] ** 2), 0.0
    for high, low in zip(sigmas[:-1] ** 2, sigmas[1:] ** 2, strict=True):
        # One lam per path, uniform in ln lam: no sub-grid, hence no bias
        length = np.log(high / low)
        lam = low * np.exp(length * rng.random(count))
        # The joint law at two times is that of data with noise added twice.
        x = target.draw(rng, count)
        x = x + np.sqrt(lam)[:, None] * rng.standard_normal(x.shape)
        x_k = x + np.sqrt(high - lam)[:, None] * rng.standard_normal(x.shape)
        gap = target.score(x, lam) - model(x_k, np.sqrt(high))
        # d lam = lam d ln lam
        terms = 0.5 * length * lam * (gap**2).sum(axis=1)
        total += terms.mean()
        variance += terms.var(ddof=1) / count
    return float(total), float(np.sqrt(variance))
