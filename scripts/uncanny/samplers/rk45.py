"""Adaptive sampler of the probability-flow ODE of Song et al. (2021)."""

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import OpenFraction, PositiveInt
from uncanny.samplers import adaptive_ode
from uncanny.samplers.steps import Denoiser, Noise, slope, start, times

NFE = None  # it chooses its steps, image by image
ORDER = "5"
NOISE = "False"


def rk45(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    tol: OpenFraction = 0.00001,
    max_nfe: PositiveInt = 10000,
) -> Tensor:
    """dx/dt of the path by Dormand and Prince's 5(4) pair, image by image, from the first noise
    level to the last above 0, and from there to the denoised image (Song et al. 2021, section 4.3
    and appendix D.4).

    denoiser: D(x, sigma, rows=rows); sigma [n] and rows [n] of the images under way. latents:
    standard normal [N, ...]. sigmas: [3], both ends of the grid and 0. path: clock and scaling of
    the ODE. tol: relative and absolute tolerance of each image's root-mean-square error. Asks for
    no noise. Raises adaptive_ode.NotReached where tol cannot be reached within max_nfe evaluations.
    Returns float64 [N, ...]. NFE differs between images.
    """
    t = times(sigmas, path)
    if len(sigmas) != 3 or sigmas[-1] != 0:
        raise ValueError(f"rk45 chooses its own steps, not {len(sigmas) - 2}; expected grid: ends")

    first = float(t[0])

    def backward(r: Tensor, x: Tensor, rows: Tensor) -> Tensor:
        # The integrator's clock runs forward: r = t_0 - t
        return -slope(denoiser, x, first - r, path, rows=rows)

    x = start(latents, sigmas[0], path)
    x = adaptive_ode.integrate(backward, x, float(t[0] - t[1]), tol=tol, max_evaluations=max_nfe)
    # Euler step from the last level to 0 in sigma: the denoised image
    return denoiser(x / path.scale(t[1]), sigmas[1])
