"""Image files of a folder or of a zip archive, read one at a time; nothing is extracted."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
MAX_BYTES = 100_000_000  # of one file; an archive's members are never read beyond what they declare
UNREADABLE = (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Source:
    """Images of a folder or an archive.

    names: paths within it, parts divided by `/`, sorted. Hidden files and folders are left out,
    and those that macOS adds to archives.
    """

    place: Path
    names: list[str]
    size: Callable[[str], int]
    get: Callable[[str], bytes]

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
        names = _sorted(_files(place))
        yield _filled(
            Source(place, names, lambda n: (place / n).stat().st_size, lambda n: _bytes(place / n))
        )
        return
    if not place.is_file():
        raise ValueError(f"{place}: no such folder or file; expected a folder or a .zip of images")
    if not zipfile.is_zipfile(place):
        raise ValueError(f"{place}: no zip archive; expected a folder or a .zip of images")
    with zipfile.ZipFile(place) as archive:
        names = _sorted(archive.namelist())
        yield _filled(Source(place, names, lambda n: archive.getinfo(n).file_size, archive.read))


def _files(place: Path) -> Iterator[str]:
    for folder, _, files in os.walk(place, followlinks=True):  # folders of classes are often links
        inside = Path(folder).relative_to(place)
        yield from ((inside / file).as_posix() for file in files)


def _sorted(names) -> list[str]:
    """Images among the names, each once, sorted."""
    return sorted({name for name in names if _is_image(name)})


def _is_image(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not hidden and os.path.splitext(name)[1].lower() in SUFFIXES


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _filled(source: Source) -> Source:
    if not source.names:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ValueError(f"{source.place}: no images; expected files {kinds}")
    return source
