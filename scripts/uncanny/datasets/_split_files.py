"""Files of an unfinished split: two growing arrays, and a record of how much is safely on the disk.

They have names that no rule declares, because Snakemake deletes the outputs of a failed job.
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
    """Return the path of an array until all splits are whole."""
    return path.with_suffix(".part")


def record(directory: Path, split: str) -> Path:
    return directory / f"{split}.part.json"


@dataclass
class SplitProgress:
    """Progress of a split: items taken, numbers of those left out, digest of all stamps."""

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


class SplitFiles:
    """The files of one unfinished split."""

    def __init__(self, directory: Path, split: str, dtype: np.dtype, shape: tuple[int, ...]):
        self.directory, self.split, self.dtype, self.shape = directory, split, dtype, shape
        self.paths = [part(directory / name) for name in file_names(split)]
        self.record = record(directory, split)
        self._files, self._digests = [], [hashlib.sha256(), hashlib.sha256()]

    def resume(self, items, count: int) -> SplitProgress:
        """Return the progress of an earlier attempt at the same items; else none, and remove its
        files.

        items: see writing.py; None where a split is not resumed.
        """
        try:
            done = self._resume(items, count) if items else SplitProgress()
        except (ValueError, OSError, KeyError, TypeError) as error:
            print(f"{self.split}: begins anew: {error}", flush=True)
            done, self._digests = SplitProgress(), [hashlib.sha256(), hashlib.sha256()]
        if done.taken:
            print(f"{self.split}: goes on behind {done.taken} of {count} items", flush=True)
        else:
            self.remove()
        return done

    def _resume(self, items, count: int) -> SplitProgress:
        done = SplitProgress()
        if not self.record.exists():
            return done
        kept = read_json(self.record)
        if kept["made_with"] != self._made_with(items):
            raise ValueError(f"{self.record} belongs to other parameters")
        left_out = set(kept["left_out"])
        if left_out and items.whole:
            raise ValueError(f"{self.record} lacks items that are no longer to be left out")
        for number in range(min(kept["items"], count)):
            done.take(items.stamp(number), number in left_out)
        if (done.taken, done.stamps.hexdigest()) != (kept["items"], kept["stamps"]):
            raise ValueError(f"{self.record} belongs to another list of items")
        for path, size in zip(self.paths, self._sizes(done.rows), strict=True):
            if path.stat().st_size < size:
                raise ValueError(f"{path} is shorter than {self.record} records")
        self._read_through(done.rows, kept["sha256"])
        return done

    def _read_through(self, rows: int, expected: list[str]) -> None:
        """Compare both files with their checksums, whose digests continue from here."""
        heads = [len(header) for header in self._headers(rows)]
        files = zip(self.paths, heads, self._sizes(rows), self._digests, expected, strict=True)
        for path, first, end, digest, checksum in files:
            with path.open("rb") as file:
                file.seek(first)
                for at in range(first, end, CHUNK):
                    digest.update(file.read(min(CHUNK, end - at)))
            if digest.hexdigest() != checksum:
                raise ValueError(f"{path} is damaged")

    def require_room(self, count: int) -> None:
        """Raise ValueError where the disk has less room than the split still takes."""
        written = sum(path.stat().st_size for path in self.paths if path.exists())
        missing, free = sum(self._sizes(count)) - written, shutil.disk_usage(self.directory).free
        if missing > free:
            raise ValueError(
                f"{self.directory}: split {self.split!r}, {count} items, takes {_gb(missing)} "
                f"more; {_gb(free)} are free on its disk"
            )

    def full(self, error: OSError, done: SplitProgress, count: int) -> str:
        """Message for a disk that turns out to be full."""
        free = shutil.disk_usage(self.directory).free
        return (
            f"{self.paths[0]}: {error.strerror} after {done.rows} of {count} items; the split "
            f"takes {_gb(sum(self._sizes(count)))} in all, {_gb(free)} are free: make room and run "
            "the same command again"
        )

    @contextlib.contextmanager
    def opened(self, rows: int, count: int) -> Iterator[None]:
        """Open the files after their first rows; bytes after these are cut off."""
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
        """Write one item."""
        contents = value.tobytes(), LABEL.type(label).tobytes()
        for file, digest, content in zip(self._files, self._digests, contents, strict=True):
            file.write(content)
            digest.update(content)

    def keep(self, done: SplitProgress, items) -> None:
        """Flush everything to the disk, then record the progress."""
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        facts = {"made_with": self._made_with(items), "items": done.taken}
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

    def _made_with(self, items) -> str:
        facts = {"dtype": self.dtype.str, "shape": self.shape, "recipe": items.made_with}
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
