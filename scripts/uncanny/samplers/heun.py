"""Second-order sampler of the diffusion ODE, deterministic or with churn."""

from functools import partial

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.samplers.steps import Denoiser, Noise, churn, churn_factors, slope, start, times


def heun(
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
    alpha: float = 1.0,
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
        x_hat, t_hat = churn(x, t[i], gamma, partial(noise, i), path, S_noise)
        h = t[i + 1] - t_hat
        d = slope(denoiser, x_hat, t_hat, path)
        if sigmas[i + 1] == 0:  # first order: the second slope is undefined at sigma = 0
            x = x_hat + h * d
            continue
        d_prime = slope(denoiser, x_hat + alpha * h * d, t_hat + alpha * h, path)
        x = x_hat + h * ((1 - 0.5 / alpha) * d + 0.5 / alpha * d_prime)
    return x
