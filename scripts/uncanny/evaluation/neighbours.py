"""Nearest neighbours among features, tile by tile: memory does not grow with the number of pairs.

Rows are numbers of any precision; distances are taken in float64.
"""

import numpy as np
import torch
from torch import Tensor

ROWS = 1024  # of each side in a tile of distances
CANDIDATES = 8  # rows named by products, among which differences find the two nearest


def squares(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances of each row of x [n, d] to each row of y [m, d], from products:
    [n, m]. Rounding is in proportion to squared lengths, so that equal rows may be a little apart.
    """
    x, y = x.double(), y.double()
    # ‖x - y‖² = ‖x‖² + ‖y‖² - 2 x·y; clamped, as cancellation may leave a small negative number
    lengths = x.square().sum(dim=1, keepdim=True) + y.square().sum(dim=1)
    return torch.addmm(lengths, x, y.T, alpha=-2).clamp_(min=0)


def nearest(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Squared distances of each row of x to its nearest rows of y, ascending, and the indices of
    these: twice [n, count].
    """
    squared, indices = zip(
        *(_nearest_of_tile(rows, y, count) for rows in x.split(ROWS)), strict=True
    )
    return torch.cat(squared), torch.cat(indices)


def _nearest_of_tile(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    best, indices = [], []
    for first in range(0, len(y), ROWS):
        tile = squares(x, y[first : first + ROWS])
        near = tile.topk(min(count, tile.shape[1]), largest=False)
        best.append(near.values)
        indices.append(near.indices + first)
    # The nearest of all rows are among the nearest of each tile.
    near = torch.cat(best, dim=1).topk(count, largest=False)
    return near.values, torch.cat(indices, dim=1).gather(1, near.indices)


def within(x: np.ndarray, count: int) -> np.ndarray:
    """Squared distances of each row to its nearest other rows, ascending: float64 [n, count]."""
    x = torch.from_numpy(x)
    return nearest(x, x, count + 1)[0][:, 1:].numpy()  # the nearest of all is the row itself


def radii(x: Tensor, sets: Tensor, k: int) -> Tensor:
    """Squared distance of each row to its k-th nearest other row of the same set: [n, S].

    sets: bool [n, S], which rows belong to each of S sets, every one of more than k rows. -1 where
    a row does not belong to it.
    """
    # One list of neighbours serves all S sets: a half of the rows has about half of them.
    count = min(len(x), 16 * (k + 1))
    while True:
        squared, indices = nearest(x, x, count)
        # Position in the list of the (k+1)-th row of each set: the first is the row itself.
        ranks = [(s[indices].cumsum(dim=1) <= k).sum(dim=1) for s in sets.T]
        if all((r[s] < count).all() for r, s in zip(ranks, sets.T, strict=True)):
            break
        count = min(len(x), 2 * count)  # too few of a set, by chance or behind equal rows
    # Rows outside of a set may have no such position; theirs is masked below.
    ranks = torch.stack(ranks, dim=1).clamp(max=count - 1)
    return squared.gather(1, ranks).where(sets, torch.tensor(-1.0, dtype=squared.dtype))


def inside(x: Tensor, y: Tensor, squared: Tensor) -> Tensor:
    """Membership of each row of x in any of the balls around rows of y, for S sets of balls: bool
    [n, S]. squared: their squared radii [m, S], negative where there is no ball.
    """
    covered, widest = torch.zeros(len(x), squared.shape[1], dtype=torch.bool), squared.amax(dim=1)
    for rows in torch.arange(len(x)).split(ROWS):
        for first in range(0, len(y), ROWS):
            # Rows that lie in a ball of every set need no further tile.
            rows = rows[~covered[rows].all(dim=1)]
            if not len(rows):
                break
            tile = slice(first, first + ROWS)
            pairs = squares(x[rows], y[tile])
            # Most pairs are farther apart than any radius: compare the rest with each set's.
            row, centre = (pairs <= widest[tile]).nonzero(as_tuple=True)
            hits = pairs[row, centre, None] <= squared[tile][centre]
            count = torch.zeros(len(rows), squared.shape[1], dtype=torch.int32)
            covered[rows] |= count.index_add_(0, row, hits.int()) > 0
    return covered


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances of each row of x [n, d] to its two nearest rows of y [m, d]: [n, 2].

    From differences and not from products, so that equal rows are at distance 0. Products name the
    candidates; where their rounding leaves a doubt, all rows of y are.
    """
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    longest = max(rows.double().square().sum(dim=1).max() for rows in y.split(ROWS))
    return torch.cat([_two_nearest(rows, y, longest) for rows in x.split(ROWS)]).numpy()


def _two_nearest(x: Tensor, y: Tensor, longest: Tensor) -> Tensor:
    count = min(CANDIDATES, len(y))
    squared, indices = nearest(x, y, count)
    x = x.double()
    two = _by_differences(x[:, None], y[indices].double())[:, 0]
    # Bound on the error of ‖x‖² + ‖y‖² - 2 x·y: proportional to d, eps and the squared lengths
    rounding = 8 * x.shape[1] * torch.finfo(x.dtype).eps * (x.square().sum(dim=1) + longest)
    if count < len(y):
        # In doubt: a row that is no candidate may be as near as the second nearest candidate.
        for row in torch.nonzero(squared[:, -1] - rounding < two[:, 1] ** 2).flatten():
            near = [_by_differences(x[row, None], tile.double()) for tile in y.split(ROWS)]
            two[row] = torch.cat(near, dim=1).topk(2, largest=False).values
    return two


def _by_differences(x: Tensor, y: Tensor) -> Tensor:
    """Distances to the two nearest rows, or to the one there is."""
    distances = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.topk(min(2, distances.shape[-1]), largest=False).values
