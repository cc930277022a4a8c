"""Forward processes by name: each function returns a `Recipe`, which runs at the speed beta(t).

A process that is not here needs no code: `matrices` takes D, Q and Sigma_inf from the config.
"""

import math
from typing import Literal

from uncanny.diffusion.recipe import Recipe
from uncanny.registry.option_types import NonEmpty, Nonnegative, Positive


def vp() -> Recipe:
    """VP-SDE: dx = -beta/2 x dt + sqrt(beta) dw (Song et al. 2021), stationary N(0, 1)."""
    # F = -1/2, G G^T = 1
    return Recipe([[0.5]], [[0.0]], [[1.0]])


def psld(
    *,
    gamma: Nonnegative = 0.01,
    nu: Nonnegative | None = None,
    inverse_mass: Positive | None = None,
    damping: Literal["critical", "free"] = "critical",
) -> Recipe:
    """Noise in position (gamma) and momentum (nu), coupled (arXiv 2303.01748, section 3.2).

    d(x, m) = beta/2 [[-gamma, 1/M], [-1, -nu]] (x, m) dt + diag(sqrt(gamma beta), sqrt(M nu beta))
    dw, stationary N(0, 1) x N(0, M).

    gamma, nu: at least 0, not both 0. inverse_mass: 1/M, positive. damping: critical where
    (gamma - nu)^2 = 4/M; what is None then follows: nu = gamma + 2 sqrt(1/M), or 1/M from gamma and
    nu, or 4. free: gamma and nu as they are (1/M = 4 by default), overdamped or oscillating.
    Raises ValueError where they do not fit together.
    """
    values = f"gamma={gamma:g}, nu={nu}, inverse_mass={inverse_mass}"
    if not (gamma >= 0 and (nu is None or (nu >= 0 and gamma + nu > 0))):
        raise ValueError(f"{values}: expected gamma and nu of at least 0, and not both 0")
    if nu is None and damping == "free":
        raise ValueError(f"{values}: free damping needs nu; expected a number")
    # Critical damping makes N N = 0 in `recipe.change`: (gamma - nu)^2 / 4 - 1/M = 0.
    if inverse_mass is None:
        follows = nu is not None and damping == "critical"
        inverse_mass = (gamma - nu) ** 2 / 4 if follows else 4.0
    if not inverse_mass > 0:
        raise ValueError(f"{values}: 1/M is {inverse_mass:g}; expected a positive number")
    nu = gamma + 2 * math.sqrt(inverse_mass) if nu is None else nu
    if damping == "critical" and not math.isclose((gamma - nu) ** 2, 4 * inverse_mass):
        raise ValueError(
            f"{values}: not critically damped, (gamma - nu)^2 = {(gamma - nu) ** 2:g} and "
            f"4/M = {4 * inverse_mass:g}; expected them equal, or damping: free"
        )
    # D = diag(gamma, M nu) / 2, Q = [[0, -1], [1, 0]] / 2, Sigma_inf = diag(1, M): H is
    # x^2 / 2 + m^2 / (2 M), the energy of a harmonic oscillator of mass M.
    mass = 1 / inverse_mass
    D = [[gamma / 2, 0.0], [0.0, mass * nu / 2]]
    return Recipe(D, [[0.0, -0.5], [0.5, 0.0]], [[1.0, 0.0], [0.0, mass]])


def cld(*, inverse_mass: Positive = 4.0) -> Recipe:
    """Critically damped Langevin diffusion: noise in the momentum only (arXiv 2112.07068).

    inverse_mass: 1/M. The beta of Dockhorn et al. is half of this one.
    """
    # nu = 2 sqrt(1/M): their friction Gamma = 2 sqrt(M), times 1/M
    return psld(gamma=0.0, inverse_mass=inverse_mass)


def position_noise(*, gamma: Nonnegative = 4.0) -> Recipe:
    """Noise in the position only, critically damped: nu = 0 and 1/M = gamma^2 / 4."""
    # Critical damping: gamma^2 = 4/M
    return psld(gamma=gamma, nu=0.0)


def ve() -> Recipe:
    """VE-SDE dx = sqrt(d sigma^2 / dt) dw, in the time sigma^2; it has no stationary law.

    H is constant. The usual prior N(0, sigma_max^2) is an approximation, and x / sqrt(1 + sigma^2)
    is VP with beta = d ln(1 + sigma^2) / dt.
    """
    # F = 0, G G^T = 1: the variance grows without end.
    return Recipe.from_sde([[0.0]], [[1.0]], None)


def matrices(
    *, D: NonEmpty[list[float]], Q: NonEmpty[list[float]], Sigma_inf: NonEmpty[list[float]]
) -> Recipe:
    """Any process: rows of D (positive semidefinite), Q (skew) and the stationary covariance.

    The first component is the image; the others start at N(0, kappa Sigma_inf).
    """
    return Recipe(D, Q, Sigma_inf)
