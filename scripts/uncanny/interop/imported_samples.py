"""Import and export sample sets.

Formats: an .npz as guided diffusion writes it, with `arr_0`, uint8 [n, H, W, C], and optionally
`arr_1`, the classes; or a folder or a .zip of image files. Such sets are often sorted by class, so
images are chosen at random.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncanny.datasets import DTYPES, Dataset, _decoding
from uncanny.datasets._sources import Source, opened
from uncanny.registry.blocks import IMPORTED
from uncanny.runtime import files
from uncanny.sampling.sample_files import load_images, save

MODES = {1: "L", 3: "RGB"}  # of image files, by channels
OPAQUE = {"LA": "L", "RGBA": "RGB"}  # mode with alpha → mode without it
EXPECTED = "a folder or a .zip of images, or an .npz with arr_0"


def run(*, path, key, num_images, draw, dataset, samples, record) -> None:
    """Write images of a file or folder, chosen at random, as a sample set with its record.

    key: config key that holds `path`, for messages. draw: seed of the random choice. dataset:
    folder of the prepared dataset, whose shape the images must have. Raises ValueError that names
    the file, its content and the expectation.
    """
    data = Dataset.open(dataset)
    images, origin = read(Path(path), data, num_images, seed=draw, key=key)
    save(samples, images, np.zeros(len(images), np.int64))
    facts = {
        "sampler": {"kind": IMPORTED},
        "guidance": None,
        "num_images": num_images,
        "image_seeds": None,
        "nfe": None,
        "images_seen": None,
        "status": "ok",
        "timing": {},
    }
    files.write_json(record, facts | origin)


def read(
    path: Path, data: Dataset, count: int, *, seed: int = 0, key: str = "samples"
) -> tuple[np.ndarray, dict]:
    """Choose `count` images at random: uint8 [n, C, H, W], or vectors, float32 [n, D]; and the
    entries of the record: how many there were and which files were left out.

    With the same seed, a smaller count gives the first images of a larger one.
    """
    if path.suffix.lower() == ".npz":
        images = _from_array(path, data, key)
        rows = _chosen(path, len(images), count, seed)
        return np.ascontiguousarray(images[rows]), {"chosen": {"of": len(images), "seed": seed}}
    if data.kind != "image":
        raise ValueError(f"{path}: expected an .npz with arr_0, as the dataset has {data.kind}s")
    with opened(path, key=key, expected=EXPECTED) as source:
        origin = {"chosen": {"of": len(source.names), "seed": seed}} | source.left_out()
        rows = _chosen(path, len(source.names), count, seed)
        names = [source.names[row] for row in rows]
        return np.stack(list(_decoded(source, names, data.shape))), origin


def _chosen(path: Path, available: int, count: int, seed: int) -> np.ndarray:
    """Random row numbers of `count` of the images."""
    if available < count:
        raise ValueError(
            f"{path}: {available} images; expected at least {count}, the study's num_images"
        )
    return np.random.default_rng(seed).permutation(available)[:count]


def _from_array(path: Path, data: Dataset, key: str) -> np.ndarray:
    """All images of an .npz, channels first, or all vectors."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = ", ".join(stored.files)
            if "arr_0" not in stored.files:
                raise ValueError(f"it has {names or 'nothing'}")
            array = stored["arr_0"]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected {EXPECTED} for {key}") from None
    except Exception as error:  # zipfile, zlib and numpy raise errors of many types
        raise ValueError(f"{path}: not an .npz with arr_0 ({error})") from None
    shape, dtype = data.shape, DTYPES[data.kind]
    expected_shape = (*shape[1:], shape[0]) if data.kind == "image" else shape
    if array.ndim == 3 and shape[0] == 1:
        array = array[..., None]
    if array.dtype != dtype or array.shape[1:] != expected_shape:
        got = f"arr_0 is {array.dtype} {list(array.shape)}"
        expected = f"{dtype} {['n', *expected_shape]}"
        raise ValueError(f"{path}: {got}; the study's dataset has {expected}")
    if data.kind == "image":
        return array.transpose(0, 3, 1, 2)
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: arr_0 has NaN or infinite values; expected finite numbers")
    return array


def _decoded(source: Source, names: list[str], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Images, uint8 [C, H, W], of files that have the dataset's size and mode; an alpha channel is
    dropped if every pixel is opaque.
    """
    expected = shape[2], shape[1], MODES.get(shape[0])
    for name in names:
        try:
            with _decoding.opened(source.read(name)) as image:
                upright = _decoding.oriented(image)
                mode, is_transparent = upright.mode, _decoding.is_transparent(upright)
                flat = upright.convert(OPAQUE.get(mode, mode))
                properties, pixels = (*flat.size, flat.mode), np.asarray(flat)
        except Exception as error:  # Pillow's decoders raise errors of many types
            raise ValueError(f"{source.at(name)}: {str(error) or type(error).__name__}") from None
        if properties != expected or is_transparent:
            got = _describe(*properties[:2], mode) + ", some transparent" * is_transparent
            raise ValueError(
                f"{source.at(name)}: {got}; the study's dataset has {_describe(*expected)}"
            )
        yield pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)


def _describe(width: int, height: int, mode: str | None) -> str:
    return f"{width}×{height} pixels of mode {mode}"


def export(samples: Path | str, output: Path | str) -> None:
    """Write a sample set as .npz: arr_0, images with channels last, and arr_1, requested classes.

    Raises ValueError that names the set if it has no images.
    """
    images, labels = load_images(samples)
    if not len(images):
        raise ValueError(f"{samples}: no images, as the model diverged; nothing to export")
    channels_last = images.transpose(0, 2, 3, 1) if images.ndim == 4 else images
    with files.replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, np.ascontiguousarray(channels_last), labels)
