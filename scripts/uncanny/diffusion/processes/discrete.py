"""DDPM: noise in T discrete levels, the network predicts eps (Ho et al. 2020), v or x0."""

from typing import Literal

import torch

from uncanny.diffusion import losses, schedules, variational
from uncanny.diffusion.chain import (
    alpha_bar_at,
    alphas_cumprod,
    diffuse,
    eps_from_v,
    eps_from_x0,
)
from uncanny.diffusion.forward import one_per_image
from uncanny.diffusion.processes import Family, shown
from uncanny.registry.option_types import PositiveInt, TwoOrMore
from uncanny.runtime.hardware import constant

MODEL_INTERFACE = "eps_model"
LEVEL = "t"
NEEDS_SCHEDULE = True
# Interfaces that its models have as well -> the process whose init_sampling is for them
VIEWS = {"denoiser": "continuous"}
# Options at these values are not in an identity
LEFT_OUT = {"prediction": "eps", "variance": "fixed"}
VLB_WEIGHT = 0.001  # of the variational bound in the hybrid loss


def discrete(
    schedule,
    *,
    num_levels: TwoOrMore = 1000,
    prediction: Literal["eps", "v", "x0"] = "eps",
    variance: Literal["fixed", "learned_range"] = "fixed",
) -> "Discrete":
    """Build the discrete process. schedule: num_levels → betas [T]; num_levels: T.

    prediction: what the network predicts, the noise, v = √ᾱ eps − √(1−ᾱ) x0 (Salimans & Ho 2022) or
    x0. Each is trained by its mean squared error; that of v is SNR + 1 times that of x0.
    variance: of the steps of `ancestral`; `learned_range`: the network has a second output, which
    chooses it between β̃_t and β_t (Nichol & Dhariwal 2021, section 3.1).
    """
    return Discrete(schedule(num_levels), prediction, variance == "learned_range")


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
    """x_t = √ᾱ_t x0 + √(1−ᾱ_t) eps, t = 0..T−1. betas: float64 [T]. prediction: "eps", "v"
    or "x0". learns_variance: the network has a second output.
    """

    init_sampling = staticmethod(init_sampling)
    guided_as, level = "discrete", LEVEL

    def __init__(self, betas: torch.Tensor, prediction="eps", learns_variance: bool = False):
        self.alphas_cumprod = alphas_cumprod(betas)
        self.prediction, self.learns_variance = prediction, learns_variance

    @property
    def num_levels(self) -> int:
        return len(self.alphas_cumprod)

    def network_shape(self, shape) -> tuple:
        return (tuple(shape), 2 * shape[0]) if self.learns_variance else (tuple(shape),)

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
        """MSE of the prediction at t ~ U{0..T−1}, and 0.001 L_vlb for the variance where it is
        learned; x0 [N, ...], labels one-hot [N, K] or None → [N].
        """
        # t ~ U{0..T−1}, then eps ~ N(0, I): ‖eps(x_t, t) − eps‖² (Ho et al. 2020, equation 14)
        levels = constant(self.alphas_cumprod, x0.device)
        t = torch.randint(len(levels), (len(x0),), generator=generator, device=x0.device)
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        seen = {}  # x_t and the second output

        def predicted(x, t):
            output = network(x, t.to(x.dtype), labels)
            if not self.learns_variance:
                return output
            prediction, share = output.chunk(2, dim=1)
            seen.update(x=x, prediction=prediction, share=share)
            return prediction

        loss = losses.prediction_loss(predicted, x0, t, noise, levels, self.prediction)
        return loss + self._vlb(x0, t, **seen) if self.learns_variance else loss

    def _vlb(self, x0, t, x, prediction, share) -> torch.Tensor:
        """0.001 L_vlb in bits per dimension [N], of which only the variance is trained."""
        # E_t[T L_t] = L_vlb (Nichol & Dhariwal 2021, equation 16); the mean is detached.
        levels = constant(self.alphas_cumprod, x0.device)
        eps = self.eps_of(x, prediction.detach(), levels[t])
        terms = variational.terms(x0, x, t, eps, levels, share)
        return (VLB_WEIGHT * len(levels) * terms).to(x0.dtype)

    def eps_of(self, x, prediction, alpha_bar) -> torch.Tensor:
        """eps of the network's prediction for x [N, ...]. alpha_bar: [] or [N]."""
        if self.prediction == "v":
            return eps_from_v(x, prediction, alpha_bar)
        return eps_from_x0(x, prediction, alpha_bar) if self.prediction == "x0" else prediction

    def bind(self, network, labels) -> "EpsModel":
        return EpsModel(network, labels, self)


class EpsModel:
    """eps(x, t) of a trained network: float64 outside, the network's precision inside.

    family: the Discrete process of its training.
    """

    def __init__(self, network, labels, family: Discrete):
        self.network, self.family = network, family
        self.alphas_cumprod = family.alphas_cumprod
        self.dtype = next(network.parameters()).dtype
        self.labels = None if labels is None else labels.to(self.dtype)

    def __call__(self, x: torch.Tensor, t, rows=None, unconditional=False, variance=False):
        """eps of x [N, ...]. t: one time or [N], whole or between two. rows, unconditional: as of a
        Denoiser. variance: return (eps, second output) of a network that has one.
        """
        # The network's input is the time itself, 0..T-1, not rescaled.
        level = one_per_image(t, x, self.dtype)
        labels = shown(self.labels, rows, unconditional)
        prediction = self.network(x.to(self.dtype), level, labels).to(x.dtype)
        if self.family.learns_variance:
            prediction, share = prediction.chunk(2, dim=1)
        if self.family.prediction != "eps":
            # At a number, on the processor: copying it to the device would wait for its queue.
            table = self.alphas_cumprod
            table = constant(table, t.device) if isinstance(t, torch.Tensor) else table
            alpha_bar = alpha_bar_at(table, t)
            prediction = self.family.eps_of(x, prediction, alpha_bar)
        return (prediction, share) if variance else prediction
