"""Diffusion processes: how a clean image x0 turns into noise.

Continuous: x(t) = s(t) (x0 + sigma(t) n) with n standard normal (Karras et al. 2022, section 2 and
table 1). A `Path` combines a clock, which fixes sigma(t), and a scaling, which fixes s(t).
Discrete: x_t = sqrt(alpha_bar_t) x0 + sqrt(1 - alpha_bar_t) noise, with alpha_bar the cumulative
product of 1 - beta (Ho et al. 2020, equation 4).

All coefficients are float64. Times and noise levels may be floats or tensors of any shape.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from uncanny.diffusion.noise_range import VP_BETAS, check_range, vp_betas

# --- Clocks: the noise level sigma as a function of time -----------------------------------------


@dataclass(frozen=True)
class VPClock:
    """VP-SDE with beta(t) = beta_min + beta_d t on [0, 1]: 1 + sigma^2 = exp(integral of beta)."""

    beta_d: float = VP_BETAS[0]
    beta_min: float = VP_BETAS[1]

    def sigma(self, t: Tensor) -> Tensor:
        # sqrt(exp(B) - 1), B = beta_d t^2 / 2 + beta_min t (Karras et al. 2022, table 1)
        return torch.expm1(0.5 * self.beta_d * t**2 + self.beta_min * t).sqrt()

    def sigma_deriv(self, t: Tensor) -> Tensor:
        # sigma' = beta(t) exp(B) / (2 sigma), and exp(B) = 1 + sigma^2
        sigma = self.sigma(t)
        return 0.5 * (self.beta_min + self.beta_d * t) * (sigma + 1 / sigma)

    def sigma_inv(self, sigma: Tensor) -> Tensor:
        # Root of beta_d t^2 / 2 + beta_min t = ln(1 + sigma^2), in the form 2c / (b + sqrt(..)),
        # which does not cancel at small sigma.
        integral = torch.log1p(sigma**2)
        t = 2 * integral / (self.beta_min + (self.beta_min**2 + 2 * self.beta_d * integral).sqrt())
        # With a slightly negative beta_min, sigma = 0 has a second root t > 0; t = 0 is meant.
        return torch.where(sigma == 0, torch.zeros_like(t), t)


@dataclass(frozen=True)
class SubVPClock(VPClock):
    """sub-VP-SDE with the beta(t) of a VP clock: the mean of the state shrinks by exp(-B/2), its
    deviation is 1 - exp(-B), B the integral of beta (Song et al. 2021, equation 29).
    """

    def sigma(self, t: Tensor) -> Tensor:
        # (1 - exp(-B)) / exp(-B/2) = 2 sinh(B/2)
        return 2 * torch.sinh(0.25 * self.beta_d * t**2 + 0.5 * self.beta_min * t)

    def sigma_deriv(self, t: Tensor) -> Tensor:
        # beta(t) cosh(B/2), and 4 cosh^2 = 4 + sigma^2
        return 0.5 * (self.beta_min + self.beta_d * t) * (4 + self.sigma(t) ** 2).sqrt()

    def sigma_inv(self, sigma: Tensor) -> Tensor:
        # The VP clock has sqrt(exp(B) - 1) where B = 2 asinh(sigma / 2)
        return super().sigma_inv(torch.expm1(2 * torch.asinh(sigma / 2)).sqrt())


@dataclass(frozen=True)
class VEClock:
    """Time is the variance: sigma = sqrt(t)."""

    def sigma(self, t: Tensor) -> Tensor:
        # d(sigma^2) = dt
        return t.sqrt()

    def sigma_deriv(self, t: Tensor) -> Tensor:
        # sigma' = 1 / (2 sigma)
        return 0.5 / t.sqrt()

    def sigma_inv(self, sigma: Tensor) -> Tensor:
        return sigma**2


@dataclass(frozen=True)
class GeometricClock:
    """VE-SDE of Song et al. (2021): sigma = sigma_min (sigma_max / sigma_min)^t on [0, 1].

    sigma = 0 is never reached; its inverse is minus infinity.
    """

    sigma_min: float = 0.02
    sigma_max: float = 100.0

    @property
    def log_ratio(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)

    def sigma(self, t: Tensor) -> Tensor:
        # ln sigma rises linearly from ln sigma_min to ln sigma_max.
        return self.sigma_min * torch.exp(t * self.log_ratio)

    def sigma_deriv(self, t: Tensor) -> Tensor:
        return self.log_ratio * self.sigma(t)

    def sigma_inv(self, sigma: Tensor) -> Tensor:
        # t = ln(sigma / sigma_min) / ln(sigma_max / sigma_min)
        return torch.log(sigma / self.sigma_min) / self.log_ratio


@dataclass(frozen=True)
class LinearClock:
    """Time is the noise level: sigma = t."""

    def sigma(self, t: Tensor) -> Tensor:
        return t

    def sigma_deriv(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma_inv(self, sigma: Tensor) -> Tensor:
        return sigma


Clock = VPClock | VEClock | GeometricClock | LinearClock


# --- Paths: clock and scaling --------------------------------------------------------------------


@dataclass(frozen=True)
class Path:
    """x(t) = s(t) (x0 + sigma(t) n): noise level and signal scale as functions of time.

    time: a clock. scaling: "vp" (s = 1 / sqrt(1 + sigma^2), variance preserving) or "none" (s = 1).
    """

    time: Clock = LinearClock()
    scaling: str = "none"

    def __post_init__(self):
        if self.scaling not in ("vp", "none"):
            raise ValueError(f"scaling {self.scaling!r} is unknown; expected 'vp' or 'none'")

    @classmethod
    def named(
        cls,
        time: str,
        scaling: str,
        sigma_min: float,
        sigma_max: float,
        epsilon_s: float = 0.001,
    ) -> "Path":
        """Build a path from names; the constants of its clock follow from the range of sigma.

        time: "vp", "ve", "geometric" or "linear". epsilon_s: where the VP clock has sigma_min.
        """
        if time == "vp":
            return cls(VPClock(*vp_betas(sigma_min, sigma_max, epsilon_s)), scaling)
        if time == "geometric":
            check_range(sigma_min, sigma_max)
            return cls(GeometricClock(float(sigma_min), float(sigma_max)), scaling)
        clocks = {"ve": VEClock, "linear": LinearClock}
        if time not in clocks:
            raise ValueError(f"time {time!r} is unknown; expected vp, ve, geometric or linear")
        return cls(clocks[time](), scaling)

    def sigma(self, t: float | Tensor) -> Tensor:
        """Noise level relative to the unscaled image, in units of pixel values."""
        return self.time.sigma(_float64(t))

    def sigma_deriv(self, t: float | Tensor) -> Tensor:
        """d sigma / dt; infinite at t = 0 for the vp and ve clocks."""
        return self.time.sigma_deriv(_float64(t))

    def sigma_inv(self, sigma: float | Tensor) -> Tensor:
        """Time at which the noise level is sigma."""
        return self.time.sigma_inv(_float64(sigma))

    def scale(self, t: float | Tensor) -> Tensor:
        """Signal scale s(t), 0 < s <= 1."""
        # 1 / sqrt(1 + sigma^2) keeps the variance of data of unit variance at 1.
        sigma = self.sigma(t)
        return (1 + sigma**2).rsqrt() if self.scaling == "vp" else torch.ones_like(sigma)

    def scale_deriv(self, t: float | Tensor) -> Tensor:
        """ds / dt: -sigma sigma' s^3 for the vp scaling, 0 for none."""
        if self.scaling == "none":
            return torch.zeros_like(_float64(t))
        # d/dt (1 + sigma^2)^(-1/2) = -sigma sigma' (1 + sigma^2)^(-3/2)
        return -self.sigma(t) * self.sigma_deriv(t) * self.scale(t) ** 3


SIGMA_PATH = Path()  # t = sigma, s = 1: algorithms 1 and 2 of Karras et al. (2022)


# --- Discrete processes: everything follows from alpha_bar ---------------------------------------


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
    return torch.cumprod(1 - _float64(betas), dim=0)


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


def per_image(values: float | Tensor, x: Tensor) -> Tensor:
    """Shape coefficients [] or [N] to multiply x [N, ...]: its dtype, dimensions and device."""
    values = torch.as_tensor(values, dtype=x.dtype)
    return values.to(x.device).reshape(-1, *[1] * (x.ndim - 1)) if values.ndim else values


def one_per_image(value: float | Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Expand a time or noise level [] or [N] to one per image of x [N, ...], on its device."""
    # A number is written on the device: copying one there would wait for the device's queue.
    if not isinstance(value, Tensor) or (value.ndim == 0 and value.device != x.device):
        value = torch.full((), float(value), dtype=dtype, device=x.device)
    return value.to(x.device, dtype).expand(len(x))


def _float64(value: float | Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)
