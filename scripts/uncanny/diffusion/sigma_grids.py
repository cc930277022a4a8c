"""Grids of noise levels for the continuous samplers.

A grid maps (num_steps, sigma_min, sigma_max) and options to float64 sigmas [num_steps + 1] that
fall strictly from sigma_max to sigma_min and end with an extra 0 (Karras et al. 2022, table 1, row
"time steps"). sigma is in units of pixel values. The clock of a sampler is an independent choice.
"""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.forward import Clock, GeometricClock, VPClock
from uncanny.diffusion.noise_range import check_range, vp_betas
from uncanny.diffusion.schedules import TIMES
from uncanny.registry.option_types import (
    Fraction,
    OpenFraction,
    Positive,
    ProperFraction,
    TwoOrMore,
)


def polynomial(
    num_steps: int, sigma_min: float, sigma_max: float, *, rho: Positive = 7.0
) -> Tensor:
    """Even steps in sigma^(1/rho) (Karras et al. 2022, equation 5).

    rho: 1 gives even steps in sigma; the larger, the more steps at small sigma.
    """
    if not rho > 0:
        raise ValueError(f"rho={rho}: expected a positive exponent")
    # sigma_i = (sigma_max^(1/rho) + i/(N-1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho
    fractions = _fractions(num_steps, sigma_min, sigma_max)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return _grid((high + fractions * (low - high)) ** rho)


