"""Image files of a folder or of a zip archive, read one at a time; nothing is extracted."""

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from uncanny.runtime.source_files import file_names, is_hidden

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm"}
LISTED = 1000  # names of files in a record, which counts all of them
MAX_BYTES = 100_000_000  # of one file
METHODS = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # others cannot be unpacked little by little
MAX_FILES = 20_000_000  # of an archive: their names alone are gigabytes
UNREADABLE = (OSError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Source:
    """Images of a folder or an archive.

    names: paths within it, separated by `/`, sorted. other_files: the files that are left out:
    hidden ones, those that other systems add, and those without the suffix of an image. lost:
    links to nothing that may have been folders of images. stamp: text that changes with a file's
    contents, as far as its size, time or checksum show without reading it.
    """

    path: Path
    names: list[str]
    other_files: list[str]
    size: Callable[[str], int]
    get: Callable[[str], bytes]
    stamp: Callable[[str], str]
    lost: list[str] = field(default_factory=list)

    def read(self, name: str) -> bytes:
        """Bytes of an image; ValueError where they cannot be read or are more than MAX_BYTES."""
        try:
            size = self.size(name)
            if size > MAX_BYTES:
                raise ValueError(f"{size} bytes, expected at most {MAX_BYTES}")
            return self.get(name)
        except UNREADABLE as error:
            raise ValueError(f"not readable ({error})") from None

    def left_out(self, used: Iterable[str] = (), skip: bool = False) -> dict:
        """Count the files that are not read by kind, for a record, and print them to the log.

        used: files that are no images and are read. Raises ValueError for a link to nothing, which
        may have been a class, unless it may be skipped.
        """
        if self.lost and not skip:
            link = f"{self.at(self.lost[0])}: a link to nothing"
            raise ValueError(f"{link}; expected a file or a folder, or on_error: skip")
        names = [name for name in self.other_files if name not in used]
        counts = kinds(names) | ({"links to nothing": len(self.lost)} if self.lost else {})
        names += self.lost
        if names:
            files = (
                "1 file that is no image" if len(names) == 1 else f"{len(names)} files, no images"
            )
            first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            print(f"left out: {files} ({in_words(counts)}): {first}", flush=True)
        return {"left_out": counts, "left_out_first": names[:LISTED]}

    def at(self, name: str) -> str:
        """Return the location of a file for messages."""
        return f"{self.path}: {name}"


def kinds(names: Iterable[str]) -> dict[str, int]:
    """Count files by suffix; `hidden` counts those that a system has added."""
    counts = Counter("hidden" if is_hidden(name) else suffix(name) or "no suffix" for name in names)
    return dict(sorted(counts.items()))


def in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


@contextmanager
def opened(
    root: Path | str,
    *,
    key: str = "the dataset's root",
    expected: str = "a folder or a .zip of images",
) -> Iterator[Source]:
    """Open the images of a folder or a .zip file; ValueError that names root where there are none.

    key: config key of root, for messages. expected: its allowed values, for messages.
    """
    path = Path(root)
    if path.is_dir():
        yield _filled(_folder(path))
        return
    if not path.is_file():
        raise ValueError(f"{path}: no such folder or file; expected {expected}, as {key} says")
    with _archive(path, expected) as archive:
        yield _filled(_members(path, archive))


def _folder(path: Path) -> Source:
    def stamp(name: str) -> str:
        try:
            status = (path / name).stat()
        except OSError as error:  # a link to nothing: reading it says so
            return str(error.strerror)
        return f"{status.st_size} {status.st_mtime_ns}"

    names, other_files = _sorted(file_names(path))
    lost = [name for name in other_files if not (is_hidden(name) or os.path.exists(path / name))]
    return Source(
        path=path,
        names=names,
        other_files=[name for name in other_files if name not in lost],
        lost=lost,
        size=lambda name: (path / name).stat().st_size,
        get=lambda name: _bytes(path / name),
        stamp=stamp,
    )


def _archive(path: Path, expected: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except UNREADABLE as error:
        with path.open("rb") as file:
            begun = file.read(4) == b"PK\3\4"
        problem = "zip archive without an end, only partly there?" if begun else "no zip archive"
        raise ValueError(
            f"{path}: {problem} ({path.stat().st_size} bytes; {error}); expected {expected}"
        ) from None
    try:
        _check_members(path, archive.infolist())
    except ValueError:
        archive.close()
        raise
    return archive


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise ValueError for an archive that was made to fill memory or to take for ever."""
    if len(members) > MAX_FILES:
        raise ValueError(f"{path}: {len(members)} files; expected at most {MAX_FILES}")
    packed, size = sum(member.compress_size for member in members), path.stat().st_size
    if packed > size:
        raise ValueError(
            f"{path}: {size} bytes that hold {packed} bytes of packed files: they overlap; "
            "expected each by itself"
        )


def _members(path: Path, archive: zipfile.ZipFile) -> Source:
    members = {_path(m.filename): m for m in archive.infolist() if not _is_folder(m.filename)}

    def stamp(name: str) -> str:
        return f"{members[name].file_size} {members[name].CRC:08x}"

    names, other_files = _sorted(members)
    return Source(
        path=path,
        names=names,
        other_files=other_files,
        size=lambda name: members[name].file_size,
        get=lambda name: _unpacked(archive, members[name]),
        stamp=stamp,
    )


def _path(member: str) -> str:
    """Return a member's path separated by `/`, whichever separator its program has written."""
    folders = member.replace("\\", "/").split("/")
    return "/".join(folder for folder in folders if folder not in ("", "."))


def _is_folder(member: str) -> bool:
    return member.endswith(("/", "\\"))


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Unpack a member up to its declared size; where it goes on, its checksum is wrong."""
    if member.compress_type not in METHODS:
        raise zipfile.BadZipFile(f"packed by method {member.compress_type}, expected deflate")
    with archive.open(member) as file:
        return file.read(member.file_size)


def _sorted(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Separate images from other files, without duplicates, sorted."""
    images, other_files = set(), set()
    for name in names:
        (images if _is_image(name) else other_files).add(name)
    return sorted(images), sorted(other_files)


def _is_image(name: str) -> bool:
    return suffix(name) in SUFFIXES and not is_hidden(name)


def _bytes(path: Path) -> bytes:
    if not path.is_file():  # to open a pipe would wait for ever
        raise OSError("no regular file")
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _filled(source: Source) -> Source:
    if not source.names:
        files = in_words(kinds(source.other_files))
        known = ", ".join(sorted(SUFFIXES))
        among = f" among its files ({files})" if files else ""
        raise ValueError(f"{source.path}: no images{among}; expected files {known}")
    for name in source.names:
        if not name.isascii() and _is_broken(name):
            raise ValueError(f"{source.at(repr(name))} is no UTF-8; expected another name")
    return source


def _is_broken(name: str) -> bool:
    try:
        return not name.encode()
    except UnicodeEncodeError:
        return True
