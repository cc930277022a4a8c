"""Delete-one-group jackknife: values without each group of images, their standard error, the bias.

The groups are the same in all sets of images: image k of one cell and image k of another, which
grew from the same latents, are in the same group. Differences between cells are therefore paired
by group (contrasts.py).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

GROUPS = 20
SEED = 2020  # of the groups


@lru_cache(maxsize=32)
def groups(n: int) -> np.ndarray:
    """Group of each of n images, int [n] below 20, whatever n; below n where n < 20.

    Every 20 consecutive images are one of each group, in random order: no order of classes, blocks
    or cycles, makes a group unlike the others.
    """
    if n < GROUPS:
        return np.arange(n)
    # RandomState keeps its stream in all versions of numpy. Permutations come one after another,
    # so that a larger set continues a smaller one.
    rng = np.random.RandomState(SEED)
    blocks = [rng.permutation(GROUPS) for _ in range(-(-n // GROUPS))]
    labels = np.concatenate(blocks)[:n]
    labels.setflags(write=False)  # the cache hands out the same array
    return labels


def members(n: int) -> list[np.ndarray]:
    """Indices of the images of each group."""
    labels = groups(n)
    return [np.flatnonzero(labels == g) for g in range(min(n, GROUPS))]


def sums(values: np.ndarray) -> np.ndarray:
    """Sums [G, ...] over the images of each group of values [n, ...]."""
    return np.stack([values[rows].sum(axis=0) for rows in members(len(values))])


@dataclass(frozen=True)
class Jackknife:
    """A value θ of all images, its small-sample bias, and replicates θ_(-g) [G] without group g."""

    value: float
    bias: float
    replicates: tuple[float, ...]

    @property
    def corrected(self) -> float:
        """θ - bias."""
        return self.value - self.bias

    @property
    def without_groups(self) -> np.ndarray:
        """Replicates [G] of the corrected value: θ_(-g) less bias G/(G-1), the bias of so many
        images.
        """
        # The bias falls as 1/n: without a group it is bias n/(n - n/G) = bias G/(G-1).
        count = len(self.replicates)
        return np.array(self.replicates) - self.bias * count / (count - 1)

    @property
    def se(self) -> float:
        """Standard error of the corrected value, and of the value."""
        return standard_error(np.array(self.replicates))


def standard_error(replicates: np.ndarray) -> float:
    """Jackknife's standard error from replicates [G]."""
    # se² = (G-1)/G Σ_g (θ_(-g) - θ̄)² (Efron, 1982)
    count = len(replicates)
    return math.sqrt((count - 1) / count * np.sum((replicates - replicates.mean()) ** 2))


def jackknife(value: float, replicates: Sequence[float], *, biased: bool = True) -> Jackknife:
    """The jackknife of a value and its replicates. biased=False: of a value known to have no bias,
    of which the replicates would only add noise.
    """
    # bias = (G-1)(θ̄ - θ) (Quenouille, 1956)
    bias = (len(replicates) - 1) * (float(np.mean(replicates)) - value) if biased else 0.0
    return Jackknife(float(value), bias, tuple(map(float, replicates)))


def of_sums(statistic: Callable[..., float], *values: np.ndarray) -> Jackknife:
    """Jackknife of statistic(n, sums over n images of each of the values [n, ...])."""
    count, parts = len(values[0]), [sums(array) for array in values]
    sizes = np.bincount(groups(count))
    totals = [part.sum(axis=0) for part in parts]
    replicates = [
        statistic(count - size, *(t - part[g] for t, part in zip(totals, parts, strict=True)))
        for g, size in enumerate(sizes)
    ]
    return jackknife(statistic(count, *totals), replicates)


def of_mean(values: np.ndarray) -> Jackknife:
    """Jackknife of the mean of values [n], n >= 2."""
    return of_sums(lambda n, total: total / n, np.asarray(values, float))


# ---- Halvings -------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def halvings() -> np.ndarray:
    """Signs ±1 [19, 20] of the groups in 19 balanced halvings: ten of each sign, rows orthogonal.

    For a sum over groups, the mean square of its 19 half differences is the jackknife's variance;
    random halvings would need many more for as many degrees of freedom.
    """
    # Hadamard matrix of order 20 without its constant row, from the squares modulo 19 (Paley, 1933)
    q = GROUPS - 1
    square = np.isin(np.arange(q), [k * k % q for k in range(1, q)])
    signs = np.where(square[(np.arange(q) - np.arange(q)[:, None]) % q], 1, -1)
    return np.concatenate([signs, np.ones((q, 1), int)], axis=1)


def halves(n: int) -> np.ndarray:
    """Membership of n images in both halves of each halving, in turn: bool [n, 38]."""
    signs = halvings()[:, groups(n)]
    return np.stack([signs > 0, signs < 0], axis=1).reshape(-1, n).T


def of_halves(value: float, differences: np.ndarray) -> Jackknife:
    """Jackknife of a value from its differences [19] between the halves of each halving; bias 0.

    Two halves are independent samples of n/2: Var(r1 - r2) = 2 Var(n/2) = 4 Var(n), so that
    se² = mean (r1 - r2)²/4. The replicates are those of the sum over groups that has these
    differences; hence they pair with the replicates of other sets.
    """
    # Half differences δ_h = Σ_g s_hg ψ_g of influences ψ with sum 0; S Sᵀ = 20 I gives
    # ψ = Sᵀ δ/20, and θ_(-g) = θ - 20 ψ_g/19, of which the jackknife's se² is Σ_h δ_h²/19.
    signs = halvings()
    shifts = signs.T @ (np.asarray(differences) / 2) / (GROUPS - 1)
    return jackknife(value, value - shifts, biased=False)