def exponential(num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Even steps in log sigma (Song et al. 2021, the VE-SDE)."""
    # sigma_i = sigma_max (sigma_min / sigma_max)^(i/(N-1))
    fractions = _fractions(num_steps, sigma_min, sigma_max)
    return _grid(sigma_max * (sigma_min / sigma_max) ** fractions)


def ve(
    num_steps: int, sigma_min: float, sigma_max: float, *, epsilon_s: ProperFraction = 0.0
) -> Tensor:
    """Even steps in the time of the VE-SDE, sigma = sigma_min (sigma_max / sigma_min)^t.

    epsilon_s: last time before 0. 0 is the grid of Karras et al.; Song et al. (2021) stop at 1e-5.
    """
    t = 1 + _fractions(num_steps, sigma_min, sigma_max) * (epsilon_s - 1)
    # t falls evenly from 1 to epsilon_s.
    return _grid(sigma_min * (sigma_max / sigma_min) ** t)


def vp(
    num_steps: int, sigma_min: float, sigma_max: float, *, epsilon_s: ProperFraction = 0.001
) -> Tensor:
    """Even steps in the time of the VP-SDE from 1 to epsilon_s, its betas fitted to the range."""
    # t_i = 1 + i/(N-1) (epsilon_s - 1); sigma(1) = sigma_max, sigma(epsilon_s) = sigma_min
    t = 1 + _fractions(num_steps, sigma_min, sigma_max) * (epsilon_s - 1)
    return _grid(VPClock(*vp_betas(sigma_min, sigma_max, epsilon_s)).sigma(t))


def derived(
    num_steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    losses: Mapping | None = None,
    even_share: Fraction = 0.5,
) -> Tensor:
    """Grid of least cost to leading order for a trained model (`theory.optimal_grid`).

    losses: the model's record of denoising losses, {"sigma", "loss", "dim"}. even_share: part of
    the steps, 0 to 1, that is spread evenly in log sigma. Raises ValueError without losses.
    """
    from uncanny.diffusion.theory import measured, optimal_grid

    if losses is None:
        raise ValueError("grid derived: no losses; expected those of the model's checkpoint")
    if num_steps < 2:
        raise ValueError(f"num_steps={num_steps}: a grid of noise levels needs at least 2")
    check_range(sigma_min, sigma_max)
    ends = sigma_min, sigma_max
    sigma, density = measured.own_density(losses["sigma"], losses["loss"], losses["dim"], ends)
    # num_steps nodes have num_steps - 1 steps between them; the step to 0 follows.
    nodes = optimal_grid.derived(density, sigma, num_steps - 1, even_share=even_share)
    return _grid(torch.from_numpy(nodes.copy()))


def ends(num_steps: None, sigma_min: float, sigma_max: float) -> Tensor:
    """sigma_max, sigma_min and 0, for samplers that choose their own steps."""
    check_range(sigma_min, sigma_max)
    return _grid(torch.tensor([sigma_max, sigma_min], dtype=torch.float64))


def levels(
    num_steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    table: Tensor | None = None,
    times: Literal["ancestral", "ddim", "quad"] = "ancestral",
) -> Tensor:
    """Levels at which a discrete model was trained, those from sigma_min to sigma_max.

    table: all of them, rising [T]. times: which, as for the samplers of discrete models. Raises
    ValueError without a table, and where a level would occur twice.
    """
    if table is None:
        raise ValueError("grid levels: no table; expected a discrete model")
    check_range(sigma_min, sigma_max)
    table = table[(table >= sigma_min) & (table <= sigma_max)]
    return _grid(table[TIMES[times](len(table), num_steps)[:-1]])


def iddpm(
    num_steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    num_levels: TwoOrMore = 1000,
    C_1: OpenFraction = 0.001,
    C_2: OpenFraction = 0.008,
) -> Tensor:
    """Even picks from the discrete noise levels of iDDPM (Karras et al. 2022, appendix C.3).

    num_levels: length of the table. C_1: limit of its growth. C_2: offset of the cosine schedule.
    The ends are the levels of the table nearest to sigma_min and sigma_max within the range.
    """
    fractions = _fractions(num_steps, sigma_min, sigma_max)
    table = _iddpm_table(num_levels, C_1, C_2)
    table = table[(table >= sigma_min) & (table <= sigma_max)]
    if len(table) < num_steps:
        raise ValueError(f"num_steps={num_steps}: iddpm has {len(table)} noise levels in its range")
    # Indices round(i (M' - 1) / (N - 1)) among the M' levels in the range
    return _grid(table[((len(table) - 1) * fractions).round().long()])


def sigma_range(
    grid: str,
    supported: tuple[float, float] = (0.0, math.inf),
    *,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    epsilon_s: float = 0.001,
    clock: Clock | None = None,
) -> tuple[float, float]:
    """Return (sigma_min, sigma_max) for a grid within the noise levels that a network supports.

    clock: in which the network was trained. An end that is None is the customary one of the grid
    (vp: sigma(epsilon_s) and sigma(1) of the network's VP clock or, if it has another, of the
    original VP-SDE; ve: the range of the network's geometric clock or, if it has another, 0.02,
    100; iddpm: 0.002, 81; others: 0.002, 80), or the network's limit where that is narrower. Raises
    ValueError for an end that the network does not support.
    """
    for name, value in (("sigma_min", sigma_min), ("sigma_max", sigma_max)):
        if value is not None and not supported[0] <= value <= supported[1]:
            raise ValueError(
                f"{name}={value:g}: the network supports {supported[0]:g} to {supported[1]:g}"
            )
    low, high = _customary_range(grid, epsilon_s, clock)
    # Customary ends are moved into the supported range; explicit ones were checked above.
    low = max(low, supported[0]) if sigma_min is None else sigma_min
    high = min(high, supported[1]) if sigma_max is None else sigma_max
    check_range(low, high)
    return float(low), float(high)


def _customary_range(grid: str, epsilon_s: float, clock: Clock | None) -> tuple[float, float]:
    if grid == "vp":
        clock = clock if isinstance(clock, VPClock) else VPClock()
        return tuple(clock.sigma(torch.tensor([epsilon_s, 1], dtype=torch.float64)).tolist())
    if grid == "ve" and isinstance(clock, GeometricClock):
        return clock.sigma_min, clock.sigma_max
    customary = {"ve": (0.02, 100.0), "iddpm": (0.002, 81.0), "levels": (0.0, math.inf)}
    return customary.get(grid, (0.002, 80.0))


def _iddpm_table(num_levels: int, C_1: float, C_2: float) -> Tensor:
    """Noise levels u_0 > ... > u_M = 0 of iDDPM, M = num_levels."""
    # abar(j) = sin^2(pi/2 j / (M (C_2 + 1)))
    j = torch.arange(num_levels + 1, dtype=torch.float64)
    alpha_bar = torch.sin(0.5 * math.pi * j / (num_levels * (C_2 + 1))) ** 2
    # u_(j-1)^2 + 1 = (u_j^2 + 1) / max(abar(j-1) / abar(j), C_1), summed in logarithms from u_M = 0
    ratios = (alpha_bar[:-1] / alpha_bar[1:]).clamp(min=C_1)
    u = torch.expm1(-ratios.log().flip(0).cumsum(0)).sqrt().flip(0)
    return torch.cat([u, u.new_zeros(1)])


def _fractions(num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """i / (N - 1), i = 0..N-1, after a check of the arguments."""
    if num_steps < 2:
        raise ValueError(f"num_steps={num_steps}: a grid of noise levels needs at least 2")
    check_range(sigma_min, sigma_max)
    return torch.linspace(0, 1, num_steps, dtype=torch.float64)


def _grid(sigmas: Tensor) -> Tensor:
    """Noise levels with the final 0; ValueError where they do not fall strictly."""
    if (sigmas.diff() >= 0).any():
        raise ValueError(f"the {len(sigmas)} noise levels do not fall strictly: {sigmas.tolist()}")
    return torch.cat([sigmas, sigmas.new_zeros(1)])
