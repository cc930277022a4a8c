"""DDPM: noise in T discrete levels, the network predicts eps (Ho et al. 2020)."""

from typing import Literal

import torch

from uncanny import losses, schedules
from uncanny.families import Family
from uncanny.processes import alphas_cumprod

OFFERS = "eps_model"
NEEDS_SCHEDULE = True


def discrete(schedule, *, num_levels: int = 1000) -> "Discrete":
    """The discrete process. schedule: num_levels → betas [T]; num_levels: T."""
    return Discrete(schedule(num_levels))


def start(model, latents, *, num_steps: int, times: Literal["ancestral", "ddim"] = "ancestral"):
    """Walk from standard normal noise along num_steps of the T levels: (x, times [num_steps + 1],
    {}).

    times: `ancestral` keeps both ends of an even spread, `ddim` takes the integer parts of an even
    grid from −1 to T−1.
    """
    choose = schedules.ddim_times if times == "ddim" else schedules.ancestral_times
    return latents, choose(len(model.alphas_cumprod), num_steps), {}


class Discrete(Family):
    """x_t = √ᾱ_t x0 + √(1−ᾱ_t) eps, t = 0..T−1. betas: float64 [T]."""

    start = staticmethod(start)

    def __init__(self, betas: torch.Tensor):
        self.alphas_cumprod = alphas_cumprod(betas)

    def loss(self, network, x0, labels, generator) -> torch.Tensor:
        """eps-MSE at t ~ U{0..T−1}; x0 [N, ...], labels one-hot [N, K] or None → [N]."""
        levels = self.alphas_cumprod.to(x0.device)
        t = torch.randint(len(levels), (len(x0),), generator=generator, device=x0.device)
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        return losses.eps_loss(lambda x, t: network(x, t.to(x.dtype), labels), x0, t, noise, levels)

    def bind(self, network, labels) -> "EpsModel":
        return EpsModel(network, labels, self.alphas_cumprod)


class EpsModel:
    """eps(x, t) of a trained network: float64 outside, the network's precision inside."""

    def __init__(self, network, labels, alphas_cumprod):
        self.network, self.alphas_cumprod = network, alphas_cumprod
        self.dtype = next(network.parameters()).dtype
        self.labels = None if labels is None else labels.to(self.dtype)

    def __call__(self, x: torch.Tensor, t: int) -> torch.Tensor:
        level = torch.full((len(x),), t, dtype=self.dtype, device=x.device)
        return self.network(x.to(self.dtype), level, self.labels).to(x.dtype)
