"""Training objectives, and the noise levels at which they are evaluated.

Every loss returns one value per image [N]: the squared error *averaged* over the pixels, times the
weight. A network that predicts zero scores 1 in the eps, VP, VE and NCSN objectives.

Noise levels are functions of random numbers, `uniform` on [0, 1) or standard `normal`, as the first
argument is called. Any distribution goes with any weight.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from uncanny.diffusion.chain import diffuse, v_of
from uncanny.diffusion.forward import SubVPClock, VPClock, per_image

# --- Noise levels seen in training ---------------------------------------------------------------


def uniform_time(
    uniform: Tensor, *, beta_d: float = 19.9, beta_min: float = 0.1, epsilon_t: float = 0.00001
) -> Tensor:
    """VP-SDE: sigma(t) at t uniform on (epsilon_t, 1], falling in `uniform` [N]; float64 [N]."""
    # t = 1 + u (epsilon_t - 1), as in the code of Karras et al. (2022)
    return VPClock(beta_d, beta_min).sigma(1 + uniform.double() * (epsilon_t - 1))


def uniform_sub_vp_time(uniform: Tensor, *, epsilon_t: float = 0.00001) -> Tensor:
    """sub-VP-SDE: as `uniform_time`, on its clock."""
    return SubVPClock().sigma(1 + uniform.double() * (epsilon_t - 1))


def log_uniform(uniform: Tensor, *, sigma_min: float = 0.02, sigma_max: float = 100.0) -> Tensor:
    """VE-SDE: ln sigma uniform from sigma_min to sigma_max, rising in `uniform`; float64 [N]."""
    # sigma = sigma_min (sigma_max / sigma_min)^u
    return sigma_min * (sigma_max / sigma_min) ** uniform.double()


def lognormal(normal: Tensor, *, P_mean: float = -1.2, P_std: float = 1.2) -> Tensor:
    """ln sigma normal with mean P_mean and deviation P_std; float64 [N].

    Karras et al. (2022), table 1, row "noise distribution".
    """
    return torch.exp(P_mean + P_std * normal.double())


# --- Weights of the denoising error --------------------------------------------------------------


def inverse_variance(sigma: Tensor) -> Tensor:
    """1 / sigma^2, the VP and VE objectives: equal weight on the noise prediction at all levels."""
    # D - x0 = sigma (n - n_theta) up to sign, so that weight * |D - x0|^2 = |n - n_theta|^2.
    return sigma**-2


def unit_output(sigma: Tensor, *, sigma_data: float = 0.5) -> Tensor:
    """(sigma^2 + sigma_data^2) / (sigma sigma_data)^2: equal weight on the output of F.

    Karras et al. (2022), equation 144, for their preconditioning with the same sigma_data.
    """
    # 1 / c_out^2
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


# --- Objectives ----------------------------------------------------------------------------------


def denoising_loss(
    denoiser: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    sigma: Tensor,
    noise: Tensor,
    weight: Tensor,
) -> Tensor:
    """weight mean_pixels (D(x0 + sigma noise; sigma) - x0)^2 (Karras et al. 2022, equation 2).

    x0, noise: [N, ...]. sigma, weight: [N]. Returns [N].
    """
    # x = x0 + sigma n
    error = denoiser(x0 + per_image(sigma, x0) * noise, sigma) - x0
    return weight.to(error.dtype) * pixel_mean(error**2)


def prediction_loss(
    model: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    t: Tensor,
    noise: Tensor,
    alphas_cumprod: Tensor,
    prediction: str = "eps",
) -> Tensor:
    """mean_pixels (model(x_t, t) - target)^2 of a discrete process.

    x0, noise: [N, ...]. t: int64 [N], 0..T-1. alphas_cumprod: float64 [T]. prediction: the target,
    "eps", the noise (Ho et al. 2020, equation 14); "x0", the image; "v", sqrt(alpha_bar) noise -
    sqrt(1 - alpha_bar) x0, which weights the error of x0 by SNR + 1, the squared error of eps by
    1 / alpha_bar (Salimans and Ho 2022, section 4). Returns [N].
    """
    alpha_bar = alphas_cumprod.to(t.device)[t]
    # x_t ~ q(x_t | x_0) in one step
    output = model(diffuse(x0, noise, alpha_bar), t)
    if prediction == "v":
        return pixel_mean((output - v_of(x0, noise, alpha_bar)) ** 2)
    return pixel_mean((output - (noise if prediction == "eps" else x0)) ** 2)


def anneal_dsm(
    score_model: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    sigma: Tensor,
    noise: Tensor,
    *,
    power: float = 2.0,
) -> Tensor:
    """sigma^power mean_pixels (score(x0 + sigma noise; sigma) + noise / sigma)^2.

    Denoising score matching (Song and Ermon 2019, equations 5 and 6) without its factor 1/2.
    x0 (in [0, 1] for NCSN), noise: [N, ...]. sigma: [N]. Returns [N].
    """
    # The score of N(x0, sigma^2 I) at x0 + sigma n is -n / sigma.
    level = per_image(sigma, x0)
    error = score_model(x0 + level * noise, sigma) + noise / level
    # Power 2 makes all levels count alike: the score is of size 1 / sigma.
    return sigma.to(error.dtype) ** power * pixel_mean(error**2)


def pixel_mean(values: Tensor) -> Tensor:
    """Average over all but the first axis, [N, ...] -> [N]."""
    return values.flatten(1).mean(dim=1)
