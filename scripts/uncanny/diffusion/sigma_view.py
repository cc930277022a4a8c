"""Discrete models through their noise levels: a denoiser D(x; sigma) at any sigma in their range.

x_t / sqrt(alpha_bar_t) = x0 + sigma n with sigma^2 = (1 - alpha_bar_t) / alpha_bar_t, so that the
predicted noise gives D(y; sigma) = y - sigma eps(y / sqrt(1 + sigma^2), t(sigma)) (Karras et al.
2022, appendix C.3, with times between those of training).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from uncanny.diffusion.forward import per_image
from uncanny.diffusion.processes import Family, continuous
from uncanny.runtime.hardware import constant


def seen_as(family: Family, interface: str) -> Family:
    """A family as samplers of an interface take it."""
    viewed = interface == "denoiser" and hasattr(family, "alphas_cumprod")
    return SigmaView(family) if viewed else family


class SigmaView(Family):
    """A discrete family whose models are denoisers."""

    init_sampling = staticmethod(continuous.init_sampling)

    def __init__(self, family: Family):
        self.family = family

    def bind(self, network, labels) -> "SigmaDenoiser":
        return SigmaDenoiser(self.family.bind(network, labels))

    def finish(self, x):
        return self.family.finish(x)


class Range(NamedTuple):
    """Noise levels that a network supports, without a clock, as of a Preconditioning."""

    sigma_min: float
    sigma_max: float
    clock: None = None


class SigmaDenoiser:
    """D(x; sigma) of a model of the noise, eps(x, t) with alphas_cumprod [T].

    levels: noise levels of its training, rising, float64 [T]. preconditioning: their range.
    """

    def __init__(self, eps_model):
        self.eps_model, alpha_bar = eps_model, eps_model.alphas_cumprod.double()
        self.levels = ((1 - alpha_bar) / alpha_bar).sqrt()
        self.preconditioning = Range(*self.levels[[0, -1]].tolist())
        self._logs = self.levels.log()

    def time(self, sigma: Tensor) -> Tensor:
        """t(sigma) [..], 0 to T - 1, from ln sigma between neighbouring levels."""
        logs, wanted = constant(self._logs, sigma.device), sigma.double().log()
        after = torch.searchsorted(logs, wanted.contiguous()).clamp(1, len(logs) - 1)
        low, high = logs[after - 1], logs[after]
        return (after - 1 + (wanted - low) / (high - low)).clamp(0, len(logs) - 1)

    @property
    def labels(self) -> Tensor | None:
        return self.eps_model.labels

    def __call__(self, x: Tensor, sigma, rows=None, **more) -> Tensor:
        """D of x [N, ...]; sigma, rows and more as of a continuous.Denoiser."""
        sigma = torch.as_tensor(sigma, dtype=torch.float64)
        scaled = per_image((1 + sigma**2).rsqrt(), x) * x
        return x - per_image(sigma, x) * self.eps_model(scaled, self.time(sigma), rows=rows, **more)
