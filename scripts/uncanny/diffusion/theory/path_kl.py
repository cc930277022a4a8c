"""The divergence between the true reverse path and that of the sampler, by Monte Carlo: a check of
the decomposition that uses none of its theory.
"""

from collections.abc import Callable

import numpy as np

from uncanny.diffusion.theory.grids import check_nodes


def monte_carlo(
    target, sigmas: np.ndarray, model: Callable, rng: np.random.Generator, count: int
) -> tuple[float, float]:
    """(estimate, standard error) of PathKL on nodes [N+1], in nats.

    By Girsanov's theorem PathKL = E_I + sum_k E integral of ||s(X_lam, lam) - s_theta(X_k,
    sigma_k)||^2 / 2 d lam over each step, along the true reverse process, whose law at two times is
    that of data with noise added twice. lam is drawn evenly in ln lam: no sub-grid, no bias.

    model: s_theta(x [n, d], sigma) -> [n, d]. count: paths per step.
    """
    sigmas = check_nodes(sigmas)
    total, variance = target.initialisation_error(sigmas[0] ** 2), 0.0
    for high, low in zip(sigmas[:-1] ** 2, sigmas[1:] ** 2, strict=True):
        length = np.log(high / low)
        lam = low * np.exp(length * rng.random(count))
        x = target.draw(rng, count)
        x = x + np.sqrt(lam)[:, None] * rng.standard_normal(x.shape)
        start = x + np.sqrt(high - lam)[:, None] * rng.standard_normal(x.shape)
        gap = target.score(x, lam) - model(start, np.sqrt(high))
        terms = 0.5 * length * lam * (gap**2).sum(axis=1)
        total += terms.mean()
        variance += terms.var(ddof=1) / count
    return float(total), float(np.sqrt(variance))
