"""Nearest neighbours among features, tile by tile: memory does not grow with the number of pairs.

Rows are numbers of any precision; distances are taken in float64.
"""

import numpy as np
import torch
from torch import Tensor

ROWS = 1024  # of each side in a tile of distances
CANDIDATES = 8  # by products, of which the two nearest are found by differences


def squares(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances of each row of x [n, d] to each row of y [m, d], from products:
    [n, m]. Rounding is in proportion to squared lengths, so that equal rows may be a little apart.
    """
    x, y = x.double(), y.double()
    lengths = x.square().sum(dim=1, keepdim=True) + y.square().sum(dim=1)
    return torch.addmm(lengths, x, y.T, alpha=-2).clamp_(min=0)


def nearest(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Squared distances of each row of x to its nearest rows of y, ascending, and which these are:
    twice [n, count].
    """
    found = [_nearest_of_tile(rows, y, count) for rows in x.split(ROWS)]
    return torch.cat([squared for squared, _ in found]), torch.cat([which for _, which in found])


def _nearest_of_tile(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    best, which = [], []
    for start in range(0, len(y), ROWS):
        part = squares(x, y[start : start + ROWS])
        near = part.topk(min(count, part.shape[1]), largest=False)
        best.append(near.values)
        which.append(near.indices + start)
    near = torch.cat(best, dim=1).topk(count, largest=False)
    return near.values, torch.cat(which, dim=1).gather(1, near.indices)


def others(x: np.ndarray, count: int) -> np.ndarray:
    """Squared distances of each row to its nearest other rows, ascending: float64 [n, count]."""
    x = torch.from_numpy(x)
    return nearest(x, x, count + 1)[0][:, 1:].numpy()  # the nearest of all is the row itself


def radii(x: Tensor, sets: Tensor, k: int) -> Tensor:
    """Squared distance of each row to its k-th nearest other row of the same set: [n, S].

    sets: bool [n, S], which rows belong to each of S sets, every one of more than k rows. -1 where
    a row does not belong to it.
    """
    count = min(len(x), 16 * (k + 1))
    while True:
        squared, which = nearest(x, x, count)
        before = [(s[which].cumsum(dim=1) <= k).sum(dim=1) for s in sets.T]
        if all((b[s] < count).all() for b, s in zip(before, sets.T, strict=True)):
            break
        count = min(len(x), 2 * count)  # by chance, or because equal rows stand in the way
    at = torch.stack(before, dim=1).clamp(max=count - 1)
    return squared.gather(1, at).where(sets, torch.tensor(-1.0, dtype=squared.dtype))


def inside(x: Tensor, y: Tensor, squared: Tensor) -> Tensor:
    """Whether each row of x lies in any of the balls around rows of y, for S sets of balls: bool
    [n, S]. squared: their squared radii [m, S], negative where there is no ball.
    """
    found, widest = torch.zeros(len(x), squared.shape[1], dtype=torch.bool), squared.amax(dim=1)
    for rows in torch.arange(len(x)).split(ROWS):
        for start in range(0, len(y), ROWS):
            rows = rows[~found[rows].all(dim=1)]
            if not len(rows):
                break
            part = slice(start, start + ROWS)
            pairs = squares(x[rows], y[part])
            row, centre = (pairs <= widest[part]).nonzero(as_tuple=True)
            hits = pairs[row, centre, None] <= squared[part][centre]
            count = torch.zeros(len(rows), squared.shape[1], dtype=torch.int32)
            found[rows] |= count.index_add_(0, row, hits.int()) > 0
    return found


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances of each row of x [n, d] to its two nearest rows of y [m, d]: [n, 2].

    From differences and not from products, so that equal rows are at distance 0. Products name the
    candidates; where their rounding leaves a doubt, all rows of y are.
    """
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    longest = max(part.double().square().sum(dim=1).max() for part in y.split(ROWS))
    return torch.cat([_two_nearest(part, y, longest) for part in x.split(ROWS)]).numpy()


def _two_nearest(x: Tensor, y: Tensor, longest: Tensor) -> Tensor:
    count = min(CANDIDATES, len(y))
    squared, which = nearest(x, y, count)
    x = x.double()
    found = _by_differences(x[:, None], y[which].double())[:, 0]
    rounding = 8 * x.shape[1] * torch.finfo(x.dtype).eps * (x.square().sum(dim=1) + longest)
    if count < len(y):
        for row in torch.nonzero(squared[:, -1] - rounding < found[:, 1] ** 2).flatten():
            near = [_by_differences(x[row, None], part.double()) for part in y.split(ROWS)]
            found[row] = torch.cat(near, dim=1).topk(2, largest=False).values
    return found


def _by_differences(x: Tensor, y: Tensor) -> Tensor:
    """Distances to the two nearest rows, or to the one there is."""
    distances = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.topk(min(2, distances.shape[-1]), largest=False).values
