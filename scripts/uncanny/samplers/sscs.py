"""Symmetric splitting sampler of the reverse process in an augmented state."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.diffusion.linear_process import regularised
from uncanny.diffusion.recipe import Recipe, change
from uncanny.registry.option_types import Positive
from uncanny.samplers.phase_steps import guided_score, integrate, langevin, numbered
from uncanny.samplers.steps import Noise

# A corrector step follows every step but the one to 0
NFE = "order * (num_steps - denoise) + denoise + (corrector != 'none') * (num_steps - denoise)"
ORDER = "order"
NOISE = "True"


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
    snr: Positive = 0.16,
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
    # G G^T Sigma_inf^-1: A takes -Sigma_inf^-1 z for the score, S the difference
    whitened = process.recipe.GGT @ torch.linalg.inv(process.recipe.Sigma_inf)

    def ou_half_step(z: Tensor, duration: Tensor) -> Tensor:
        moved, spread = transition(backward, duration)
        return z + apply(moved, z) + apply(spread, draw(z))

    def drift(z: Tensor, t: float) -> Tensor:
        score = guided_score(phase_model, z, t, gradient)
        return process.rate(t) * (apply(process.recipe.GGT, score) + apply(whitened, z))

    correct = langevin(phase_model, draw, gradient, corrector, snr)
    return integrate(
        _splitting(process, drift, ou_half_step, order),
        phase_model,
        z,
        times,
        gradient=gradient,
        constrain=constrain,
        correct=correct,
        denoise_drift=denoise_drift,
    )


def _splitting(process, drift: Callable, ou_half_step: Callable, order: int) -> Callable:
    """One step: A over its first half, S over all of it, A over its second half."""

    def step(z: Tensor, t_cur: float, t_next: float) -> Tensor:
        h, t_mid = t_cur - t_next, (t_cur + t_next) / 2
        # B(t), the integral of beta: the clock on which A is exact
        B_cur, B_mid, B_next = (process.integral(t) for t in (t_cur, t_mid, t_next))
        # A: exact Ornstein-Uhlenbeck half-step
        z = ou_half_step(z, B_cur - B_mid)
        if order == 1:
            # S: Euler step, with the score at the start of the step as published
            z = z + h * drift(z, t_cur)
        else:
            # S: explicit midpoint step
            z = z + h * drift(z + h / 2 * drift(z, t_mid), t_mid)
        # A: second half-step
        return ou_half_step(z, B_mid - B_next)

    return step


def transition(recipe: Recipe, duration: Tensor) -> tuple[Tensor, Tensor]:
    """Exact law of a recipe's process after a duration in B, given z: the change Phi - I of its
    mean, and a root of its covariance (regularised), [d, d] each.
    """
    moved = change(recipe.F, duration)
    # Covariance Sigma_inf - Phi Sigma_inf Phi^T, written with Phi - I so that short steps do not
    # cancel
    lost = moved @ recipe.Sigma_inf
    return moved, torch.linalg.cholesky(regularised(-(lost + lost.T + lost @ moved.T)))
