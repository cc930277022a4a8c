"""Preconditioning: how a raw network F becomes a denoiser D.

D(x; sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x, c_noise(sigma)) (Karras et al. 2022,
equation 7 and table 1). The coefficients are float64; sigma is in units of pixel values.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from uncanny.diffusion.forward import GeometricClock, SubVPClock, VPClock, one_per_image, per_image
from uncanny.registry.option_types import Above, OpenFraction, Positive, TwoOrMore


@dataclass(frozen=True)
class Preconditioning:
    """Four coefficients as functions of sigma (a float64 tensor), and the supported range of sigma.

    Karras et al. (2022), table 1, rows "network and preconditioning". clock: of the process in
    training, sigma as a function of time; None where training has no times.
    """

    sigma_min: float
    sigma_max: float
    c_skip: Callable[[Tensor], Tensor]
    c_out: Callable[[Tensor], Tensor]
    c_in: Callable[[Tensor], Tensor]
    c_noise: Callable[[Tensor], Tensor]
    clock: VPClock | GeometricClock | None = None


def vp(
    *,
    beta_d: Positive = 19.9,
    beta_min: Positive = 0.1,
    num_levels: TwoOrMore = 1000,
    epsilon_t: OpenFraction = 0.00001,
) -> Preconditioning:
    """VP-SDE: F predicts the noise; its input is the time, from 0 to num_levels - 1.

    epsilon_t: smallest time seen in training.
    """

    def c_in(sigma: Tensor) -> Tensor:
        return (1 + sigma**2).rsqrt()  # the variance-preserving state

    return _of_noise(VPClock(beta_d, beta_min), c_in, num_levels, epsilon_t)


def sub_vp(
    *,
    beta_d: Positive = 19.9,
    beta_min: Positive = 0.1,
    num_levels: TwoOrMore = 1000,
    epsilon_t: OpenFraction = 0.00001,
) -> Preconditioning:
    """sub-VP-SDE (Song et al. 2021, section 3.4): as `vp`, with less noise in the state."""

    def c_in(sigma: Tensor) -> Tensor:
        # exp(-B/2), from sigma = exp(B/2) - exp(-B/2), in the form 2 / (sigma + ..)
        return 2 / (sigma + (sigma**2 + 4).sqrt())

    return _of_noise(SubVPClock(beta_d, beta_min), c_in, num_levels, epsilon_t)


def _of_noise(
    clock: VPClock, c_in: Callable[[Tensor], Tensor], num_levels: int, epsilon_t: float
) -> Preconditioning:
    """F predicts the noise; its input is the clock's time, from 0 to num_levels - 1."""
    # Supported are the noise levels of training, sigma(epsilon_t) to sigma(1).
    low, high = clock.sigma(torch.tensor([epsilon_t, 1], dtype=torch.float64)).tolist()
    return Preconditioning(
        low,
        high,
        c_skip=torch.ones_like,
        c_out=lambda sigma: -sigma,  # D = x - sigma F
        c_in=c_in,
        c_noise=lambda sigma: (num_levels - 1) * clock.sigma_inv(sigma),
        clock=clock,
    )


def ve(
    *, sigma_min: Positive = 0.02, sigma_max: Annotated[Positive, Above("sigma_min")] = 100.0
) -> Preconditioning:
    """VE-SDE: F predicts the negative noise, sigma times the score."""
    return Preconditioning(
        sigma_min,
        sigma_max,
        c_skip=torch.ones_like,
        c_out=lambda sigma: sigma,  # D = x + sigma F
        c_in=torch.ones_like,
        # Karras et al. (2022), table 1: ln(sigma / 2)
        c_noise=lambda sigma: (sigma / 2).log(),
        clock=GeometricClock(float(sigma_min), float(sigma_max)),
    )


def edm(*, sigma_data: Positive = 0.5) -> Preconditioning:
    """Karras et al. (2022): input and target of F have unit variance.

    sigma_data: standard deviation of the data.
    """
    # c_in: unit variance of the input. c_skip: the least c_out, so that errors of F are amplified
    # least. c_out: unit variance of the target (appendix B.6).
    return Preconditioning(
        0.0,
        math.inf,
        c_skip=lambda sigma: sigma_data**2 / (sigma**2 + sigma_data**2),
        c_out=lambda sigma: sigma * sigma_data * (sigma**2 + sigma_data**2).rsqrt(),
        c_in=lambda sigma: (sigma**2 + sigma_data**2).rsqrt(),
        # of the order of 1 over the noise levels of training
        c_noise=lambda sigma: sigma.log() / 4,
    )


def denoise(
    network: nn.Module,
    preconditioning: Preconditioning,
    x: Tensor,
    sigma: float | Tensor,
    labels: Tensor | None = None,
) -> Tensor:
    """D(x; sigma) in the dtype of x; the network runs in its own. Differentiable.

    x: [N, ...]. sigma: [] or [N], positive. labels: one-hot [N, K] or None.
    """
    # Coefficients in float64, the state in the sampler's precision, F in that of its weights.
    sigma = one_per_image(sigma, x, torch.float64)
    c_skip, c_out, c_in = (
        per_image(coefficient(sigma), x)
        for coefficient in (preconditioning.c_skip, preconditioning.c_out, preconditioning.c_in)
    )
    dtype = _dtype(network, x)
    c_noise = preconditioning.c_noise(sigma).to(dtype)
    labels = None if labels is None else labels.to(dtype)
    # D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)
    return c_skip * x + c_out * network((c_in * x).to(dtype), c_noise, labels).to(x.dtype)


def _dtype(network: nn.Module, x: Tensor) -> torch.dtype:
    """Precision of the weights; that of x for a network without weights."""
    return next((p.dtype for p in network.parameters()), x.dtype)
