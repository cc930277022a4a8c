"""Symmetric splitting sampler of the reverse process in an augmented state."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.diffusion.linear_process import regularised
from uncanny.diffusion.recipe import Recipe, change
from uncanny.samplers.phase_steps import descend, langevin, numbered, pull
from uncanny.samplers.steps import Noise


def sscs(
    phase_model: Callable[[Tensor, float], Tensor],
    z: Tensor,
    times: Tensor,
    *,
    noise: Noise,
    gradient: Callable[[Tensor, float], Tensor] | None = None,
    constrain: Callable[[Tensor, float, float | None], Tensor] | None = None,
    order: Literal[1, 2] = 1,
    denoise_drift: Literal["sde", "ode"] = "sde",
    corrector: Literal["none", "langevin_phase"] = "none",
    snr: float = 0.16,
) -> Tensor:
    """Exact half-steps of an Ornstein-Uhlenbeck process around a step by the score that is left
    (arXiv 2112.07068, appendix D; arXiv 2303.01748, section 4).

    A: dz = -(F + G G^T Sigma_inf^-1) z dr + G dw keeps the stationary law and is drawn from
    exactly. S: dz = G G^T (score + Sigma_inf^-1 z) dr. A step is A over its first half, S over all
    of it, A over its second half.

    order: 1, S is one Euler step with the score of the step's start, as published; 2, an explicit
    midpoint step with the score of the middle of the step.
    Other arguments as `phase_euler`. Draws 2i and 2i + 1 of the noise belong to step i; with a
    corrector, 3i to 3i + 2.
    Returns float64 [N, d C, ...]. NFE: num_steps for order 1; for order 2 twice the steps before
    the one to 0; plus one per corrector step.
    """
    process, draw = phase_model.process, numbered(noise)
    backward = process.recipe.reversed_coupling()
    whitened = process.recipe.GGT @ torch.linalg.inv(process.recipe.Sigma_inf)

    def half(z: Tensor, duration: Tensor) -> Tensor:
        moved, spread = transition(backward, duration)
        return z + apply(moved, z) + apply(spread, draw(z))

    def push(z: Tensor, t: float) -> Tensor:
        score = pull(phase_model, z, t, gradient)
        return process.rate(t) * (apply(process.recipe.GGT, score) + apply(whitened, z))

    def step(z: Tensor, t: float, after: float) -> Tensor:
        h, middle = t - after, (t + after) / 2
        B, B_middle, B_after = (process.integral(time) for time in (t, middle, after))
        z = half(z, B - B_middle)
        start = t if order == 1 else middle
        ahead = z if order == 1 else z + h / 2 * push(z, middle)
        return half(z + h * push(ahead, start), B_middle - B_after)

    correct = langevin(phase_model, draw, gradient, corrector, snr)
    bends = {"gradient": gradient, "constrain": constrain, "correct": correct}
    return descend(step, phase_model, z, times, denoise_drift=denoise_drift, **bends)


def transition(recipe: Recipe, duration: Tensor) -> tuple[Tensor, Tensor]:
    """Exact law of a recipe's process after a duration in B, given z: the change Phi - I of its
    mean, and a root of its covariance (regularised), [d, d] each.
    """
    moved = change(recipe.F, duration)
    lost = moved @ recipe.Sigma_inf
    return moved, torch.linalg.cholesky(regularised(-(lost + lost.T + lost @ moved.T)))
