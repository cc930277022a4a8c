"""Euler-Maruyama sampler of the reverse process in an augmented state."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.registry.option_types import Positive
from uncanny.samplers.phase_steps import guided_score, integrate, langevin, numbered
from uncanny.samplers.steps import Noise

# A corrector step follows every step but the one to 0
NFE = "num_steps + (corrector != 'none') * (num_steps - denoise)"
ORDER = "1"
NOISE = "True"


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
    snr: Positive = 0.16,
) -> Tensor:
    """z + h (-F z + G G^T score) + sqrt(h) G noise, at the start of each step (arXiv 2303.01748,
    section 4).

    phase_model: score(z, t) with its `process`. z: [N, d C, ...] of the stationary law.
    times: [num_steps + 1], falling from 1; a last step to 0 adds no noise.
    gradient: gradient(z, t) = scale * grad log p(y | z, t), added to the score, or None.
    constrain: constrain(z, t_next, t_cur) holds known pixels at their values at t_next, or None.
    denoise_drift: drift of the step to 0, that of the SDE or of the ODE. corrector, snr: a Langevin
    step after each step but that one, see `phase_steps.langevin`.
    Draw i of the noise belongs to step i; with a corrector, draws 2i and 2i + 1.
    Returns float64 [N, d C, ...]. NFE = num_steps, plus one per corrector step.
    """
    process, draw = phase_model.process, numbered(noise)

    def step(z: Tensor, t_cur: float, t_next: float) -> Tensor:
        h = t_cur - t_next
        # Drift of the reverse SDE, -F z + G G^T score, at speed beta(t)
        drift = process.reverse(z, guided_score(phase_model, z, t_cur, gradient), t_cur)
        # Noise of covariance h beta(t) G G^T
        spread = torch.sqrt(h * process.rate(t_cur)) * process.recipe.G
        # Euler-Maruyama step
        return z + h * drift + apply(spread, draw(z))

    correct = langevin(phase_model, draw, gradient, corrector, snr)
    return integrate(
        step,
        phase_model,
        z,
        times,
        gradient=gradient,
        constrain=constrain,
        correct=correct,
        denoise_drift=denoise_drift,
    )
