"""The schedule of least leading-order cost for a model, from its own cost density."""

import numpy as np

from uncanny.diffusion.theory.grids import check_nodes


def derived(
    density: np.ndarray, sigma: np.ndarray, num_steps: int, *, even_share: float = 0.0
) -> np.ndarray:
    """Return nodes [..., num_steps + 1] from sigma[-1] to sigma[0] that minimise the integral of
    kappa(sigma) (d ln sigma / du)^2 du.

    Constant kappa, a point mass, gives the exponential schedule; data N(0, s^2) with the exact
    score one that is even in ln(s^2 + sigma^2). The divergence of paths is minimal; that of the
    samples alone may be larger than with another schedule, the less so the larger even_share.

    density: kappa [..., M] (leading_order.cost_density); below 0 counts as 0. sigma: [M], rising,
    dense enough for trapezoidal sums. even_share: part of the steps, 0 to 1, that is spread evenly
    in ln sigma; above 0 no step is longer than ln(sigma_max / sigma_min) / (even_share N), which
    guards against a kappa that is 0 or measured with errors.
    Raises ValueError where kappa is nowhere positive and even_share is 0.
    """
    density, at = np.asarray(density, float), np.log(sigma)
    if num_steps < 1 or not 0 <= even_share <= 1:
        raise ValueError(
            f"num_steps={num_steps}, even_share={even_share:g}: expected at least 1, and 0 to 1"
        )
    if not np.isfinite(density).all() or not (np.diff(at) > 0).all() or len(at) < 2:
        raise ValueError("cost density: expected finite values at noise levels that rise strictly")
    # The integrand does not contain u: sqrt(kappa) d ln sigma / du is constant (Euler and
    # Lagrange). Each step takes an equal share of the integral of sqrt(kappa) d ln sigma, whose
    # square is the least cost.
    even = np.broadcast_to((at - at[0]) / (at[-1] - at[0]), density.shape)
    share = _cumulated(np.sqrt(np.clip(density, 0, None)), at)
    total = share[..., -1:]
    if even_share == 0 and (total == 0).any():
        raise ValueError("cost density is nowhere above 0: no schedule is better than another")
    # Where kappa is nowhere positive the even share alone remains.
    share = np.divide(share, total, out=even.copy(), where=total > 0)
    share = even_share * even + (1 - even_share) * share
    # Nodes: the inverse of the share at k / N, from the largest sigma down
    targets = np.linspace(1, 0, num_steps + 1)
    rows = [np.interp(targets, row, at) for row in share.reshape(-1, len(at))]
    nodes = np.exp(np.reshape(rows, (*density.shape[:-1], num_steps + 1)))
    nodes[..., 0], nodes[..., -1] = sigma[-1], sigma[0]
    return check_nodes(nodes)


def _cumulated(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Trapezoidal integral from the first point to each, [..., M]."""
    areas = 0.5 * (values[..., 1:] + values[..., :-1]) * np.diff(at)
    return np.concatenate([np.zeros_like(areas[..., :1]), np.cumsum(areas, axis=-1)], axis=-1)
