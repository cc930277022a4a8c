"""Continuous diffusion processes: how a clean image x0 turns into noise.

x(t) = s(t) (x0 + sigma(t) n) with n standard normal (Karras et al. 2022, section 2 and
table 1). A `Path` combines a clock, which fixes sigma(t), and a scaling, which fixes s(t). For
discrete processes see `chain.py`.

All coefficients are float64. Times and noise levels may be floats or tensors of any shape.
"""

import math
from dataclasses import dataclass

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


# --- Coefficients and images ---------------------------------------------------------------------


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
