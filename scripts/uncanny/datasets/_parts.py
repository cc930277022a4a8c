"""The files of a split on its way: two arrays that grow, and a record of how much of them is safe.

They lie under names that no rule declares, because Snakemake deletes what a failed job has under
the names of its outputs.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np

from uncanny.datasets import file_names
from uncanny.runtime.files import read_json

LABEL = np.dtype(np.int64)
CHUNK = 2**20  # bytes that are read at once


def part(path: Path) -> Path:
    """Where an array lies until all splits are whole."""
    return path.with_suffix(".part")


def record(directory: Path, split: str) -> Path:
    return directory / f"{split}.part.json"


@dataclass
class Progress:
    """How far a split has come: items taken, the numbers of those left out, a digest of what all of
    them were made of.
    """

    taken: int = 0
    left_out: list[int] = field(default_factory=list)
    stamps: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def rows(self) -> int:
        return self.taken - len(self.left_out)

    def take(self, stamp: str, left_out: bool) -> None:
        if left_out:
            self.left_out.append(self.taken)
        self.stamps.update(f"{stamp}\n".encode())
        self.taken += 1


class Parts:
    """The files of one split."""

    def __init__(self, directory: Path, split: str, dtype: np.dtype, shape: tuple[int, ...]):
        self.directory, self.split, self.dtype, self.shape = directory, split, dtype, shape
        self.paths = [part(directory / name) for name in file_names(split)]
        self.record = record(directory, split)
        self._files, self._digests = [], [hashlib.sha256(), hashlib.sha256()]

    def found(self, recipe, count: int) -> Progress:
        """What an earlier attempt has left of the same items; else nothing, and its files go.

        recipe: see writing.py; None where a split does not outlive its job.
        """
        try:
            done = self._found(recipe, count) if recipe else Progress()
        except (ValueError, OSError, KeyError, TypeError) as error:
            print(f"{self.split}: begins anew: {error}", flush=True)
            done, self._digests = Progress(), [hashlib.sha256(), hashlib.sha256()]
        if done.taken:
            print(f"{self.split}: goes on behind {done.taken} of {count} items", flush=True)
        else:
            self.remove()
        return done

    def _found(self, recipe, count: int) -> Progress:
        done = Progress()
        if not self.record.exists():
            return done
        kept = read_json(self.record)
        if kept["made_with"] != self._made_with(recipe):
            raise ValueError(f"{self.record} belongs to other parameters")
        left_out = set(kept["left_out"])
        if left_out and recipe.whole:
            raise ValueError(f"{self.record} lacks items that are no longer to be left out")
        for number in range(min(kept["items"], count)):
            done.take(recipe.stamp(number), number in left_out)
        if (done.taken, done.stamps.hexdigest()) != (kept["items"], kept["stamps"]):
            raise ValueError(f"{self.record} belongs to another list of items")
        for path, size in zip(self.paths, self._sizes(done.rows), strict=True):
            if path.stat().st_size < size:
                raise ValueError(f"{path} is shorter than {self.record} says")
        self._read_through(done.rows, kept["sha256"])
        return done

    def _read_through(self, rows: int, expected: list[str]) -> None:
        """Compare what is there of both files with its checksums, which go on from here."""
        heads = [len(header) for header in self._headers(rows)]
        places = zip(self.paths, heads, self._sizes(rows), self._digests, expected, strict=True)
        for path, start, end, digest, found in places:
            with path.open("rb") as file:
                file.seek(start)
                for at in range(start, end, CHUNK):
                    digest.update(file.read(min(CHUNK, end - at)))
            if digest.hexdigest() != found:
                raise ValueError(f"{path} is damaged")

    def require_room(self, count: int) -> None:
        """ValueError where the disk has less than the split still takes."""
        there = sum(path.stat().st_size for path in self.paths if path.exists())
        need, free = sum(self._sizes(count)) - there, shutil.disk_usage(self.directory).free
        if need > free:
            raise ValueError(
                f"{self.directory}: split {self.split!r}, {count} items, takes {_gb(need)} more; "
                f"{_gb(free)} are free on its disk"
            )

    def full(self, error: OSError, done: Progress, count: int) -> str:
        """What to say where the disk turns out to be full."""
        free = shutil.disk_usage(self.directory).free
        return (
            f"{self.paths[0]}: {error.strerror} after {done.rows} of {count} items; the split "
            f"takes {_gb(sum(self._sizes(count)))} in all, {_gb(free)} are free: make room and run "
            "the same command again"
        )

    @contextlib.contextmanager
    def opened(self, rows: int, count: int) -> Iterator[None]:
        """Open the files behind their first rows; what lies behind these is cut off."""
        with contextlib.ExitStack() as stack:
            for path, size, header in zip(
                self.paths, self._sizes(rows), self._headers(count), strict=True
            ):
                # Plain files: pages of a memory map would count as memory of the job.
                file = stack.enter_context(path.open("r+b" if rows else "wb"))
                file.write(header)
                file.truncate(size)
                file.seek(size)
                self._files.append(file)
            yield

    def append(self, value: np.ndarray, label: int) -> None:
        parts = value.tobytes(), LABEL.type(label).tobytes()
        for file, digest, content in zip(self._files, self._digests, parts, strict=True):
            file.write(content)
            digest.update(content)

    def keep(self, done: Progress, recipe) -> None:
        """Bring everything to the disk, then say so."""
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        facts = {"made_with": self._made_with(recipe), "items": done.taken}
        facts |= {"left_out": done.left_out, "stamps": done.stamps.hexdigest()}
        facts |= {"sha256": [digest.hexdigest() for digest in self._digests]}
        new = self.record.with_suffix(".new")  # a job killed here leaves one such file, not many
        with new.open("w", encoding="utf-8") as file:
            json.dump(facts, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.record)

    def finish(self, rows: int) -> None:
        """Write the headers of so many rows, which may be fewer than announced."""
        for file, header in zip(self._files, self._headers(rows), strict=True):
            file.seek(0)
            file.write(header)

    def remove(self) -> None:
        for path in (self.record, self.record.with_suffix(".new"), *self.paths):
            path.unlink(missing_ok=True)

    def _made_with(self, recipe) -> str:
        facts = {"dtype": self.dtype.str, "shape": self.shape, "recipe": recipe.made_with}
        return json.dumps(facts, sort_keys=True)

    def _arrays(self, rows: int) -> tuple:
        return (self.dtype, (rows, *self.shape)), (LABEL, (rows,))

    def _headers(self, rows: int) -> list[bytes]:
        return [_header(dtype, shape) for dtype, shape in self._arrays(rows)]

    def _sizes(self, rows: int) -> list[int]:
        """Bytes of the two files."""
        return [
            len(_header(dtype, shape)) + dtype.itemsize * int(np.prod(shape))
            for dtype, shape in self._arrays(rows)
        ]


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """The head of an .npy file, equally long whatever the number of rows."""
    file = BytesIO()
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def _gb(count: int) -> str:
    return f"{count / 1e9:.3g} GB"
