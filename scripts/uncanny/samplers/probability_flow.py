"""Adaptive sampler of the probability-flow ODE in an augmented state."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from uncanny.registry.option_types import OpenFraction, PositiveInt
from uncanny.samplers import adaptive_ode
from uncanny.samplers.phase_steps import denoise
from uncanny.samplers.steps import Noise

NFE = None  # it chooses its steps, image by image
ORDER = "5"
NOISE = "False"


def probability_flow(
    phase_model: Callable[[Tensor, Tensor], Tensor],
    z: Tensor,
    times: Tensor,
    *,
    noise: Noise,
    tol: OpenFraction = 0.00001,
    denoise_drift: Literal["sde", "ode"] = "ode",
    max_nfe: PositiveInt = 10000,
) -> Tensor:
    """dz = (-F z + G G^T score / 2) dr by Dormand and Prince's 5(4) pair, image by image
    (arXiv 2303.01748, section 4; `ode`).

    phase_model: score(z, t, rows) with its `process`; t [n] and rows [n] of the images under way.
    z: [N, d C, ...] of the stationary law. times: the ends, 1 and epsilon_s, and 0 if a last Euler
    step denoises. tol: relative and absolute tolerance of each image's root-mean-square error.
    denoise_drift: as in `phase_euler`. Asks for no noise.
    Raises adaptive_ode.NotReached where tol cannot be reached, or not within max_nfe evaluations.
    Returns float64 [N, d C, ...]. NFE differs between images.
    """
    positive = times[times > 0].tolist()
    if len(positive) != 2:
        raise ValueError(
            f"probability_flow chooses its own steps, and was given {len(positive) - 1}; expected "
            "times: ends"
        )
    first, last = positive
    process = phase_model.process

    def slope(r: Tensor, z: Tensor, rows: Tensor) -> Tensor:
        # dz/dr at r = first - t, with half the score of the SDE's drift
        t = first - r
        return process.reverse(z, phase_model(z, t, rows=rows), t, share=0.5)

    # From 1 to epsilon_s
    z = adaptive_ode.integrate(slope, z.double(), first - last, tol=tol, max_evaluations=max_nfe)
    # Euler step from epsilon_s to 0, without noise
    return denoise(phase_model, z, last, None, denoise_drift) if times[-1] == 0 else z
