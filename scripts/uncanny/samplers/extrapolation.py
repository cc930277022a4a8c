"""Parts of the multistep samplers: they extrapolate from evaluations of earlier steps.

The unscaled state y = x0 + sigma n follows dy/dsigma = (y - D(y; sigma)) / sigma, and in lambda =
-ln sigma, half the log signal-to-noise ratio, dy/dlambda = D(y; sigma) - y. A step from lambda to
lambda + h has the exact solution e^-h y + the integral of e^-(h - u) D(u) du, in every scaling of
the state (Lu et al. 2022, DPM-Solver++, proposition 4.1): samplers built on it depend on the grid
of noise levels only.
"""

import math

import numpy as np
from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH
from uncanny.samplers import steps


def check(sigmas: Tensor, order: int) -> None:
    """Raise ValueError for levels [N + 1] that do not fall to 0 or more, and for N < order."""
    steps.times(sigmas, SIGMA_PATH)
    if len(sigmas) - 1 < order:
        raise ValueError(f"order={order}: expected at most the number of steps, {len(sigmas) - 1}")


def lambdas(sigmas: Tensor, order: int) -> list[float]:
    """-ln sigma of checked noise levels [N + 1]; infinite at 0."""
    check(sigmas, order)
    return [-math.log(sigma) if sigma else math.inf for sigma in sigmas.tolist()]


def orders(sigmas: Tensor, order: int, lower_order_final: bool) -> list[int]:
    """Order of each step: no more than evaluations are there, and 1 in a step to sigma = 0.

    lower_order_final: no more than steps are left, which keeps few steps stable (code of Lu et al.
    2022, DPM-Solver++, and of Zhao et al. 2023, UniPC).
    """
    N = len(sigmas) - 1
    left = [N - i if lower_order_final else order for i in range(N)]
    limits = [1 if sigmas[i + 1] == 0 else left[i] for i in range(N)]
    return [min(order, i + 1, limit) for i, limit in enumerate(limits)]


def weights(nodes: list[float], moments: list[float]) -> list[float]:
    """w with sum_j w_j nodes_j^k = moments_k, k < n: the integral of the polynomial through values
    at n nodes is the sum of w_j times the values, if moments are the integrals of s^k.
    """
    powers = np.vander(nodes, len(nodes), increasing=True).T
    return np.linalg.solve(powers, moments[: len(nodes)]).tolist()


def exponential_moments(h: float, count: int) -> list[float]:
    """Integrals of e^-(h - u) (u / h)^k du over [0, h], k = 0 .. count - 1."""
    # By parts: I_k = 1 - k I_(k-1) / h, from I_0 = 1 - e^-h. As a series where that cancels
    if h < 1:
        # I_k = sum_j (-1)^j h^(j+1) k! / (k + j + 1)!
        return [_series(h, k) for k in range(count)]
    moments = [-math.expm1(-h)]
    for k in range(1, count):
        moments.append(1 - k * moments[-1] / h)
    return moments


def _series(h: float, k: int) -> float:
    term = total = h / (k + 1)
    for j in range(1, 25):
        term *= -h / (k + j + 1)
        total += term
    return total


def weighted(values: list[Tensor], factors: list[float]) -> Tensor:
    """Sum of tensors times numbers; the first tensors, where there are more of them."""
    return sum(w * value for w, value in zip(factors, values, strict=False))


def noise_of(denoiser: steps.Denoiser, y: Tensor, sigma: Tensor) -> Tensor:
    """Predicted noise eps = (y - D(y; sigma)) / sigma = dy/dsigma."""
    return (y - denoiser(y, sigma)) / sigma
