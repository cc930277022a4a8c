"""Images that were drawn elsewhere, to be scored and shown beside ours, and ours for elsewhere.

The convention of guided diffusion: an .npz with `arr_0`, uint8 [n, H, W, C], and perhaps `arr_1`,
the classes. Or a folder or a .zip of image files. People keep them in order of class: which are
taken is chosen at random.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncanny.datasets import DTYPES, Dataset, _decoding
from uncanny.datasets._sources import Source, opened
from uncanny.registry.blocks import GIVEN
from uncanny.runtime import files
from uncanny.sampling.drawing import load_images, save

MODES = {1: "L", 3: "RGB"}  # of image files, by channels
OPAQUE = {"LA": "L", "RGBA": "RGB"}  # what a mode with alpha is where no pixel is transparent
EXPECTED = "a folder or a .zip of images, or an .npz with arr_0"


def run(*, path, key, num_images, seed, dataset, samples, record) -> None:
    """Write images of a file or folder, chosen at random, as a set of samples with its record.

    key: what of the config says path, for messages. seed: of the choice. dataset: prepared folder;
    the images must have its shape. Raises ValueError that names the file, what was found and what
    was expected.
    """
    data = Dataset.open(dataset)
    images, about = read(Path(path), data, num_images, seed=seed, key=key)
    save(samples, images, np.zeros(len(images), np.int64))
    facts = {"sampler": {"kind": GIVEN}, "guidance": None, "num_images": num_images}
    facts |= {"image_seeds": None, "nfe": None, "images_seen": None}
    files.write_json(record, facts | about | {"status": "ok", "timing": {}})


def read(
    path: Path, data: Dataset, count: int, *, seed: int = 0, key: str = "samples"
) -> tuple[np.ndarray, dict]:
    """`count` images in random order, as the dataset keeps its own: uint8 [n, C, H, W]; vectors
    float32 [n, D]. And what the record says about them: of how many, what was left out.

    A smaller count gives the first of a larger one with the same seed.
    """
    if path.suffix.lower() == ".npz":
        found = _from_array(path, data, key)
        rows = _chosen(path, len(found), count, seed)
        return np.ascontiguousarray(found[rows]), {"chosen": {"of": len(found), "seed": seed}}
    if data.kind != "image":
        raise ValueError(f"{path}: expected an .npz with arr_0, as the dataset has {data.kind}s")
    with opened(path, key=key, expected=EXPECTED) as source:
        about = {"chosen": {"of": len(source.names), "seed": seed}} | source.left_out()
        rows = _chosen(path, len(source.names), count, seed)
        names = [source.names[row] for row in rows]
        return np.stack(list(_decoded(source, names, data.shape))), about


def _chosen(path: Path, found: int, count: int, seed: int) -> np.ndarray:
    """Which `count` of the images are taken, in random order."""
    if found < count:
        raise ValueError(
            f"{path}: {found} images; expected at least {count}, the study's num_images"
        )
    return np.random.default_rng(seed).permutation(found)[:count]


def _from_array(path: Path, data: Dataset, key: str) -> np.ndarray:
    """All images of an .npz, channels first; vectors."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = ", ".join(stored.files)
            if "arr_0" not in stored.files:
                raise ValueError(f"it has {names or 'nothing'}")
            found = stored["arr_0"]
    except FileNotFoundError:
        expected = f"expected {EXPECTED}, as {key} says"
        raise ValueError(f"{path}: no such file; {expected}") from None
    except Exception as error:  # readers of broken archives raise what they like
        raise ValueError(f"{path}: not an .npz with arr_0 ({error})") from None
    shape, dtype = data.shape, DTYPES[data.kind]
    theirs = (*shape[1:], shape[0]) if data.kind == "image" else shape
    if found.ndim == 3 and shape[0] == 1:
        found = found[..., None]
    if found.dtype != dtype or found.shape[1:] != theirs:
        sizes = f"arr_0 is {found.dtype} {list(found.shape)}"
        raise ValueError(f"{path}: {sizes}; the study's dataset has {dtype} {['n', *theirs]}")
    if data.kind == "image":
        return found.transpose(0, 3, 1, 2)
    if not np.isfinite(found).all():
        raise ValueError(f"{path}: arr_0 has values that are not finite; expected numbers")
    return found


def _decoded(source: Source, names: list[str], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Images [C, H, W] of files whose size and mode are the dataset's, alpha aside where it is 255
    throughout.
    """
    wanted = shape[2], shape[1], MODES.get(shape[0])
    for name in names:
        try:
            with _decoding.opened(source.read(name)) as image:
                upright = _decoding.oriented(image)
                mode, clear = upright.mode, _decoding.is_transparent(upright)
                flat = upright.convert(OPAQUE.get(mode, mode))
                found, pixels = (*flat.size, flat.mode), np.asarray(flat)
        except Exception as error:  # decoders of broken files raise what they like
            raise ValueError(f"{source.at(name)}: {str(error) or type(error).__name__}") from None
        if found != wanted or clear:
            said = _described(*found[:2], mode) + (", some transparent" if clear else "")
            expected = f"the study's dataset has {_described(*wanted)}"
            raise ValueError(f"{source.at(name)}: {said}; {expected}")
        yield pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)


def _described(width: int, height: int, mode: str | None) -> str:
    return f"{width}×{height} pixels of mode {mode}"


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
