"""Noise schedules of the discrete processes, and sub-sequences of their times.

A schedule maps the number of noise levels (and options) to float64 values, one per level: beta_t,
t = 0..T-1 (t = 0 is the first step of noise), or sigma_i for `geometric`.
"""

import math
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from uncanny.registry.option_types import (
    Above,
    NonEmpty,
    NotBelow,
    OpenFraction,
    Positive,
    ProperFraction,
)


def linear(num_levels: int, *, scale: Positive = 1.0) -> Tensor:
    """Evenly spaced betas from scale * 1e-4 to scale * 0.02, both multiplied by 1000 / num_levels.

    Ho et al. (2020), section 4, for scale 1 and 1000 levels; the last factor keeps the total noise.
    Raises ValueError if a beta reaches 1, which happens up to 20 * scale levels.
    """
    # Half as many levels take betas twice as large: the sum of the betas stays.
    factor = scale * 1000 / num_levels
    betas = torch.linspace(factor * 1e-4, factor * 0.02, num_levels, dtype=torch.float64)
    return _checked(betas, f"linear schedule with scale={scale}")


def linear_beta(
    num_levels: int,
    *,
    beta_start: OpenFraction = 0.0001,
    beta_end: Annotated[OpenFraction, Above("beta_start")] = 0.02,
) -> Tensor:
    """Evenly spaced betas from beta_start to beta_end, whatever the number of levels (diffusers'
    `linear`).
    """
    betas = torch.linspace(beta_start, beta_end, num_levels, dtype=torch.float64)
    return _checked(betas, f"linear_beta schedule from {beta_start} to {beta_end}")


def scaled_linear(
    num_levels: int,
    *,
    beta_start: OpenFraction = 0.00085,
    beta_end: Annotated[OpenFraction, Above("beta_start")] = 0.012,
) -> Tensor:
    """Betas whose square roots are evenly spaced from beta_start to beta_end (Rombach et al. 2022,
    code).
    """
    ends = beta_start**0.5, beta_end**0.5
    betas = torch.linspace(*ends, num_levels, dtype=torch.float64) ** 2
    return _checked(betas, f"scaled_linear schedule from {beta_start} to {beta_end}")


def listed(num_levels: int, *, betas: NonEmpty[OpenFraction]) -> Tensor:
    """The betas themselves, one for each level."""
    if len(betas) != num_levels:
        raise ValueError(
            f"listed schedule of {len(betas)} betas; expected {num_levels}, one a level"
        )
    return _checked(torch.tensor(betas, dtype=torch.float64), "listed schedule")


def cosine(
    num_levels: int, *, offset: ProperFraction = 0.008, max_beta: OpenFraction = 0.999
) -> Tensor:
    """alpha_bar(u) falls as cos^2(pi/2 (u + offset) / (1 + offset)), u = t/T.

    Nichol and Dhariwal (2021), equation 17.
    """
    # alpha_bar(0) < 1 cancels in the ratios that give the betas.
    u = torch.linspace(0, 1, num_levels + 1, dtype=torch.float64)
    alpha_bar = torch.cos((u + offset) / (1 + offset) * (math.pi / 2)) ** 2
    return _checked(_betas(alpha_bar, max_beta), f"cosine schedule with offset={offset}")


def sigmoid(
    num_levels: int,
    *,
    start: float = -3.0,
    end: Annotated[float, NotBelow("start")] = 3.0,
    tau: Positive = 1.0,
    max_beta: OpenFraction = 0.999,
) -> Tensor:
    """alpha_bar(u) falls as the logistic function -S((start + u (end - start)) / tau), u = t/T.

    Shifted and scaled to run from 1 to 0 (Jabri et al. 2022; Chen 2023, section 2.1).
    """
    name = f"sigmoid schedule with start={start}, end={end}, tau={tau}"
    if not start < end or not tau > 0:
        raise ValueError(f"{name}: expected start < end and tau > 0")
    u = torch.linspace(0, 1, num_levels + 1, dtype=torch.float64)
    # v(u) = S((start + u (end - start)) / tau), alpha_bar(u) = (v(1) - v(u)) / (v(1) - v(0))
    curve = torch.sigmoid((start + u * (end - start)) / tau)
    alpha_bar = (curve[-1] - curve) / (curve[-1] - curve[0])
    return _checked(_betas(alpha_bar, max_beta), name)


