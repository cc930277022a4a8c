"""Sums of the polynomial kernel k(x, y) = (x·y/d + 1)^degree over pairs of features [n, d].

Block by block, so that memory does not grow with the number of pairs; in float64.
"""

from collections.abc import Iterator

import numpy as np

from uncanny.evaluation import jackknife
from uncanny.evaluation.jackknife import Jackknife

DEGREES = 10  # the largest degree
ROWS = 2048  # of each side in a block of pairs


def polynomial(x: np.ndarray, y: np.ndarray, degree: int) -> np.ndarray:
    """Kernel matrix [n, m] of x [n, d] and y [m, d]."""
    base = x @ y.T / x.shape[1] + 1
    # A product of factors is ten times as fast as a power of floats.
    kernel = base.copy()
    for _ in range(degree - 1):
        kernel *= base
    return kernel


def mean_within(y: np.ndarray) -> np.ndarray:
    """Mean kernel of two different rows of y [m, d], for each degree from 1 to 10: [10]."""
    # One product of each pair of blocks serves all degrees.
    sums = np.zeros(DEGREES)
    for i, rows in enumerate(blocks := list(_blocks(y))):
        for j, columns in enumerate(blocks[: i + 1]):
            base = polynomial(rows, columns, 1)
            kernel = np.ones_like(base)
            for degree in range(DEGREES):
                kernel *= base
                # Σ_{i≠j}: a block off the diagonal stands for its mirror image, too
                sums[degree] += 2 * kernel.sum() if i != j else kernel.sum() - np.trace(kernel)
    return sums / (len(y) * (len(y) - 1))


def _blocks(y: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(y), ROWS):
        yield y[start : start + ROWS].astype(np.float64)


def mmd(x: np.ndarray, y: np.ndarray, degree: int, within_y: float) -> Jackknife:
    """Squared MMD of all rows of x [n, d] and y [m, d], without bias: the U-statistic, with its
    values without each group of x. within_y: mean kernel of two different rows of y.
    """
    # MMD²_u = Σ_{i≠j} k(x_i, x_j)/(n (n-1)) + Σ_{i≠j} k(y_i, y_j)/(m (m-1))
    #          - 2 Σ_{i,j} k(x_i, y_j)/(n m)   (Gretton et al., JMLR 2012, lemma 6)
    groups = [x[rows].astype(np.float64) for rows in jackknife.members(len(x))]
    sizes, pairs = np.array([len(group) for group in groups]), _pair_sums(groups, degree)
    cross = sum(_cross_sums(groups, block, degree) for block in _blocks(y))

    def statistic(n: int, within: float, across: float) -> float:
        return within / (n * (n - 1)) + within_y - 2 * across / (n * len(y))

    # Without group g: all pairs less those of g with any group, which count g's own pairs twice.
    within = pairs.sum() - 2 * pairs.sum(axis=0) + np.diag(pairs)
    rest = zip(sizes.sum() - sizes, within, cross.sum() - cross, strict=True)
    value = statistic(sizes.sum(), pairs.sum(), cross.sum())
    return jackknife.jackknife(value, [statistic(*sums) for sums in rest], biased=False)


def _pair_sums(groups: list[np.ndarray], degree: int) -> np.ndarray:
    """Σ k(x_i, x_j) over i in group a, j in group b, i ≠ j: [G, G]."""
    pairs = np.zeros((len(groups), len(groups)))
    for a, rows in enumerate(groups):
        for b, columns in enumerate(groups[: a + 1]):
            kernel = polynomial(rows, columns, degree)
            pairs[a, b] = pairs[b, a] = kernel.sum() - (np.trace(kernel) if a == b else 0)
    return pairs


def _cross_sums(groups: list[np.ndarray], y: np.ndarray, degree: int) -> np.ndarray:
    """Σ k(x_i, y_j) over i in each group and all rows of y: [G]."""
    return np.array([polynomial(group, y, degree).sum() for group in groups])
