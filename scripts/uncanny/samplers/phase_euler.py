"""Euler-Maruyama sampler of the reverse process in an augmented state."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.samplers.phase_steps import descend, langevin, numbered, pull
from uncanny.samplers.steps import Noise


def phase_euler(
    phase_model: Callable[[Tensor, float], Tensor],
    z: Tensor,
    times: Tensor,
    *,
    noise: Noise,
    gradient: Callable[[Tensor, float], Tensor] | None = None,
    constrain: Callable[[Tensor, float, float | None], Tensor] | None = None,
    denoise_drift: Literal["sde", "ode"] = "sde",
    corrector: Literal["none", "langevin_phase"] = "none",
    snr: float = 0.16,
) -> Tensor:
    """z + h (-F z + G G^T score) + sqrt(h) G noise, at the start of each step (arXiv 2303.01748,
    section 4).

    phase_model: score(z, t) with its `process`. z: [N, d C, ...] of the stationary law.
    times: [num_steps + 1], falling from 1; a last step to 0 adds no noise.
    gradient: gradient(z, t) = scale * grad log p(y | z, t), added to the score, or None.
    constrain: constrain(z, t, before) holds known pixels at their values at t, or None.
    denoise_drift: drift of the step to 0, that of the SDE or of the ODE. corrector, snr: a Langevin
    step after each step but that one, see `phase_steps.langevin`.
    Draw i of the noise belongs to step i; with a corrector, draws 2i and 2i + 1.
    Returns float64 [N, d C, ...]. NFE = num_steps, plus one per corrector step.
    """
    process, draw = phase_model.process, numbered(noise)

    def step(z: Tensor, t: float, after: float) -> Tensor:
        h = t - after
        drift = process.reverse(z, pull(phase_model, z, t, gradient), t)
        spread = torch.sqrt(h * process.rate(t)) * process.recipe.G
        return z + h * drift + apply(spread, draw(z))

    correct = langevin(phase_model, draw, gradient, corrector, snr)
    bends = {"gradient": gradient, "constrain": constrain, "correct": correct}
    return descend(step, phase_model, z, times, denoise_drift=denoise_drift, **bends)
