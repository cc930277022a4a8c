"""Files from outside a study: a dataset's images, imported samples, weights from elsewhere.

No rule makes them, so that Snakemake does not see when others take their place. A description of
them is a param of the rule that reads them: where it has changed the rule runs again, and
Snakemake's reason shows it before and now. No torch here: the Snakefile imports this.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from uncanny import files

KEY = "source_files"  # of a record that says what it was made from
SMALL = (
    2**25
)  # bytes of files whose contents are read whenever a study is planned: hundredths of a second
FEW = 4096  # files of which the same holds
ADDED = {"Thumbs.db", "desktop.ini"}  # what other systems add to a folder that is looked at
TAIL = 2**16 + 64  # bytes at the end of a zip archive among which its directory is announced


def is_hidden(name: str) -> bool:
    """Whether a file is none of a user's own: hidden, or added by macOS or Windows."""
    parts = name.split("/")
    return parts[-1] in ADDED or any(part.startswith((".", "__MACOSX")) for part in parts)


def walk(place: Path | str) -> Iterator[str]:
    """Paths of all files below a folder, parts divided by `/`; links to folders are followed.

    Raises ValueError that names a folder which cannot be read, or is a link to one that it lies in.
    """
    place = str(place)
    for folder, _, names in os.walk(place, followlinks=True, onerror=_refuse):
        inside, real = os.path.relpath(folder, place), os.path.realpath(folder)
        above = os.path.realpath(os.path.dirname(folder))
        if inside != "." and f"{above}{os.sep}".startswith(f"{real}{os.sep}"):
            raise ValueError(f"{place}: {inside} is a link to a folder that it lies in")
        prefix = "" if inside == "." else f"{inside.replace(os.sep, '/')}/"
        yield from (prefix + name for name in names)


def _refuse(error: OSError) -> None:
    reason = error.strerror or error
    raise ValueError(
        f"{error.filename}: not readable ({reason}); expected a folder that may be read"
    )


def describe(path: Path | str) -> str | None:
    """One line that changes with the files at a path; None where there are none to be read.

    Files of up to SMALL bytes in all count by their contents, a larger zip archive (.npz and .pth
    are such) by its directory, which has a checksum of each of its files; what is larger, by names,
    sizes and times in seconds. Hidden files do not count.
    """
    try:
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
    names = sorted(n for n in walk(place) if not is_hidden(n)) if place.is_dir() else [""]
    return [(name, *_status(f"{place}/{name}" if name else str(place))) for name in names]


def _status(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:  # a link to nothing
        return 0, 0
    return (found.st_size, int(found.st_mtime)) if stat.S_ISREG(found.st_mode) else (0, 0)


def _digest(place: Path, rows: list, total: int) -> tuple[str, str]:
    """(what counts, hexadecimal SHA-256)."""
    if len(rows) <= FEW and total <= SMALL:
        digest = hashlib.sha256()
        for name, size, _ in rows:
            digest.update(f"{name} {size}\n".encode(errors="surrogateescape"))
            if size:
                digest.update((place / name).read_bytes())
        return "contents", digest.hexdigest()
    if place.is_file() and (directory := zip_directory(place)):
        return "directory", hashlib.sha256(directory).hexdigest()
    lines = "".join(f"{name} {size} {time}\n" for name, size, time in rows)
    digest = hashlib.sha256(lines.encode(errors="surrogateescape"))
    return "names, sizes and times", digest.hexdigest()


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
