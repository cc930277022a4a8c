"""Features of image sets, extracted once and stored with their identity; control image sets."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncanny.runtime import arrays, files

OF_THE_SET = ("kernels", "held_out")  # not one row for each image
FORMATS = {("uint8", 4), ("float32", 2)}  # dtype and dimensions of images, and of vectors


@dataclass(frozen=True)
class Features:
    """Features of n images: pool float32 [n, d], logits float32 [n, k], labels int64 [n] or None.

    labels are the classes that the images were conditioned on, not the extractor's predictions.
    neighbours: squared distances of each pool to its nearest ones in the set, ascending, float64
    [n, k]. kernels: mean polynomial kernel of two different pools, by degree (kernels.mean_within),
    float64 [10]. held_out: distances of images of another split to their nearest in the set,
    float64 [h]. All three None where unknown, as in a subset of the images, features[:1000].
    """

    pool: np.ndarray
    logits: np.ndarray
    labels: np.ndarray | None = None
    neighbours: np.ndarray | None = None
    kernels: np.ndarray | None = None
    held_out: np.ndarray | None = None

    def __post_init__(self):
        lengths = {name: len(a) for name, a in self._per_image().items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"features of different numbers of images: {lengths}")

    def _per_image(self) -> dict[str, np.ndarray]:
        return {n: a for n, a in vars(self).items() if n not in OF_THE_SET and a is not None}

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, index) -> "Features":
        labels = None if self.labels is None else self.labels[index]
        return Features(self.pool[index], self.logits[index], labels)


def extract(extractor: Callable, images, batch_size: int, labels=None) -> Features:
    """Features of uint8 images [N, C, H, W], or float32 vectors [N, D] (array, memory map or
    tensor), batch by batch.

    The batch size changes the values by rounding only. Raises ValueError on another dtype or number
    of dimensions.
    """
    import torch

    _check_images(images)
    pools, logits = [], []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        batch = torch.from_numpy(np.array(batch)) if isinstance(batch, np.ndarray) else batch
        pool, logit = extractor(batch)
        # To the processor batch by batch, so that the accelerator holds one batch only
        pools.append(pool.cpu().numpy())
        logits.append(logit.cpu().numpy())
    return Features(np.concatenate(pools), np.concatenate(logits), _as_labels(labels))


def load_or_extract(path: Path | str, extractor, images, batch_size: int, labels=None) -> Features:
    """Features from the file if it holds those of this extractor, images and labels; else anew.

    The identity compared is the extractor's id and the SHA-256 of images and labels, never a name
    or a time. New features replace a stale or damaged file.
    """
    labels = _as_labels(labels)
    expected = identity(extractor, images, labels)
    try:
        features, stored = load(path)
    except ValueError:
        stored = None
    if stored != expected:
        features = extract(extractor, images, batch_size, labels)
        save(path, features, expected)
    return features


def identity(extractor, images, labels=None) -> dict[str, str]:
    """Origin of the features: extractor id, SHA-256 of the images and of the labels (empty
    without).
    """
    _check_images(images)
    digest = "" if labels is None else array_sha256(_as_labels(labels))
    return {
        "extractor": extractor.id,
        "images_sha256": array_sha256(images),
        "labels_sha256": digest,
    }


def array_sha256(array) -> str:
    """Hexadecimal SHA-256 of dtype, shape and contents, read in parts so that a memory map stays on
    disk.
    """
    array = array if isinstance(array, np.ndarray) else np.asarray(array)
    starts = range(0, len(array), 1024)
    parts = (np.ascontiguousarray(array[start : start + 1024]).data for start in starts)
    return files.checksum(itertools.chain([f"{array.dtype.str} {array.shape}"], parts))


def save(path: Path | str, features: Features, identity: dict[str, str]) -> None:
    """Store features as .npz, whole or not at all; the same features give the same bytes."""
    known = {name: a for name, a in vars(features).items() if a is not None}
    arrays.save(path, **known, **identity)


def load(path: Path | str) -> tuple[Features, dict[str, str]]:
    """Stored features and their identity; ValueError that names the file where it is missing or
    damaged.
    """
    stored = arrays.load(path, "a file of features")
    try:
        optional = [stored.pop(name, None) for name in ("labels", "neighbours", *OF_THE_SET)]
        features = Features(stored.pop("pool"), stored.pop("logits"), *optional)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a file of features ({error})") from None
    return features, {name: str(value) for name, value in stored.items()}


def gaussian_noise(n: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """n images of standard normal pixels in the model's units, as uint8: floor(clip(127.5 z + 128,
    0, 255)); vectors keep z.
    """
    noise = np.random.default_rng(seed).standard_normal((n, *shape), dtype=np.float32)
    if len(shape) == 1:
        return noise
    # Inverse of x = (pixel - 127.5)/127.5, rounded: 127.5 z + 127.5 + 1/2
    return np.floor(np.clip(127.5 * noise + 128, 0, 255)).astype(np.uint8)


def uniform_noise(n: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """n uint8 images of independent pixels, uniform on 0..255; vectors uniform on [-1, 1)."""
    rng = np.random.default_rng(seed)
    if len(shape) == 1:
        return 2 * rng.random((n, *shape), dtype=np.float32) - 1
    return rng.integers(0, 256, (n, *shape), dtype=np.uint8)


def _check_images(images) -> None:
    """Reject what are neither images nor vectors of a dataset."""
    if (str(images.dtype).removeprefix("torch."), images.ndim) not in FORMATS or len(images) == 0:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}, expected uint8 [N, C, H, W], N >= 1"
            " (vectors: float32 [N, D])"
        )


def _as_labels(labels) -> np.ndarray | None:
    return None if labels is None else np.asarray(labels, dtype=np.int64)
