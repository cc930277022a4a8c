"""Settings of annealed Langevin dynamics for a dataset: the rules of NCSNv2.

Song & Ermon 2020, "Improved techniques for training score-based generative models": the largest
noise level spans the data (technique 1), neighbouring levels overlap (technique 2), and Langevin
steps keep the variance of each level (technique 4).
"""

import math

import numpy as np
from scipy import special

PAIRWISE_LIMIT = 10_000  # images; more are represented by a random subset of this size
BLOCK = 1000  # rows of a matrix of distances


def largest_distance(
    images: np.ndarray, *, limit: int = PAIRWISE_LIMIT, seed: int = 0, block: int = BLOCK
) -> float:
    """Return the largest Euclidean distance between two images [N, ...], in their units.

    Technique 1 of NCSNv2. Exact up to `limit` images; of more, the distance in a random subset of
    `limit` images, a lower bound. Memory: two matrices, `limit` × pixels and `block` × `limit`.
    Raises ValueError where all images are the same, or there is only one.
    """
    rows = np.arange(len(images))
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    x = np.asarray(images[rows], dtype=np.float64).reshape(len(rows), -1)
    # In blocks of rows: all distances at once would take N² numbers.
    squares, best = np.sum(x**2, axis=1), 0.0
    for start in range(0, len(x), block):
        part = slice(start, start + block)
        # |a - b|² = |a|² - 2 a·b + |b|²; the pairs with earlier rows have been seen.
        distances = squares[part, None] - 2 * x[part] @ x[start:].T + squares[None, start:]
        best = max(best, float(distances.max()))
    if not best > 0:
        raise ValueError(f"images: {len(x)}, no two different; expected at least two that differ")
    return math.sqrt(best)


def overlap(gamma: float, dim: int) -> float:
    """Overlap of neighbouring noise levels: probability that the norm of the smaller noise lies
    within three standard deviations of that of the larger.

    Φ(√(2D)(γ−1) + 3γ) − Φ(√(2D)(γ−1) − 3γ) for levels in ratio gamma ≥ 1 in dim = D dimensions
    (Song & Ermon 2020, proposition 2 and technique 2).
    """
    # In D dimensions the norm of noise is nearly normal with mean √D σ and variance σ²/2.
    shift = math.sqrt(2 * dim) * (gamma - 1)
    return float(special.ndtr(shift + 3 * gamma) - special.ndtr(shift - 3 * gamma))


def level_ratio(dim: int, *, share: float = 0.5) -> float:
    """Return the ratio gamma > 1 of neighbouring noise levels whose overlap is `share`.

    Technique 2 of NCSNv2. dim: number of pixels times channels. share: above 0, at most 0.99.
    Raises ValueError for fewer than 5 dimensions, where levels overlap at any ratio.
    """
    from scipy.optimize import brentq  # takes longer to import than to sample a digit

    width = math.sqrt(2 * dim)
    if width <= 3 or not 0 < share <= 0.99:
        raise ValueError(f"dim={dim}, share={share}: expected at least 5, and 0 < share <= 0.99")
    # The overlap is nearly 1 at ratio 1. At the upper bracket √(2D)(γ−1) − 3γ = z: the next level
    # lies z deviations away, and the overlap is below `share`.
    z = max(-float(special.ndtri(share)), 0) + 3
    return float(brentq(lambda g: overlap(g, dim) - share, 1.0, (width + z) / (width - 3)))


def level_count(sigma_max: float, sigma_min: float, ratio: float) -> int:
    """Return the least number of geometric levels from sigma_max to sigma_min, both included, that
    are at most `ratio` apart.
    """
    if not sigma_max > sigma_min > 0 or not ratio > 1:
        values = f"sigma_max={sigma_max}, sigma_min={sigma_min}, ratio={ratio}"
        raise ValueError(f"{values}: expected sigma_max > sigma_min > 0 and ratio > 1")
    # L = ⌈ln(σ_1/σ_L) / ln γ⌉ + 1
    return math.ceil(math.log(sigma_max / sigma_min) / math.log(ratio)) + 1


def variance_ratio(share: float, ratio: float, steps: int) -> float:
    """Return the variance after `steps` Langevin steps at one level, over that level's variance.

    share: step size over sigma_L², between 0 and 1. ratio: of the previous level to this one. For
    data in one point; 1 would be ideal (technique 4).
    """
    # r = (1 − ε/σ²)^2T (γ² − q) + q; q is the limit of many steps
    q = 2 / (2 - share)
    return (1 - share) ** (2 * steps) * (ratio**2 - q) + q


def step_size(sigma_min: float, ratio: float, steps: int) -> tuple[float, float]:
    """Return (step size eps at the last level, |r−1|) that bring the variance ratio r nearest to 1.

    Technique 4 of NCSNv2. steps: per level.
    """
    from scipy.optimize import minimize_scalar

    if steps < 1 or not ratio > 1 or not sigma_min > 0:
        values = f"steps={steps}, ratio={ratio}, sigma_min={sigma_min}"
        raise ValueError(f"{values}: expected steps >= 1, ratio > 1 and sigma_min > 0")
    # r exceeds 1 for every step size: |r − 1| is least where r is.
    best = minimize_scalar(
        variance_ratio, bounds=(0, 1), args=(ratio, steps), options={"xatol": 1e-9}
    )
    return float(best.x) * sigma_min**2, float(best.fun) - 1
