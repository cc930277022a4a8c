"""Images that were drawn elsewhere, to be scored and shown beside ours, and ours for elsewhere.

The convention of guided diffusion: an .npz with `arr_0`, uint8 [n, H, W, C], and perhaps `arr_1`,
the classes. Or a folder or a .zip of image files, in the order of their names.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncanny import files
from uncanny.datasets import DTYPES, Dataset
from uncanny.datasets._sources import opened
from uncanny.sampling import save
from uncanny.scoring import load_images
from uncanny.study import GIVEN

MODES = {1: "L", 3: "RGB"}  # of image files, by channels


def run(*, path, num_images, dataset, samples, record) -> None:
    """Write the first images of a file or folder as a set of samples with its record.

    dataset: prepared folder; the images must have its shape. Raises ValueError that names the file,
    what was found and what was expected.
    """
    data = Dataset.open(dataset)
    images = read(Path(path), data, num_images)
    save(samples, images, np.zeros(len(images), np.int64))
    facts = {"sampler": {"kind": GIVEN}, "guidance": None, "num_images": num_images}
    facts |= {"image_seeds": None, "nfe": None, "images_seen": None}
    files.write_json(record, facts | {"status": "ok", "timing": {}})


def read(path: Path, data: Dataset, count: int) -> np.ndarray:
    """The first `count` images, as the dataset keeps its own: uint8 [n, C, H, W]; vectors float32
    [n, D].
    """
    if path.suffix == ".npz":
        return _from_array(path, data, count)
    if data.kind != "image":
        raise ValueError(f"{path}: expected an .npz with arr_0, as the dataset has {data.kind}s")
    with opened(path) as source:
        _check_count(path, len(source.names), count)
        return np.stack(list(_decoded(source, data.shape, count)))


def _from_array(path: Path, data: Dataset, count: int) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = stored["arr_0"]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected an .npz with arr_0") from None
    except Exception as error:  # readers of broken archives raise what they like
        raise ValueError(f"{path}: not an .npz with arr_0 ({error})") from None
    shape, dtype = data.shape, DTYPES[data.kind]
    theirs = (*shape[1:], shape[0]) if data.kind == "image" else shape
    if found.ndim == 3 and shape[0] == 1:
        found = found[..., None]
    if found.dtype != dtype or found.shape[1:] != theirs:
        sizes = f"arr_0 is {found.dtype} {list(found.shape)}"
        raise ValueError(f"{path}: {sizes}; the study's dataset has {dtype} {['n', *theirs]}")
    _check_count(path, len(found), count)
    if data.kind == "image":
        return np.ascontiguousarray(found[:count].transpose(0, 3, 1, 2))
    if not np.isfinite(found[:count]).all():
        raise ValueError(f"{path}: arr_0 has values that are not finite; expected numbers")
    return found[:count]


def _check_count(path: Path, found: int, count: int) -> None:
    if found < count:
        raise ValueError(
            f"{path}: {found} images; expected at least {count}, the study's num_images"
        )


def _decoded(source, shape: tuple[int, ...], count: int) -> Iterator[np.ndarray]:
    """Images [C, H, W] of files whose size and mode are the dataset's."""
    from PIL import Image

    wanted = shape[2], shape[1], MODES.get(shape[0])
    for name in source.names[:count]:
        try:
            with Image.open(io.BytesIO(source.read(name))) as image:
                found, pixels = (*image.size, image.mode), np.asarray(image)
        except Exception as error:  # decoders of broken files raise what they like
            raise ValueError(f"{source.place}: {name}: {error}") from None
        if found != wanted:
            said, expected = (f"{w}×{h} pixels of mode {mode}" for w, h, mode in (found, wanted))
            raise ValueError(f"{source.place}: {name}: {said}; the study's dataset has {expected}")
        yield pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)


def export(samples: Path | str, output: Path | str) -> None:
    """Write a set of samples as .npz with arr_0 (images channels last) and arr_1 (classes asked
    for).
    """
    images, labels = load_images(samples)
    if not len(images):
        raise ValueError(f"{samples}: no images, the model diverged; expected some to export")
    last = images.transpose(0, 2, 3, 1) if images.ndim == 4 else images
    with files.replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, np.ascontiguousarray(last), labels)
