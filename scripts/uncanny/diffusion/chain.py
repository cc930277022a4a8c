"""Discrete diffusion processes: x_t = sqrt(alpha_bar_t) x0 + sqrt(1 - alpha_bar_t) noise, with
alpha_bar the cumulative product of 1 - beta (Ho et al. 2020, equation 4).

Everything follows from alpha_bar. All coefficients are float64.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from uncanny.diffusion.forward import per_image


class Posterior(NamedTuple):
    """q(x_next | x, x0): its mean is x0_coef x0 + x_coef x; beta is the noise added by the step."""

    x0_coef: Tensor
    x_coef: Tensor
    variance: Tensor
    beta: Tensor


def alphas_cumprod(betas: Tensor) -> Tensor:
    """Return alpha_bar_t, t = 0..T-1 (t = 0 is one step of noise). betas, result: float64 [T].

    Ho et al. (2020), equation 4.
    """
    # alpha_bar_t = prod_{s <= t} (1 - beta_s)
    return torch.cumprod(1 - torch.as_tensor(betas, dtype=torch.float64), dim=0)


def alpha_bars(alphas_cumprod: Tensor, times: Tensor) -> Tensor:
    """Return alpha_bar at a sub-sequence of times; it is 1 at t = -1, the clean image.

    alphas_cumprod: [T]. times: integers [S+1], falling from below T to 0 or more, then -1; a time
    may occur twice.
    Returns float64 [S+1]. Raises ValueError for other times.
    """
    T, times = len(alphas_cumprod), torch.as_tensor(times, device=alphas_cumprod.device)
    falling = len(times) >= 2 and (times.diff() <= 0).all() and times[-2] >= 0
    if not falling or times[0] >= T or times[-1] != -1:
        raise ValueError(f"times must fall from below {T} to -1, got {times.tolist()}")
    # The index -1 finds the appended 1.
    return torch.cat([alphas_cumprod.double(), torch.ones(1, device=times.device)])[times]


def posterior(alpha_bar: Tensor, alpha_bar_next: Tensor) -> Posterior:
    """Return the posterior of a step from alpha_bar to alpha_bar_next > alpha_bar, at adjacent
    levels or not.

    Ho et al. (2020), equations 6 and 7, with beta = 1 - alpha_bar / alpha_bar_next (Nichol and
    Dhariwal 2021, section 4).
    """
    # Of a shortened chain the betas are recomputed from the alpha_bars that it visits.
    alpha = alpha_bar / alpha_bar_next
    beta = 1 - alpha
    noise, noise_next = 1 - alpha_bar, 1 - alpha_bar_next
    # mean = [beta sqrt(abar') x0 + (1 - abar') sqrt(alpha) x] / (1 - abar), abar' the next one;
    # variance = beta (1 - abar') / (1 - abar)
    return Posterior(
        x0_coef=beta * alpha_bar_next.sqrt() / noise,
        x_coef=noise_next * alpha.sqrt() / noise,
        variance=beta * noise_next / noise,
        beta=beta,
    )


def step_variances(step: Posterior, bound: str) -> Tensor:
    """Return the variance of the noise of each ancestral step down to t = -1, [S].

    bound: "small", the posterior variance, or "large", beta: the lower and the upper bound of the
    variance (Ho et al. 2020, section 3.2).
    """
    if bound == "small":
        return step.variance
    # The last step adds no noise, but its variance weights guidance: the lower bound of the step
    # before stands for it, as in the code of Dhariwal and Nichol.
    return _last_replaced(step.beta, step)


def clipped_variances(step: Posterior) -> Tensor:
    """Return the lower bound of each step's variance down to t = -1, [S]; the last one, which is 0,
    is replaced by that of the step before, so that its logarithm is finite.
    """
    return _last_replaced(step.variance, step)


def _last_replaced(variances: Tensor, step: Posterior) -> Tensor:
    """Variances [S] whose last is the lower bound of the step before, or beta of a single step."""
    last = step.variance[-2:-1] if len(variances) > 1 else step.beta
    return torch.cat([variances[:-1], last])


def learned_log_variance(share: Tensor, beta: Tensor, lower: Tensor) -> Tensor:
    """Return the log-variance between two bounds that a network chooses, in the shape of `share`.

    share: its second output [N, ...], -1 at the lower and 1 at the upper bound, not limited to
    these. beta, lower: the bounds, [] or [N] (Nichol and Dhariwal 2021, equation 15).
    """
    # ln Sigma = f ln beta + (1 - f) ln beta_tilde, f = (v + 1) / 2
    f = (share + 1) / 2
    return f * per_image(beta.log(), share) + (1 - f) * per_image(lower.log(), share)


def alpha_bar_at(alphas_cumprod: Tensor, t: float | Tensor) -> Tensor:
    """Return alpha_bar at times t [..] in [0, T - 1], float64.

    ln sigma is linear between whole times. alphas_cumprod: [T]; the result is on its device.
    """
    log_sigma = 0.5 * ((1 - alphas_cumprod) / alphas_cumprod).log()
    t = torch.as_tensor(t, dtype=torch.float64, device=alphas_cumprod.device)
    before = t.floor().long().clamp(0, len(log_sigma) - 2)
    low, high = log_sigma.take(before), log_sigma.take(before + 1)
    # alpha_bar = 1 / (1 + sigma^2)
    return torch.sigmoid(-2 * (low + (t - before) * (high - low)))


def diffuse(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return x_t of the discrete process, in the dtype of x0. alpha_bar: [] or [N], per image.

    Ho et al. (2020), equation 4.
    """
    # x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise
    return per_image(alpha_bar.sqrt(), x0) * x0 + per_image((1 - alpha_bar).sqrt(), x0) * noise


def x0_from_eps(x: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return the clean image implied by x [N, ...] and its noise eps: `diffuse` solved for x0."""
    # x0 = (x - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar)
    return (x - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()


def eps_from_x0(x: Tensor, x0: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return the noise implied by x [N, ...] and its clean image: `diffuse` solved for noise.

    alpha_bar: [] or [N].
    """
    # eps = (x - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar)
    return (x - per_image(alpha_bar.sqrt(), x) * x0) / per_image((1 - alpha_bar).sqrt(), x)


def v_of(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x0. alpha_bar: [] or [N].

    Salimans and Ho (2022), appendix D.
    """
    return per_image(alpha_bar.sqrt(), x0) * noise - per_image((1 - alpha_bar).sqrt(), x0) * x0


def eps_from_v(x: Tensor, v: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return the noise implied by x [N, ...] and v. alpha_bar: [] or [N]."""
    # eps = sqrt(1 - alpha_bar) x + sqrt(alpha_bar) v, as x and v are a rotation of x0 and eps
    return per_image((1 - alpha_bar).sqrt(), x) * x + per_image(alpha_bar.sqrt(), x) * v
