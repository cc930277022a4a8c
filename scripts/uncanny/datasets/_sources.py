"""Image files of a folder or of a zip archive, read one at a time; nothing is extracted."""

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from uncanny.runtime.source_files import is_hidden, walk

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm"}
LISTED = 1000  # names of files in a record, which counts all of them
MAX_BYTES = 100_000_000  # of one file
METHODS = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # the others cannot be unpacked little by little
MAX_FILES = 20_000_000  # of an archive: their names alone are gigabytes
UNREADABLE = (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Source:
    """Images of a folder or an archive.

    names: paths within it, parts divided by `/`, sorted. others: the files that are left out:
    hidden ones and those that other systems add, and what has another suffix than an image. lost:
    links to nothing that may have been folders of images. stamp: text that changes with a file's
    contents, as far as can be told without reading it.
    """

    place: Path
    names: list[str]
    others: list[str]
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
        """What is not read, by what it is, for a record; the log says so.

        used: files that are no images and are read. Raises ValueError for a link to nothing, which
        may have been a class, unless it may be skipped.
        """
        if self.lost and not skip:
            what = f"{self.at(self.lost[0])}: a link to nothing"
            raise ValueError(f"{what}; expected a file or a folder, or on_error: skip")
        names = [name for name in self.others if name not in used]
        counts = kinds(names) | ({"links to nothing": len(self.lost)} if self.lost else {})
        names += self.lost
        if names:
            what = (
                "1 file that is no image" if len(names) == 1 else f"{len(names)} files, no images"
            )
            first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            print(f"left out: {what} ({in_words(counts)}): {first}", flush=True)
        return {"left_out": counts, "left_out_first": names[:LISTED]}

    def at(self, name: str) -> str:
        """Where a file lies, for messages."""
        return f"{self.place}: {name}"


def kinds(names: Iterable[str]) -> dict[str, int]:
    """How many files there are of each suffix; `hidden` counts those that are no user's own."""
    found = Counter("hidden" if is_hidden(name) else suffix(name) or "no suffix" for name in names)
    return dict(sorted(found.items()))


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
    """The images of a folder or a .zip file; ValueError that names root where there are none.

    key: what of the config says root. expected: what it may be.
    """
    place = Path(root)
    if place.is_dir():
        yield _filled(_folder(place))
        return
    if not place.is_file():
        raise ValueError(f"{place}: no such folder or file; expected {expected}, as {key} says")
    with _archive(place, expected) as archive:
        yield _filled(_members(place, archive))


def _folder(place: Path) -> Source:
    def stamp(name: str) -> str:
        try:
            status = (place / name).stat()
        except OSError as error:  # a link to nothing: reading it says so
            return str(error.strerror)
        return f"{status.st_size} {status.st_mtime_ns}"

    names, others = _sorted(walk(place))
    lost = [name for name in others if not (is_hidden(name) or os.path.exists(place / name))]
    return Source(
        place=place,
        names=names,
        others=[name for name in others if name not in lost],
        lost=lost,
        size=lambda name: (place / name).stat().st_size,
        get=lambda name: _bytes(place / name),
        stamp=stamp,
    )


def _archive(place: Path, expected: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(place)
    except UNREADABLE as error:
        with place.open("rb") as file:
            begun = file.read(4) == b"PK\3\4"
        found = "zip archive without an end, only partly there?" if begun else "no zip archive"
        raise ValueError(
            f"{place}: {found} ({place.stat().st_size} bytes; {error}); expected {expected}"
        ) from None
    try:
        _check_members(place, archive.infolist())
    except ValueError:
        archive.close()
        raise
    return archive


def _check_members(place: Path, members: list[zipfile.ZipInfo]) -> None:
    """ValueError for an archive that is made to fill memory or to take for ever."""
    if len(members) > MAX_FILES:
        raise ValueError(f"{place}: {len(members)} files; expected at most {MAX_FILES}")
    packed, size = sum(member.compress_size for member in members), place.stat().st_size
    if packed > size:
        raise ValueError(
            f"{place}: {size} bytes that hold {packed} bytes of packed files: they overlap; "
            "expected each by itself"
        )


def _members(place: Path, archive: zipfile.ZipFile) -> Source:
    members = {_path(m.filename): m for m in archive.infolist() if not _is_folder(m.filename)}

    def stamp(name: str) -> str:
        return f"{members[name].file_size} {members[name].CRC:08x}"

    names, others = _sorted(members)
    return Source(
        place=place,
        names=names,
        others=others,
        size=lambda name: members[name].file_size,
        get=lambda name: _unpacked(archive, members[name]),
        stamp=stamp,
    )


def _path(member: str) -> str:
    """A member's path, parts divided by `/`, whatever the program that wrote it divides them by."""
    parts = member.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _is_folder(member: str) -> bool:
    return member.endswith(("/", "\\"))


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member as far as it declares, whatever it unpacks to: with more, its checksum is wrong."""
    if member.compress_type not in METHODS:
        raise zipfile.BadZipFile(f"packed by method {member.compress_type}, expected deflate")
    with archive.open(member) as file:
        return file.read(member.file_size)


def _sorted(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Images among the names, and other files, each once, sorted."""
    found, others = set(), set()
    for name in names:
        (found if _is_image(name) else others).add(name)
    return sorted(found), sorted(others)


def _is_image(name: str) -> bool:
    return suffix(name) in SUFFIXES and not is_hidden(name)


def _bytes(path: Path) -> bytes:
    if not path.is_file():  # to open a pipe would wait for ever
        raise OSError("no regular file")
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _filled(source: Source) -> Source:
    if not source.names:
        found = in_words(kinds(source.others))
        known = ", ".join(sorted(SUFFIXES))
        among = f" among its files ({found})" if found else ""
        raise ValueError(f"{source.place}: no images{among}; expected files {known}")
    for name in source.names:
        if not name.isascii() and _is_broken(name):
            raise ValueError(f"{source.at(repr(name))} is no UTF-8; expected another name")
    return source


def _is_broken(name: str) -> bool:
    try:
        return not name.encode()
    except UnicodeEncodeError:
        return True
