"""Linear multistep sampler: Adams-Bashforth with exact coefficients for any grid."""

from typing import Annotated, Literal

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import NotAbove
from uncanny.samplers.extrapolation import check, weighted, weights
from uncanny.samplers.steps import Denoiser, Noise, slope, start, times

NFE = "num_steps"
ORDER = "order"
NOISE = "False"


def lms(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    order: Annotated[Literal[1, 2, 3, 4], NotAbove("num_steps")] = 4,
) -> Tensor:
    """x' = x + sum_j w_j dx/dt(t_i-j), w_j the integral of a Lagrange polynomial over the step
    (Hairer, Nørsett and Wanner, "Solving ordinary differential equations I", section III.5).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling.
    path: clock and scaling of the ODE; sigma itself gives the LMS sampler of k-diffusion.
    order: slopes in a polynomial. Asks for no noise.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    check(sigmas, order)
    t, x, slopes = times(sigmas, path), start(latents, sigmas[0], path), []
    for i in range(len(t) - 1):
        slopes = [slope(denoiser, x, t[i], path), *slopes[: order - 1]]
        # Times in units of the step: its start is 0, its end 1; integral of s^k is 1 / (k + 1)
        h = t[i + 1] - t[i]
        nodes = ((t[i - len(slopes) + 1 : i + 1].flip(0) - t[i]) / h).tolist()
        x = x + h * weighted(slopes, weights(nodes, [1 / (k + 1) for k in range(order)]))
    return x