def sigmoid_beta(
    num_levels: int,
    *,
    beta_start: OpenFraction = 0.0001,
    beta_end: Annotated[OpenFraction, Above("beta_start")] = 0.02,
    width: Positive = 6.0,
) -> Tensor:
    """Betas follow a logistic curve over [-width, width] from beta_start to beta_end.

    Code of Song et al. (2021, DDIM); not the schedule that Jabri et al. call sigmoid.
    """
    # beta_t = beta_start + (beta_end - beta_start) S(l_t), l_t even over [-width, width]
    curve = torch.sigmoid(torch.linspace(-width, width, num_levels, dtype=torch.float64))
    betas = beta_start + (beta_end - beta_start) * curve
    return _checked(betas, f"sigmoid_beta schedule from {beta_start} to {beta_end}")


def geometric(
    num_levels: int,
    *,
    sigma_begin: Annotated[Positive, Above("sigma_end")] = 50.0,
    sigma_end: Positive = 0.01,
) -> Tensor:
    """Noise levels of NCSN, falling evenly in log sigma (Song and Ermon 2020, section 3.2).

    sigma_begin, sigma_end: in units of pixel values, data in [0, 1]. Returns sigmas [num_levels].
    """
    if not 0 < sigma_end < sigma_begin or num_levels < 2:
        raise ValueError(
            f"geometric schedule with sigma_begin={sigma_begin}, sigma_end={sigma_end} and "
            f"{num_levels} levels: expected 0 < sigma_end < sigma_begin and at least 2 levels"
        )
    # sigma_i = sigma_begin (sigma_end / sigma_begin)^((i - 1) / (L - 1))
    ends = math.log(sigma_begin), math.log(sigma_end)
    return torch.linspace(*ends, num_levels, dtype=torch.float64).exp()


def ancestral_times(T: int, num_steps: int) -> Tensor:
    """Times of a shortened ancestral chain: int64 [num_steps + 1] from T - 1 to 0, then -1.

    Evenly spread, each position rounded half to even (code of Nichol and Dhariwal 2021).
    """
    if not 2 <= num_steps <= T:
        raise ValueError(f"num_steps={num_steps}: ancestral sampling of {T} levels takes 2 to {T}")
    # t_i = round(i (T - 1) / (num_steps - 1))
    stride = (T - 1) / (num_steps - 1)
    position, times = 0.0, []
    for _ in range(num_steps):
        times.append(round(position))
        position += stride  # summed, not multiplied, so that ties round as in that code
    return torch.tensor([*reversed(times), -1])


def ddim_times(T: int, num_steps: int) -> Tensor:
    """Times of DDIM: int64 [num_steps + 1], integer parts of an even grid from T - 1 to -1.

    For T = 1000 and 999 steps every time but 998 occurs.
    """
    if not 1 <= num_steps <= T:
        raise ValueError(f"num_steps={num_steps}: DDIM sampling of {T} levels takes 1 to {T}")
    # Truncation towards 0 keeps -1, the clean image, as the last time.
    grid = torch.linspace(-1, T - 1, num_steps + 1, dtype=torch.float64)
    return grid.trunc().to(torch.int64).flip(0)


def quad_times(T: int, num_steps: int) -> Tensor:
    """Times of DDIM, dense near the data: int64 [num_steps + 1], squares of an even grid up to
    sqrt(0.8 T), falling, then -1 (Song et al. 2021, DDIM, appendix D.2, and their code).

    The smallest occur more than once where num_steps - 1 is above sqrt(0.8 T): these steps change
    nothing, as published, and are counted.
    """
    if not 2 <= num_steps <= T:
        raise ValueError(f"num_steps={num_steps}: quad times of {T} levels take 2 to {T}")
    # t_i = trunc((i sqrt(0.8 T) / (N - 1))^2), of NumPy's numbers, where a square may be whole
    roots = np.linspace(0, math.sqrt(0.8 * T), num_steps)
    return torch.tensor([*(roots**2).astype(int)[::-1].tolist(), -1])


# Sub-sequences of times by name
TIMES = {"ancestral": ancestral_times, "ddim": ddim_times, "quad": quad_times}


def _betas(alpha_bar: Tensor, max_beta: float) -> Tensor:
    """Betas [T] of alpha_bar [T + 1], at most max_beta: alpha_bar may end in 0."""
    # beta_t = 1 - alpha_bar(t + 1) / alpha_bar(t)
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)


def _checked(betas: Tensor, name: str) -> Tensor:
    if len(betas) < 2 or not ((betas > 0) & (betas < 1)).all():  # false for NaN, too
        ends = f"{float(betas[0]):g} to {float(betas[-1]):g}" if len(betas) else "none"
        raise ValueError(
            f"{name} and {len(betas)} levels: betas {ends}; expected at least 2, between 0 and 1"
        )
    return betas
