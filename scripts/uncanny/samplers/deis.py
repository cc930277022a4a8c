"""DEIS: the exponential integrator of the predicted noise, extrapolated as a polynomial."""

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import NotAbove
from uncanny.samplers.extrapolation import check, noise_of, orders, weighted, weights
from uncanny.samplers.steps import Denoiser, Noise

NFE = "num_steps"
ORDER = "order"
NOISE = "False"

# Gauss-Legendre rule on [0, 1], for integrals over a step
NODES, SHARES = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(32))
NODES, SHARES = (1 + NODES) / 2, SHARES / 2


def deis(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    order: Annotated[Literal[1, 2, 3, 4], NotAbove("num_steps")] = 3,
    variable: Literal["log_sigma", "sigma", "time"] = "log_sigma",
    lower_order_final: bool = True,
) -> Tensor:
    """y' = y + sum_j C_j eps_j, C_j the integral of a Lagrange polynomial over sigma (Zhang and
    Chen 2023, DEIS, arXiv 2204.13902, equations 14 and 15, multistep AB).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling.
    order: evaluations in a polynomial. variable: ln sigma, sigma (rhoAB) or the time of the path's
    clock (tAB). lower_order_final: see `orders`. Returns float64 [N, ...]. NFE = num_steps.
    """
    check(sigmas, order)
    y, eps = latents.double() * sigmas[0], []
    for i, p in enumerate(orders(sigmas, order, lower_order_final)):
        eps = [noise_of(denoiser, y, sigmas[i]), *eps[: order - 1]]
        levels = sigmas[max(0, i - p + 1) : i + 2].flip(0)  # sigma_i+1, sigma_i, sigma_i-1, ...
        C = _integrals(levels, variable, path) if p > 1 else [levels[0] - levels[1]]
        y = y + weighted(eps, C)
    return y


def _integrals(levels: Tensor, variable: str, path: Path) -> list[float]:
    """C_j of the step from the second of the levels to the first, with eps at all but the first."""
    if variable == "time":
        v, rate = path.sigma_inv(levels), path.sigma_deriv
    else:
        v = levels.log() if variable == "log_sigma" else levels
        rate = torch.exp if variable == "log_sigma" else torch.ones_like
    # s from 0 to 1 along the step: moments of s^k are integrals of s^k dsigma/dv dv
    length = v[0] - v[1]
    density = SHARES * rate(v[1] + NODES * length) * length
    moments = [float((density * NODES**k).sum()) for k in range(len(levels) - 1)]
    return weights(((v[1:] - v[1]) / length).tolist(), moments)
