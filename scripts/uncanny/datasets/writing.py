"""Writing of a prepared dataset, item by item; a long preparation resumes when it is cut off."""

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncanny.datasets import DESCRIPTION, DTYPES, SPLITS, file_names
from uncanny.datasets._split_files import SplitFiles, SplitProgress, part, record
from uncanny.runtime.files import sha256, write_json

SECONDS = 10.0  # between two records of how far a split has come
AHEAD = 4  # items per thread that may wait for their turn
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class ResumableItems:
    """Items of a split that can be made one by one, each from its number, and so be resumed.

    make(k): (value, label) of item k, or None where it is left out; called by `threads` threads at
    once. stamp(k): text that changes with the source of item k. made_with: whatever else determines
    the items, as JSON. whole: no item may be left out.
    """

    make: Callable[[int], tuple | None]
    stamp: Callable[[int], str]
    made_with: Mapping
    threads: int = 1
    whole: bool = True

    def items(self, first: int, count: int) -> Iterator[tuple | None]:
        """Make items first .. count - 1 in order; few wait, however slow one of them is."""
        if self.threads == 1:
            yield from map(self.make, range(first, count))
            return
        waiting = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for number in range(first, count):
                    waiting.append(pool.submit(self.make, number))
                    if len(waiting) > AHEAD * self.threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)


def write_split(
    directory: Path | str,
    split: str,
    count: int,
    shape: tuple,
    items: Iterable | ResumableItems,
    kind: str = "image",
) -> list[int]:
    """Stream `count` items (value, label) to the files that `write_description` completes.

    Each value has the given shape and the dtype of the kind (uint8 for "image", float32 for
    "vector"); a label is an integer >= 0. Memory holds a few items at a time. ResumableItems are
    kept when a job is cut off: the next attempt goes on after the last item that is safely on the
    disk, if all those before it are made of the same. Returns the numbers of the items left out.
    Raises ValueError on an item of another dtype or shape, a bad label, another number of items,
    and where the disk has no room.
    """
    if count < 1:
        raise ValueError(f"{directory}: split {split!r} has {count} items; expected at least 1")
    Path(directory).mkdir(parents=True, exist_ok=True)
    files = SplitFiles(Path(directory), split, DTYPES[kind], tuple(shape))
    done = files.resume(items if isinstance(items, ResumableItems) else None, count)
    files.require_room(count)
    try:
        with files.opened(done.rows, count):
            _fill(files, done, items, count)
    except BaseException as error:
        if not files.record.exists():
            files.remove()
        if isinstance(error, OSError) and error.errno in FULL:
            raise ValueError(files.full(error, done, count)) from error
        if isinstance(error, ValueError):
            raise ValueError(f"{directory}: split {split!r}: {error}") from error
        raise
    return done.left_out


def _fill(
    files: SplitFiles, done: SplitProgress, items: Iterable | ResumableItems, count: int
) -> None:
    """Write the items that are not there yet."""
    resumable = items if isinstance(items, ResumableItems) else None
    last = time.monotonic()
    for item in resumable.items(done.taken, count) if resumable else items:
        if done.taken == count:
            raise ValueError(f"more than {count} items, the number announced")
        if item is not None:
            files.append(*_checked(item, done.taken, files.dtype, files.shape))
        done.take(resumable.stamp(done.taken) if resumable else "", left_out=item is None)
        if resumable and time.monotonic() - last >= SECONDS:
            files.keep(done, resumable)
            print(f"{files.split}: {done.taken} of {count} items", flush=True)
            last = time.monotonic()
    if done.taken < count:
        raise ValueError(f"{done.taken} items, expected {count}")
    if not done.rows:
        raise ValueError(f"all {count} items were left out; expected at least one to be whole")
    files.finish(done.rows)
    if resumable:
        files.keep(done, resumable)


def _checked(item: tuple, number: int, dtype: np.dtype, shape: tuple) -> tuple[np.ndarray, int]:
    value, label = np.asarray(item[0]), item[1]
    if value.shape != shape or value.dtype != dtype:
        expected = f"{dtype} {shape}"
        raise ValueError(f"item {number} is {value.dtype} {value.shape}, expected {expected}")
    if int(label) != label or label < 0:
        raise ValueError(f"item {number} has label {label!r}, expected an integer >= 0")
    return value, int(label)


def write_description(
    directory: Path | str,
    shape: tuple,
    *,
    num_classes: int,
    source: str,
    parameters: Mapping,
    kind: str = "image",
) -> None:
    """Give the written splits `train` and `test` their names, and write dataset.json with count,
    bytes and SHA-256 of each.

    The dataset has the name of its folder, that is its key in the config. source: origin of the
    data. parameters: options that determine them.
    """
    directory = Path(directory).resolve()
    splits = {split: _describe(directory, split) for split in SPLITS}
    paths = [directory / name for split in SPLITS for name in file_names(split)]
    (directory / DESCRIPTION).unlink(missing_ok=True)  # it would describe other arrays
    for path in paths:
        _take_name(part(path), path)
    text = {"name": directory.name, "kind": kind, "shape": list(shape), "num_classes": num_classes}
    text |= {"source": source, "parameters": parameters, "splits": splits}
    write_json(directory / DESCRIPTION, text)
    for path in (*map(part, paths), *(record(directory, split) for split in SPLITS)):
        path.unlink(missing_ok=True)


def _describe(directory: Path, split: str) -> dict:
    names = file_names(split)
    paths = [part(directory / name) for name in names]
    files = {
        name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for name, path in zip(names, paths, strict=True)
    }
    return {"count": len(np.load(paths[0], mmap_mode="r")), "files": files}


def _take_name(source: Path, path: Path) -> None:
    """Link a file to its final name, which is all that Snakemake deletes of a killed job."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:  # a file system without links
        os.replace(source, path)
