"""First-order sampler of the diffusion ODE, deterministic or with churn."""

from functools import partial
from typing import Annotated

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import Nonnegative, NotBelow
from uncanny.samplers.steps import Denoiser, Noise, churn, churn_factors, slope, start, times

NFE = "num_steps"
ORDER = "1"
NOISE = "S_churn > 0"


def euler(
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
) -> Tensor:
    """Euler steps with churn (Karras et al. 2022, algorithm 2 without its correction).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling.
    path: clock and scaling in which a step is a straight line.
    S_churn, S_tmin, S_tmax, S_noise: noise added before a step, see `steps.churn_factors`.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    t = times(sigmas, path)
    x = start(latents, sigmas[0], path)
    # Without S_churn all gamma are 0 and t_hat = t_i: steps of the ODE
    for i, gamma in enumerate(churn_factors(sigmas, S_churn, S_tmin, S_tmax)):
        # Raise the noise level from t_i to t_hat
        x_hat, t_hat = churn(x, t[i], gamma, partial(noise, i), path, S_noise)
        # Euler step, from t_hat to t_i+1
        x = x_hat + (t[i + 1] - t_hat) * slope(denoiser, x_hat, t_hat, path)
    return x
