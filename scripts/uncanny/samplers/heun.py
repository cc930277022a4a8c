"""Second-order sampler of the diffusion ODE, deterministic or with churn."""

from functools import partial
from typing import Annotated

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import Bounds, Nonnegative, NotBelow
from uncanny.samplers.steps import Denoiser, Noise, churn, churn_factors, slope, start, times

NFE = "2 * num_steps - 1"  # two slopes per step, one in the last, which ends at sigma = 0
ORDER = "2"
NOISE = "S_churn > 0"


def heun(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    S_churn: Nonnegative = 0.0,
    S_tmin: Nonnegative = 0.0,
    S_tmax: Annotated[Nonnegative | None, NotBelow("S_tmin")] = None,
    S_noise: Nonnegative = 1.0,
    alpha: Annotated[float, Bounds(above=0, at_most=1)] = 1.0,
) -> Tensor:
    """Heun steps with churn (Karras et al. 2022, algorithm 2; algorithm 3 for any alpha).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling.
    path: clock and scaling of the ODE.
    S_churn, S_tmin, S_tmax, S_noise: noise added before a step, see `steps.churn_factors`.
    alpha: where in the step the second slope is taken, above 0 to 1 (1: Heun, 1/2: midpoint).
    Returns float64 [N, ...]. NFE = 2 num_steps - 1 if sigmas end in 0, else 2 num_steps.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha={alpha}: expected 0 < alpha <= 1")
    t = times(sigmas, path)
    x = start(latents, sigmas[0], path)
    for i, gamma in enumerate(churn_factors(sigmas, S_churn, S_tmin, S_tmax)):
        # Raise the noise level from t_i to t_hat
        x_hat, t_hat = churn(x, t[i], gamma, partial(noise, i), path, S_noise)
        # Euler step, from t_hat to t_i+1
        h = t[i + 1] - t_hat
        d = slope(denoiser, x_hat, t_hat, path)
        if sigmas[i + 1] == 0:  # the second slope is undefined at sigma = 0
            x = x_hat + h * d
            continue
        # Second-order correction, with the slope at t_hat + alpha h
        d_prime = slope(denoiser, x_hat + alpha * h * d, t_hat + alpha * h, path)
        x = x_hat + h * ((1 - 0.5 / alpha) * d + 0.5 / alpha * d_prime)
    return x
