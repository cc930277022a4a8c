"""A folder or a zip archive of images, cut square and shrunk to one size."""

import contextlib
import threading
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from uncanny.datasets import SPLITS, Expected, _decoding
from uncanny.datasets._layout import layout
from uncanny.datasets._sources import LISTED, Source, opened
from uncanny.datasets.writing import ResumableItems, write_description, write_split
from uncanny.registry.fingerprint import fingerprint
from uncanny.registry.option_types import Bounds, OpenFraction, Pixels, Seed

SOURCE = "root"  # the option that names files from outside
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")  # at most 8 bits per channel
LARGE = 10_000_000  # pixels of an image that no other thread may decode another one beside

_one_large = threading.Lock()


def images(
    folder: Path | str,
    *,
    root: str,
    resolution: Pixels,
    channels: Literal[1, 3] = 3,
    classes: bool = False,
    test_fraction: OpenFraction = 0.1,
    seed: Seed = 0,
    resize: Literal["box", "lanczos"] = "box",
    upscale: bool = False,
    background: list[Annotated[int, Bounds(0, 255)]] = [255, 255, 255],  # noqa: B006
    exif_orientation: bool = True,
    on_error: Literal["stop", "skip"] = "stop",
    threads: int = 1,
) -> None:
    """Image files below root as C×R×R, C = channels, R = resolution, in the order of their names.

    root: a folder, or a .zip that is read in place. Where it has two folders that are called
    splits, train and test or the like (_layout.py), these are the splits; else `test_fraction` of
    the images, chosen by `seed` (from every class alike), is held out. A single folder around
    everything is ignored. classes: the next folder is the class, numbered in order of names; or, if
    it exists, EDM's dataset.json lists the classes.
    Each image is turned as its EXIF orientation says (exif_orientation: false leaves it as it is
    stored), cut to the square in its centre, laid on `background` (red, green, blue) where it is
    transparent, and resized by Pillow: `box` averages the area of a new pixel, `lanczos` is
    sharper. channels: 3, grey images get three equal ones; 1, colours become their luminance
    (ITU-R 601). Colour profiles are ignored. upscale: images whose shorter side is below R are
    allowed. on_error: a file that is no whole image of 8 bits and sufficient size stops with its
    name, or is skipped and counted in dataset.json. What has no image's name is left out, and
    counted there as well. threads: so many images are decoded at once. Memory holds the names and
    an image per thread. A job that is cut off goes on where it was.
    """
    if resolution < 1 or not 0 < test_fraction < 1:
        options = f"resolution {resolution}, test_fraction {test_fraction}"
        raise ValueError(f"images: {options}; expected at least 1, the fraction between 0 and 1")
    if len(background) != 3 or not all(0 <= level <= 255 for level in background):
        raise ValueError(f"images: background {background}; expected three levels from 0 to 255")
    look = {"resolution": resolution, "resize": resize, "upscale": upscale, "channels": channels}
    look |= {"background": list(background), "exif_orientation": exif_orientation}
    shape, skipped, skip = (channels, resolution, resolution), {}, on_error == "skip"
    with opened(root) as source:
        options = {"test_fraction": test_fraction, "seed": seed, "skip": skip}
        images = layout(source, classes=classes, **options)
        left_out = source.left_out(used=images.listings, skip=skip)
        for split in SPLITS:
            names = images.names[split]
            items = _items(source, names, images.labels[split], look, skip, threads)
            numbers = write_split(folder, split, len(names), shape, items)
            skipped[split] = [names[number] for number in numbers]
    parameters = look | {"classes": images.classes, "test_fraction": test_fraction, "seed": seed}
    parameters |= {"splits": "drawn" if images.at_random else "folders", "on_error": on_error}
    parameters |= {"classes_from": images.listings or "folders"} if classes else {}
    parameters["skipped"] = {split: len(names) for split, names in skipped.items()}
    parameters["skipped_first"] = [n for names in skipped.values() for n in names][:LISTED]
    more = {"source": f"images of {Path(root).name}", "parameters": parameters | left_out}
    write_description(folder, shape, num_classes=len(images.classes), **more)


def expected(*, resolution: int, classes: bool, channels: int, **_) -> Expected:
    """The size of an image; number and classes are known from the files only."""
    shape = (channels, resolution, resolution)
    return Expected(shape, num_classes=None if classes else 0)


def _items(
    source: Source, names: list[str], labels: np.ndarray, look: dict, skip: bool, threads: int
) -> ResumableItems:
    """The images of a split, made one by one."""
    import PIL

    def make(number: int) -> tuple[np.ndarray, int] | None:
        try:
            return _pixels(source, names[number], **look), labels[number]
        except ValueError as error:
            if not skip:
                raise
            print(f"skipped: {error}", flush=True)
            return None

    def stamp(number: int) -> str:
        return f"{labels[number]} {names[number]} {source.stamp(names[number])}"

    made_with = look | {"code": fingerprint(__file__), "pillow": PIL.__version__}
    return ResumableItems(make, stamp, made_with, threads=threads, whole=not skip)


def _pixels(
    source: Source,
    name: str,
    *,
    resolution: int,
    resize: str,
    upscale: bool,
    channels: int,
    background: list[int],
    exif_orientation: bool,
) -> np.ndarray:
    """An image as uint8 [C, R, R]; ValueError that names the file."""
    from PIL import Image

    method, mode = Image.Resampling[resize.upper()], "L" if channels == 1 else "RGB"
    try:
        with _decoding.opened(source.read(name)) as image:
            _check(image, 1 if upscale else resolution)
            large = image.width * image.height > LARGE
            with _one_large if large else contextlib.nullcontext():
                square = _square(_decoding.oriented(image, upright=exif_orientation))
                flat = _decoding.flat(square, tuple(background), mode)
                pixels = np.asarray(flat.resize((resolution, resolution), method))
    except MemoryError:
        raise
    except Exception as error:  # decoders of broken files raise what they like
        raise ValueError(f"{source.at(name)}: {str(error) or type(error).__name__}") from None
    return pixels.reshape(resolution, resolution, channels).transpose(2, 0, 1)


def _check(image, least: int) -> None:
    size = f"{image.width}×{image.height} pixels of mode {image.mode}"
    if image.mode not in MODES:
        raise ValueError(f"{size}; expected 8 bits per channel, that is mode {', '.join(MODES)}")
    if min(image.size) < least:
        raise ValueError(f"{size}; expected at least {least} each way, or upscale: true")


def _square(image):
    """The square in the centre."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
