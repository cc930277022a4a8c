"""A folder or a zip archive of images, cut square and shrunk to one size."""

import contextlib
import io
import threading
from pathlib import Path
from typing import Literal

import numpy as np

from uncanny.datasets import SPLITS, Expected
from uncanny.datasets._sources import Source, opened
from uncanny.datasets.writing import Recipe, write_description, write_split
from uncanny.fingerprint import fingerprint

FORMATS = ("PNG", "JPEG", "WEBP")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")  # at most 8 bits per channel
MAX_PIXELS = 89_478_485  # of one image before it is shrunk: 270 MB
LARGE = 10_000_000  # pixels of an image that no other thread may decode another one beside
LISTED = 1000  # names of skipped files in dataset.json, which counts all of them

_one_large = threading.Lock()


def images(
    folder: Path | str,
    *,
    root: str,
    resolution: int,
    classes: bool = False,
    test_fraction: float = 0.1,
    seed: int = 0,
    resize: Literal["box", "lanczos"] = "box",
    upscale: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
    threads: int = 1,
) -> None:
    """PNG, JPEG and WebP files below root as 3×R×R, R = resolution, in the order of their names.

    root: a folder, or a .zip that is read in place. Where it has the folders train/ and test/ (or
    val/), these are the splits; else `test_fraction` of the images, drawn by `seed` (from every
    class alike), is held out. classes: the next folder is the class, numbered in order of names.
    Each image is cut to the square in its centre and resized by Pillow: `box` averages the area of
    a new pixel, `lanczos` is sharper. Grey images get three equal channels; transparency and EXIF
    orientation are ignored. upscale: images whose shorter side is below R are allowed. on_error: a
    file that is no whole image of 8 bits and sufficient size stops with its name, or is skipped and
    counted in dataset.json. threads: so many images are decoded at once. Memory holds the names and
    an image per thread. A job that is cut off goes on where it was.
    """
    if resolution < 1 or not 0 < test_fraction < 1:
        found = f"resolution {resolution}, test_fraction {test_fraction}"
        raise ValueError(f"images: {found}; expected at least 1, the fraction between 0 and 1")
    look = {"resolution": resolution, "resize": resize, "upscale": upscale}
    shape, skipped = (3, resolution, resolution), {}
    with opened(root) as source:
        splits, depth = _splits(source)
        numbers = _numbers(source, splits, depth) if classes else {}
        if not depth:
            splits = _drawn(source, numbers, test_fraction, seed)
        for split in SPLITS:
            names = splits[split]
            labels = _labels(names, numbers, depth)
            recipe = _recipe(source, names, labels, look, on_error == "skip", threads)
            left_out = write_split(folder, split, len(names), shape, recipe)
            skipped[split] = [names[number] for number in left_out]
    parameters = look | {"classes": list(numbers), "test_fraction": test_fraction, "seed": seed}
    parameters |= {"splits": "folders" if depth else "drawn", "on_error": on_error}
    parameters["skipped"] = {split: len(names) for split, names in skipped.items()}
    parameters["skipped_first"] = [n for names in skipped.values() for n in names][:LISTED]
    more = {"source": f"images of {Path(root).name}", "parameters": parameters}
    write_description(folder, shape, num_classes=len(numbers), **more)


def expected(*, resolution: int, classes: bool, **_) -> Expected:
    """The size of an image; how many there are, and of which classes, only the files say."""
    return Expected((3, resolution, resolution), num_classes=None if classes else 0)


def _splits(source: Source) -> tuple[dict[str, list[str]], int]:
    """(names by split, 1) where the top folders are splits; else ({"train": all names}, 0)."""
    top = {name.split("/")[0] for name in source.names if "/" in name}
    held_out = sorted(top & {"test", "val"})
    if "train" not in top or not held_out:
        return {"train": source.names}, 0
    if len(held_out) == 2:
        raise ValueError(f"{source.place}: train/ with both test/ and val/; expected one of them")
    splits, prefixes = {}, {"train": "train/", "test": f"{held_out[0]}/"}
    for split, prefix in prefixes.items():
        splits[split] = [name for name in source.names if name.startswith(prefix)]
    outside = next((n for n in source.names if not n.startswith(tuple(prefixes.values()))), None)
    if outside is not None:
        expected = " or ".join(prefixes.values())
        raise ValueError(f"{source.place}: {outside} lies outside the splits; expected {expected}")
    return splits, 1


def _numbers(source: Source, splits: dict, depth: int) -> dict[str, int]:
    """Class -> number, of the training images; those held out have no others."""
    found = {}
    for split, names in splits.items():
        for name in names:
            if name.count("/") <= depth:
                raise ValueError(f"{source.place}: {name} lies in no class; expected CLASS/IMAGE")
        found[split] = {_class(name, depth) for name in names}
    unknown = sorted(set().union(*found.values()) - found["train"])
    if unknown or len(found["train"]) < 2:
        reason = f"class {unknown[0]} is not in train/" if unknown else "one class"
        raise ValueError(f"{source.place}: {reason}; expected the same 2 or more in every split")
    return {name: number for number, name in enumerate(sorted(found["train"]))}


def _class(name: str, depth: int) -> str:
    return name.split("/")[depth]


def _drawn(source: Source, numbers: dict, test_fraction: float, seed: int) -> dict[str, list[str]]:
    from sklearn.model_selection import train_test_split

    strata = [numbers[_class(name, 0)] for name in source.names] if numbers else None
    options = {"test_size": test_fraction, "random_state": seed, "stratify": strata}
    try:
        parts = train_test_split(source.names, **options)
    except ValueError as error:  # too few images for the fraction, or of a class
        raise ValueError(f"{source.place}: test_fraction {test_fraction}: {error}") from None
    return {split: sorted(names) for split, names in zip(SPLITS, parts, strict=True)}


def _labels(names: list[str], numbers: dict, depth: int) -> np.ndarray:
    """int16 [n]: the class of each image, 0 where there are none."""
    if not numbers:
        return np.zeros(len(names), np.int16)
    return np.fromiter((numbers[_class(name, depth)] for name in names), np.int16, len(names))


def _recipe(
    source: Source, names: list[str], labels: np.ndarray, look: dict, skip: bool, threads: int
) -> Recipe:
    """How to make the images of a split, each by itself."""
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
    return Recipe(make, stamp, made_with, threads=threads, whole=not skip)


def _pixels(source: Source, name: str, *, resolution: int, resize: str, upscale: bool):
    """An image as uint8 [3, R, R]; ValueError that names the file."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source.read(name)), formats=FORMATS) as image:
            _check(image, 1 if upscale else resolution)
            large = image.width * image.height > LARGE
            with _one_large if large else contextlib.nullcontext():
                square = _square(image)
                method = Image.Resampling[resize.upper()]
                pixels = np.asarray(square.convert("RGB").resize((resolution, resolution), method))
    except MemoryError:
        raise
    except Exception as error:  # decoders of broken files raise what they like
        raise ValueError(f"{source.place}: {name}: {error}") from None
    return pixels.transpose(2, 0, 1)


def _check(image, least: int) -> None:
    found = f"{image.width}×{image.height} pixels of mode {image.mode}"
    if image.mode not in MODES:
        raise ValueError(f"{found}; expected 8 bits per channel, that is mode {', '.join(MODES)}")
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{found}; expected at most {MAX_PIXELS}")
    if min(image.size) < least:
        raise ValueError(f"{found}; expected at least {least} each way, or upscale: true")


def _square(image):
    """The square in the centre."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
