"""The two compared schedules, as nodes: N steps visit N + 1 noise levels, none of them 0.

`sigma_grids` has the same grids for samplers of images, as tensors with a final 0 for the denoising
step.
"""

import numpy as np

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0


def polynomial(
    num_steps: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, *, rho: float = RHO
) -> np.ndarray:
    """Even steps in sigma^(1/rho) (Karras et al. 2022, equation 5), float64 [num_steps + 1]."""
    if not rho > 0:
        raise ValueError(f"rho={rho:g}: expected a positive exponent")
    # sigma_k = (sigma_max^(1/rho) + k/N (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _checked((high + _fractions(num_steps) * (low - high)) ** rho, sigma_min, sigma_max)


def exponential(
    num_steps: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX
) -> np.ndarray:
    """Even steps in ln sigma (Song et al. 2021, section 3.3), float64 [num_steps + 1]."""
    # sigma_k = sigma_max (sigma_min / sigma_max)^(k/N)
    nodes = sigma_max * (sigma_min / sigma_max) ** _fractions(num_steps)
    return _checked(nodes, sigma_min, sigma_max)


GRIDS = {"polynomial": polynomial, "exponential": exponential}


def check_nodes(sigmas: np.ndarray) -> np.ndarray:
    """Return nodes [..., N+1] as float64; ValueError unless they fall strictly and stay above 0."""
    sigmas = np.asarray(sigmas, float)
    if sigmas.shape[-1] < 2 or not (np.diff(sigmas) < 0).all() or not (sigmas[..., -1] > 0).all():
        raise ValueError(
            f"sigmas {np.array2string(sigmas, precision=4, threshold=8)}: expected at least two "
            "noise levels that fall strictly and stay above 0"
        )
    return sigmas


def _fractions(num_steps: int) -> np.ndarray:
    """k / N, k = 0..N."""
    if num_steps < 1:
        raise ValueError(f"num_steps={num_steps}: expected at least 1")
    return np.arange(num_steps + 1) / num_steps


def _checked(nodes: np.ndarray, sigma_min: float, sigma_max: float) -> np.ndarray:
    """Return the nodes with exact ends; ValueError for a range that does not fall."""
    if not 0 < sigma_min < sigma_max < np.inf:
        raise ValueError(
            f"sigma_min={sigma_min:g}, sigma_max={sigma_max:g}: expected 0 < sigma_min < sigma_max"
        )
    # Powers and roots leave rounding errors at the ends.
    nodes[0], nodes[-1] = sigma_max, sigma_min
    return check_nodes(nodes)
