"""Parts that the continuous samplers are made of: start, times, slope of the ODE, churn."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from uncanny.diffusion.forward import Path, per_image

Denoiser = Callable[[Tensor, Tensor], Tensor]  # x [N, ...], sigma [] -> clean image [N, ...]
Noise = Callable[[int, Tensor], Tensor]  # step, like -> standard normal like `like`


def start(latents: Tensor, sigma: Tensor, path: Path) -> Tensor:
    """x = s sigma latents in float64: pure noise of level sigma."""
    return latents.double() * (sigma * path.scale(path.sigma_inv(sigma)))


def times(sigmas: Tensor, path: Path) -> Tensor:
    """Times of the noise levels on the clock of the path, float64 [N+1].

    Raises ValueError unless sigmas [N+1] fall strictly and end at 0 or above.
    """
    if len(sigmas) < 2 or (sigmas.diff() >= 0).any() or sigmas[-1] < 0:
        raise ValueError(f"sigmas must fall strictly and end at >= 0, got {sigmas.tolist()}")
    # t_i = sigma^-1(sigma_i): steps are straight in t, whatever the grid of noise levels
    return path.sigma_inv(sigmas)


def even_times(sigmas: Tensor, path: Path, name: str) -> Tensor:
    """Times of all levels but the last, [N]; ValueError, for a sampler of a name, if not even."""
    t = times(sigmas, path)[:-1]
    even = torch.linspace(float(t[0]), float(t[-1]), len(t), dtype=t.dtype, device=t.device)
    if not torch.allclose(t, even, rtol=0, atol=1e-6 * float(t[0])):
        raise ValueError(
            f"{name} needs noise levels that are even in the time of its path: grid vp with "
            "time vp and scaling vp, or grid ve with time geometric and scaling none"
        )
    return t


def slope(denoiser: Denoiser, x: Tensor, t: Tensor, path: Path, **more) -> Tensor:
    """dx/dt = (sigma'/sigma + s'/s) x - (sigma'/sigma) s D(x/s; sigma), at t [] or [N].

    more: for the denoiser. Karras et al. (2022), algorithm 1.
    """
    sigma, s = path.sigma(t), path.scale(t)
    # sigma'/sigma
    growth = path.sigma_deriv(t) / sigma
    D = denoiser(x / per_image(s, x), sigma, **more)
    return per_image(growth + path.scale_deriv(t) / s, x) * x - per_image(growth * s, x) * D


def churn_factors(
    sigmas: Tensor, S_churn: float, S_tmin: float, S_tmax: float | None
) -> list[float]:
    """gamma_i = min(S_churn / N, sqrt(2) - 1) where S_tmin <= sigma_i <= S_tmax, else 0; N values.

    Karras et al. (2022), algorithm 2. S_tmax None: no upper end.
    """
    S_tmax = math.inf if S_tmax is None else S_tmax
    if S_churn < 0 or not 0 <= S_tmin <= S_tmax:
        raise ValueError(
            f"S_churn={S_churn}, S_tmin={S_tmin}, S_tmax={S_tmax}: "
            "expected S_churn >= 0 and 0 <= S_tmin <= S_tmax"
        )
    # At most sqrt(2) - 1: no more noise is added than there is
    gamma = min(S_churn / (len(sigmas) - 1), math.sqrt(2) - 1)
    return [gamma if S_tmin <= sigma <= S_tmax else 0.0 for sigma in sigmas[:-1].tolist()]


def churn(
    x: Tensor,
    t: Tensor,
    gamma: float,
    noise: Callable[[Tensor], Tensor],
    path: Path,
    S_noise: float,
) -> tuple[Tensor, Tensor]:
    """Raise the noise level from sigma(t) to (1 + gamma) sigma(t): new state and time.

    x_hat = s_hat/s x + sqrt(sigma_hat^2 - sigma^2) s_hat S_noise noise. Draws nothing if gamma = 0.
    """
    if gamma == 0:
        return x, t
    # New level sigma_hat = (1 + gamma) sigma, and its time on the path's clock
    sigma = path.sigma(t)
    t_hat = path.sigma_inv((1 + gamma) * sigma)
    s_hat = path.scale(t_hat)
    # sqrt(sigma_hat^2 - sigma^2) = sigma sqrt(gamma (2 + gamma)), without a difference of squares
    added = sigma * math.sqrt(gamma * (2 + gamma)) * s_hat * S_noise
    # x / s is the unscaled state x0 + sigma n; noise is added there
    return s_hat / path.scale(t) * x + added * noise(x), t_hat
