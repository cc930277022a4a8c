"""Files from outside a study: a dataset's images, imported samples, weights from elsewhere.

No rule makes them, so that Snakemake does not see when others take their place. A description of
them is a param of the rule that reads them: where it has changed the rule runs again, and
Snakemake's reason shows it before and now. No torch here: the Snakefile imports this.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from uncanny.runtime import files

KEY = "source_files"  # of a record that says what it was made from
# Bytes and files of which the contents are read whenever a study is planned: tenths of a second.
SMALL, FEW = 2**25, 4096
# Files that are hidden, and those that macOS and Windows add to archives and folders.
HIDDEN = re.compile(r"(^|/)(\.|__MACOSX|(Thumbs\.db|desktop\.ini)$)")
TAIL = 2**16 + 64  # bytes at the end of a zip archive among which its directory is announced


def is_hidden(name: str) -> bool:
    """Whether a file is none of a user's own: hidden, or added by macOS or Windows."""
    return HIDDEN.search(name) is not None


def walk(place: Path | str) -> Iterator[str]:
    """Paths of all files below a folder, parts divided by `/`; links to folders are followed.

    Raises ValueError that names a folder which cannot be read, or is a link to one that it lies in.
    """
    return (name for name, _ in _entries(str(place)))


def _entries(place: str, inside: str = "") -> Iterator[tuple[str, os.DirEntry]]:
    folder = f"{place}/{inside[:-1]}" if inside else place
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(
            f"{folder}: not readable ({reason}); expected a folder that may be read"
        ) from None
    for entry in entries:
        name = f"{inside}{entry.name}"
        if not entry.is_dir():
            yield name, entry
            continue
        if entry.is_symlink() and _is_within(folder, entry):
            raise ValueError(f"{place}: {name} is a link to a folder that it lies in")
        yield from _entries(place, f"{name}/")


def _is_within(folder: str, other: os.DirEntry) -> bool:
    return f"{os.path.realpath(folder)}/".startswith(f"{os.path.realpath(other)}/")


def describe(path: Path | str) -> str | None:
    """One line that changes with the files at a path; None where there are none to be read.

    Files of up to SMALL bytes in all count by their contents, a larger zip archive (.npz and .pth
    are such) by its directory, which has a checksum of each of its files; what is larger, by names,
    sizes and times in seconds. Hidden files do not count.
    """
    try:
        if not Path(path).exists():
            return None
        rows = _rows(Path(path))
        total = sum(size for _, size, _ in rows)
        if not rows:
            return None
        how, digest = _digest(Path(path), rows, total)
    except (OSError, ValueError):
        return None
    count = "1 file" if len(rows) == 1 else f"{len(rows):,} files"
    return f"{path}: {count}, {total:,} bytes, {how} {digest[:16]}"


def _rows(place: Path) -> list[tuple[str, int, int]]:
    """(path below the place, bytes, time in seconds) of each file; size and time of what is no
    regular file are 0.
    """
    if not place.is_dir():
        return [("", *_status(place))]
    found = _entries(str(place))
    return sorted((name, *_status(entry)) for name, entry in found if not is_hidden(name))


def _status(file: Path | os.DirEntry) -> tuple[int, int]:
    try:
        found = file.stat()
    except FileNotFoundError:  # a link to nothing
        return 0, 0
    return (found.st_size, int(found.st_mtime)) if stat.S_ISREG(found.st_mode) else (0, 0)


def _digest(place: Path, rows: list, total: int) -> tuple[str, str]:
    """(what counts, hexadecimal SHA-256)."""
    if len(rows) <= FEW and total <= SMALL:
        return "contents", files.checksum(_contents(place, rows))
    if place.is_file() and (directory := zip_directory(place)):
        return "directory", files.checksum([directory])
    lines = (f"{name} {size} {time}\n" for name, size, time in rows)
    return "names, sizes and times", files.checksum(lines)


def _contents(place: Path, rows: list) -> Iterator[str | bytes]:
    for name, size, _ in rows:
        yield f"{name} {size}\n"
        if size:
            yield (place / name).read_bytes()


def zip_directory(path: Path) -> bytes:
    """The central directory of a zip archive as it lies in the file; empty for any other file.

    Without the objects that `zipfile` makes of it: seconds, for a million files. Layout: APPNOTE
    4.3.12 to 4.3.16 (central directory, zip64 record and locator, end record).
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - TAIL)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) < at + 22:
            return b""
        size, end = _number(tail, at + 12, 4), start + at
        if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):  # locator of the zip64 record
            end = _number(tail, at - 12, 8)
            file.seek(end)
            size = _number(file.read(56), 40, 8)
        file.seek(max(0, end - size))
        found = file.read(size)
    return found if found.startswith(b"PK\1\2") else b""


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def keep(record: Path | str, description: str | None) -> None:
    """Add the description of what was read to the record of what was made of it."""
    if description:
        files.write_json(record, files.read_json(record) | {KEY: description})


def recorded(record: Path | str) -> str | None:
    """The description in the record of what was made from files, which may be gone since."""
    try:
        found = json.loads(Path(record).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found.get(KEY) if isinstance(found, dict) else None
