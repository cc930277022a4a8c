"""DDPM: noise in T discrete levels, the network predicts eps (Ho et al. 2020)."""

from typing import Literal

import torch

from uncanny.diffusion import losses, schedules
from uncanny.diffusion.forward import alphas_cumprod, diffuse, one_per_image
from uncanny.diffusion.processes import Family, shown
from uncanny.registry.option_types import PositiveInt, TwoOrMore
from uncanny.runtime.hardware import constant

MODEL_INTERFACE = "eps_model"
LEVEL = "t"
NEEDS_SCHEDULE = True
# Interfaces that its models have as well -> the process whose init_sampling is for them
VIEWS = {"denoiser": "continuous"}


def discrete(schedule, *, num_levels: TwoOrMore = 1000) -> "Discrete":
    """Build the discrete process. schedule: num_levels → betas [T]; num_levels: T."""
    return Discrete(schedule(num_levels))


def init_sampling(
    model,
    latents,
    originals=None,
    *,
    num_steps: PositiveInt,
    times: Literal["ancestral", "ddim", "quad"] = "ancestral",
    init: Literal["noise", "marginal"] = "noise",
):
    """Begin sampling at x_T with num_steps of the T levels: (x, times [num_steps + 1], {}).

    times: `ancestral` keeps both ends of an even spread, `ddim` takes the integer parts of an even
    grid from −1 to T−1, `quad` those of squares up to 0.8 T, dense near the data. init: x_T is
    standard normal `noise`, or has the `marginal` distribution of training, √ᾱ_T originals +
    √(1−ᾱ_T) latents. That is a diagnostic of schedules that end before the data have vanished, not
    a sampler: training images leak.
    originals: training images [N, ...] in the model's range, for `marginal` only.
    Raises ValueError for `marginal` without originals.
    """
    levels = schedules.TIMES[times](len(model.alphas_cumprod), num_steps)
    if init == "noise":
        return latents, levels, {}
    if originals is None:
        raise ValueError("init: marginal without training images; expected originals")
    # x_T ~ q(x_T) = √ᾱ_T x0 + √(1−ᾱ_T) z
    last = model.alphas_cumprod[levels[0]]
    return diffuse(originals.double(), latents.double(), last), levels, {}


class Discrete(Family):
    """x_t = √ᾱ_t x0 + √(1−ᾱ_t) eps, t = 0..T−1. betas: float64 [T]."""

    init_sampling = staticmethod(init_sampling)
    guided_as, level = "discrete", LEVEL

    def __init__(self, betas: torch.Tensor):
        self.alphas_cumprod = alphas_cumprod(betas)

    @property
    def num_levels(self) -> int:
        return len(self.alphas_cumprod)

    def draw_times(self, count: int, generator, ends: tuple | None = None) -> torch.Tensor:
        """Uniform times from the first to the last of `ends`, by default 0..T−1: int64 [count]."""
        first, last = ends or (0, self.num_levels - 1)
        size, device = (count,), generator.device
        return torch.randint(first, last + 1, size, generator=generator, device=device)

    def time_condition(self, t):
        """The input of classifiers for a time t: t itself, not rescaled."""
        return t

    def noised(self, x0, t, generator) -> torch.Tensor:
        """Sample x_t of images x0 [N, ...], in their dtype, for t [N]."""
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        return diffuse(x0, noise, constant(self.alphas_cumprod, x0.device)[t])

    def loss(self, network, x0, labels, generator) -> torch.Tensor:
        """eps-MSE at t ~ U{0..T−1}; x0 [N, ...], labels one-hot [N, K] or None → [N]."""
        # t ~ U{0..T−1}, then eps ~ N(0, I): ‖eps(x_t, t) − eps‖² (Ho et al. 2020, equation 14)
        levels = constant(self.alphas_cumprod, x0.device)
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

    def __call__(self, x: torch.Tensor, t, rows=None, unconditional=False) -> torch.Tensor:
        """eps of x [N, ...]. t: one time or [N], whole or between two. rows, unconditional: as of a
        Denoiser.
        """
        # The network's input is the time itself, 0..T-1, not rescaled.
        level = one_per_image(t, x, self.dtype)
        labels = shown(self.labels, rows, unconditional)
        return self.network(x.to(self.dtype), level, labels).to(x.dtype)
