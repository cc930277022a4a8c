"""Files from outside a study: a dataset's images, imported samples, weights from elsewhere.

No rule makes them, so that Snakemake does not see when they are replaced. A description of them is
a param of the rule that reads them: where it has changed the rule runs again, and Snakemake's
reason shows both descriptions. No torch here: the Snakefile imports this.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from uncanny.runtime import files

KEY = "source_files"  # of the description in a record
# Bytes and files of which the contents are read whenever a study is planned: tenths of a second.
SMALL, FEW = 2**25, 4096
# Files that are hidden, and those that macOS and Windows add to archives and folders.
HIDDEN = re.compile(r"(^|/)(\.|__MACOSX|(Thumbs\.db|desktop\.ini)$)")
TAIL = 2**16 + 64  # bytes at the end of a zip archive that contain the position of its directory


def is_hidden(name: str) -> bool:
    """True for a hidden file, and for one that macOS or Windows added."""
    return HIDDEN.search(name) is not None


def file_names(root: Path | str) -> Iterator[str]:
    """Paths of all files below a folder, separated by `/`; links to folders are followed.

    Raises ValueError that names a folder which cannot be read, or is a link to one that it lies in.
    """
    return (name for name, _ in _entries(str(root)))


def _entries(root: str, inside: str = "") -> Iterator[tuple[str, os.DirEntry]]:
    folder = f"{root}/{inside[:-1]}" if inside else root
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
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
            raise ValueError(f"{root}: {name} is a link to a folder that it lies in")
        yield from _entries(root, f"{name}/")


def _is_within(folder: str, link: os.DirEntry) -> bool:
    return f"{os.path.realpath(folder)}/".startswith(f"{os.path.realpath(link)}/")


def describe(path: Path | str) -> str | None:
    """One line that changes with the files at a path; None without readable files.

    Files of up to SMALL bytes in all count by their contents, a larger zip archive (such
    as .npz and .pth) by its directory, which has a checksum of each of its files; all others by
    names, sizes and times in seconds. Hidden files do not count.
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


def _rows(root: Path) -> list[tuple[str, int, int]]:
    """(path below the root, bytes, time in seconds) of each file; 0 and 0 for one that is not
    regular.
    """
    if not root.is_dir():
        return [("", *_status(root))]
    entries = _entries(str(root))
    return sorted((name, *_status(entry)) for name, entry in entries if not is_hidden(name))


def _status(file: Path | os.DirEntry) -> tuple[int, int]:
    try:
        status = file.stat()
    except FileNotFoundError:  # a broken link
        return 0, 0
    return (status.st_size, int(status.st_mtime)) if stat.S_ISREG(status.st_mode) else (0, 0)


def _digest(root: Path, rows: list, total: int) -> tuple[str, str]:
    """(contents of the digest, hexadecimal SHA-256)."""
    if len(rows) <= FEW and total <= SMALL:
        return "contents", files.checksum(_contents(root, rows))
    if root.is_file() and (directory := zip_directory(root)):
        return "directory", files.checksum([directory])
    lines = (f"{name} {size} {time}\n" for name, size, time in rows)
    return "names, sizes and times", files.checksum(lines)


def _contents(root: Path, rows: list) -> Iterator[str | bytes]:
    for name, size, _ in rows:
        yield f"{name} {size}\n"
        if size:
            yield (root / name).read_bytes()


def zip_directory(path: Path) -> bytes:
    """Bytes of the central directory of a zip archive; empty for any other file."""
    # `zipfile` would make an object of each file: seconds, for a million. Layout: APPNOTE 4.3.12 to
    # 4.3.16 (central directory, zip64 record and locator, end record).
    with path.open("rb") as file:
        first = max(0, file.seek(0, os.SEEK_END) - TAIL)
        file.seek(first)
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) < at + 22:
            return b""
        size, end = _number(tail, at + 12, 4), first + at
        if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):  # locator of the zip64 record
            end = _number(tail, at - 12, 8)
            file.seek(end)
            size = _number(file.read(56), 40, 8)
        file.seek(max(0, end - size))
        directory = file.read(size)
    return directory if directory.startswith(b"PK\1\2") else b""


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def keep(record: Path | str, description: str | None) -> None:
    """Add the description of source files to the record of a result."""
    if description:
        files.write_json(record, files.read_json(record) | {KEY: description})


def recorded(record: Path | str) -> str | None:
    """The description of source files, which may no longer exist, in the record of a result."""
    try:
        stored = json.loads(Path(record).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return stored.get(KEY) if isinstance(stored, dict) else None
