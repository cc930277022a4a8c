"""A folder or a zip archive of images, cut square and shrunk to one size."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from uncanny.datasets import SPLITS, write_description, write_split
from uncanny.datasets._sources import Source, opened

FORMATS = ("PNG", "JPEG", "WEBP")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")  # at most 8 bits per channel
MAX_PIXELS = 89_478_485  # of one image before it is shrunk: 270 MB
LISTED = 20  # names of skipped files in dataset.json, which counts all of them


def images(
    folder: Path | str,
    *,
    root: str,
    resolution: int,
    classes: bool = False,
    test_fraction: float = 0.1,
    seed: int = 0,
    resize: Literal["box", "lanczos"] = "box",
    on_error: Literal["stop", "skip"] = "stop",
) -> None:
    """PNG, JPEG and WebP files below root as 3×R×R, R = resolution, in the order of their names.

    root: a folder, or a .zip that is read in place. Where it has the folders train/ and test/ (or
    val/), these are the splits; else `test_fraction` of the images, drawn by `seed` (from every
    class alike), is held out. classes: the next folder is the class, numbered in order of names.
    Each image is cut to the square in its centre and resized by Pillow: `box` averages the area of
    a new pixel, `lanczos` is sharper. Grey images get three equal channels; transparency and EXIF
    orientation are ignored. on_error: a file that is no whole image of 8 bits stops with its name,
    or is skipped and counted in dataset.json; to skip is to read everything twice. Memory holds the
    names and one image.
    """
    if resolution < 1 or not 0 < test_fraction < 1:
        found = f"resolution {resolution}, test_fraction {test_fraction}"
        raise ValueError(f"images: {found}; expected at least 1, the fraction between 0 and 1")
    look = {"resolution": resolution, "resize": resize}
    shape, skipped = (3, resolution, resolution), {}
    with opened(root) as source:
        splits, depth = _splits(source)
        numbers = _numbers(source, splits, depth) if classes else {}
        if not depth:
            splits = _drawn(source, numbers, test_fraction, seed)
        for split in SPLITS:
            names = splits[split]
            if on_error == "skip":
                skipped[split] = [name for name in names if not _is_whole(source, name)]
                names = sorted(set(names) - set(skipped[split]))
            items = _items(source, names, numbers, depth, **look)
            write_split(folder, split, len(names), shape, items)
    parameters = look | {"classes": list(numbers), "test_fraction": test_fraction, "seed": seed}
    parameters |= {"splits": "folders" if depth else "drawn", "on_error": on_error}
    parameters["skipped"] = {split: len(names) for split, names in skipped.items()}
    parameters["skipped_first"] = [n for names in skipped.values() for n in names][:LISTED]
    more = {"source": f"images of {Path(root).name}", "parameters": parameters}
    write_description(folder, shape, name="images", num_classes=len(numbers), **more)


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


def _items(
    source: Source, names: list[str], numbers: dict, depth: int, *, resolution: int, resize: str
) -> Iterator[tuple[np.ndarray, int]]:
    from PIL import Image

    method = Image.Resampling[resize.upper()]
    for name in names:
        image = _decoded(source, name)
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side))
        pixels = np.asarray(square.resize((resolution, resolution), method))
        yield pixels.transpose(2, 0, 1), numbers[_class(name, depth)] if numbers else 0


def _is_whole(source: Source, name: str) -> bool:
    try:
        _decoded(source, name)
    except ValueError as error:
        print(f"skipped: {error}", flush=True)
        return False
    return True


def _decoded(source: Source, name: str):
    """The image in RGB; ValueError that names the file."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source.read(name)), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS or image.mode not in MODES:
                found = f"{image.width}×{image.height} pixels of mode {image.mode}"
                raise ValueError(f"{found}; expected at most {MAX_PIXELS}, of 8 bits per channel")
            return image.convert("RGB")
    except Exception as error:  # decoders of broken files raise what they like
        raise ValueError(f"{source.place}: {name}: {error}") from None
