"""First-order sampler of the diffusion ODE, deterministic or with churn."""

from functools import partial

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.samplers.steps import Denoiser, Noise, churn, churn_factors, slope, start, times


def euler(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    S_churn: float = 0.0,
    S_tmin: float = 0.0,
    S_tmax: float | None = None,
    S_noise: float = 1.0,
) -> Tensor:
    """Euler steps with churn (Karras et al. 2022, algorithm 2 without its correction).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling.
    path: clock and scaling in which a step is a straight line.
    S_churn, S_tmin, S_tmax, S_noise: noise added before a step, see `steps.churn_factors`.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    t = times(sigmas, path)
    x = start(latents, sigmas[0], path)
    for i, gamma in enumerate(churn_factors(sigmas, S_churn, S_tmin, S_tmax)):
        x_hat, t_hat = churn(x, t[i], gamma, partial(noise, i), path, S_noise)
        x = x_hat + (t[i + 1] - t_hat) * slope(denoiser, x_hat, t_hat, path)
    return x
