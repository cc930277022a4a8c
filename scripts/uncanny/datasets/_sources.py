"""Image files of a folder or of a zip archive, read one at a time; nothing is extracted."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
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

    names: paths within it, parts divided by `/`, sorted. Hidden files and folders are left out,
    and those that macOS adds to archives. stamp: text that changes with a file's contents, as far
    as can be told without reading it.
    """

    place: Path
    names: list[str]
    size: Callable[[str], int]
    get: Callable[[str], bytes]
    stamp: Callable[[str], str]

    def read(self, name: str) -> bytes:
        """Bytes of an image; ValueError where they cannot be read or are more than MAX_BYTES."""
        try:
            size = self.size(name)
            if size > MAX_BYTES:
                raise ValueError(f"{size} bytes, expected at most {MAX_BYTES}")
            return self.get(name)
        except UNREADABLE as error:
            raise ValueError(f"not readable ({error})") from None


@contextmanager
def opened(root: Path | str) -> Iterator[Source]:
    """The images of a folder or a .zip file; ValueError that names root where there are none."""
    place = Path(root)
    if place.is_dir():
        yield _filled(_folder(place))
        return
    if not place.is_file():
        raise ValueError(
            f"{place}: no such folder or file; expected a folder or a .zip of images, as the "
            "dataset's root says"
        )
    with _archive(place) as archive:
        yield _filled(_members(place, archive))


def _folder(place: Path) -> Source:
    def stamp(name: str) -> str:
        status = (place / name).stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    return Source(
        place=place,
        names=_sorted(_files(place)),
        size=lambda name: (place / name).stat().st_size,
        get=lambda name: _bytes(place / name),
        stamp=stamp,
    )


def _archive(place: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(place)
    except UNREADABLE as error:
        with place.open("rb") as file:
            begun = file.read(4) == b"PK\3\4"
        found = "zip archive without an end, only partly there?" if begun else "no zip archive"
        raise ValueError(
            f"{place}: {found} ({place.stat().st_size} bytes; {error}); expected a folder or a "
            ".zip of images"
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
    def stamp(name: str) -> str:
        member = archive.getinfo(name)
        return f"{member.file_size} {member.CRC:08x}"

    return Source(
        place=place,
        names=_sorted(archive.namelist()),
        size=lambda name: archive.getinfo(name).file_size,
        get=lambda name: _unpacked(archive, archive.getinfo(name)),
        stamp=stamp,
    )


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member as far as it declares, whatever it unpacks to: with more, its checksum is wrong."""
    if member.compress_type not in METHODS:
        raise zipfile.BadZipFile(f"packed by method {member.compress_type}, expected deflate")
    with archive.open(member) as file:
        return file.read(member.file_size)


def _files(place: Path) -> Iterator[str]:
    for folder, _, files in os.walk(place, followlinks=True):  # folders of classes are often links
        inside, real = Path(folder).relative_to(place), os.path.realpath(folder)
        above = os.path.realpath(os.path.dirname(folder))
        if inside.parts and f"{above}{os.sep}".startswith(f"{real}{os.sep}"):
            raise ValueError(f"{place}: {inside} is a link to a folder that it lies in")
        yield from ((inside / file).as_posix() for file in files)


def _sorted(names) -> list[str]:
    """Images among the names, each once, sorted."""
    return sorted({name for name in names if _is_image(name)})


def _is_image(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not hidden and os.path.splitext(name)[1].lower() in SUFFIXES


def _bytes(path: Path) -> bytes:
    if not path.is_file():  # to open a pipe would wait for ever
        raise OSError("no regular file")
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _filled(source: Source) -> Source:
    if not source.names:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ValueError(f"{source.place}: no images; expected files {kinds}")
    for name in source.names:
        if not name.isascii() and _is_broken(name):
            raise ValueError(f"{source.place}: {name!r} is no UTF-8; expected another name")
    return source


def _is_broken(name: str) -> bool:
    try:
        return not name.encode()
    except UnicodeEncodeError:
        return True
