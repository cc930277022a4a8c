"""Work that a thread does ahead of time, and images that it reads from a file in large pieces."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np


class Ahead:
    """make(k) for k, k + 1, …: while one result is used, a thread makes those of the next `depth`
    numbers, so memory holds at most depth + 1 of them. Any other k starts again there. An error of
    make(k) is raised where k is asked for.
    """

    def __init__(self, make: Callable[[int], object], depth: int, pool: Executor | None = None):
        self._make, self._depth = make, depth
        self._pool = pool or ThreadPoolExecutor(1)
        self._coming: dict[int, Future] = {}

    def __call__(self, k: int) -> object:
        if k not in self._coming:
            for unwanted in self._coming.values():
                unwanted.cancel()
            self._coming = {}
        for number in range(k, k + self._depth + 1):
            if number not in self._coming:
                self._coming[number] = self._pool.submit(self._make, number)
        return self._coming.pop(k).result()


def read_rows(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of an array, which ascend: one read for each run of consecutive ones."""
    out = np.empty((len(rows), *images.shape[1:]), images.dtype)
    for first, last in runs(rows):
        out[first:last] = _stretch(images, int(rows[first]), last - first)
    return out


def runs(rows: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers, which are rows[first:last]."""
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
    return list(zip(starts, [*starts[1:], len(rows)], strict=True))


def _stretch(images: np.ndarray, first: int, count: int) -> np.ndarray:
    """Consecutive rows. A file is read, not mapped: a map would fetch it in pieces of 128 KiB."""
    if not isinstance(images, np.memmap):
        return images[first : first + count]
    size = images[0].size
    offset = images.offset + first * size * images.itemsize
    read = np.fromfile(images.filename, images.dtype, count * size, offset=offset)
    return read.reshape(count, *images.shape[1:])
