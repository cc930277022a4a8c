"""Patches of two photographs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncanny.datasets import SPLITS, Expected
from uncanny.datasets.writing import write_description, write_split
from uncanny.registry.option_types import OpenFraction, Pixels, Seed

SIZE = (427, 640)  # pixels of each photograph, height × width


def photos(
    folder: Path | str,
    *,
    patch_size: Pixels = 16,
    scale: Pixels = 3,
    stride: Pixels = 4,
    test_fraction: OpenFraction = 0.2,
    seed: Seed = 0,
) -> None:
    """Patches 3×16×16 of the two photographs that come with scikit-learn (temple, flower).

    Each photograph, 427×640 pixels, is shrunk by the mean over scale × scale pixels and cut on a
    grid of `stride` pixels. Random squares of twice the patch size, test_fraction of the area, are
    held out: test patches lie inside, training patches outside, so that they share no pixel. The
    default gives 2,245 training and 295 test patches. Training patches overlap each other and show
    two scenes: a model that fits them well is to be expected to memorise them. No classes.
    Source: scikit-learn load_sample_images (china.jpg, flower.jpg; CC BY).
    """
    from sklearn.datasets import load_sample_images

    least = {"patch_size": patch_size, "scale": scale, "stride": stride}
    if min(least.values()) < 1 or not 0 < test_fraction < 1:
        values = least | {"test_fraction": test_fraction}
        options = ", ".join(f"{key} {value}" for key, value in values.items())
        raise ValueError(f"photos: {options}; expected at least 1, the fraction between 0 and 1")
    rng, patches = np.random.default_rng(seed), {split: [] for split in SPLITS}
    for photo in load_sample_images().images:
        small = _shrunk(photo, scale)
        windows = _windows(rng, small.shape[:2], patch_size, stride, test_fraction)
        for split, top, left in windows:
            window = slice(top, top + patch_size), slice(left, left + patch_size)
            patches[split].append(small[window].transpose(2, 0, 1))
    shape = (3, patch_size, patch_size)
    for split, images in patches.items():
        write_split(folder, split, len(images), shape, ((image, 0) for image in images))
    parameters = least | {"test_fraction": test_fraction, "seed": seed}
    source = "scikit-learn load_sample_images (china.jpg, flower.jpg)"
    more = {"source": source, "parameters": parameters}
    write_description(folder, shape, num_classes=0, **more)


def expected(
    *, patch_size: int, scale: int, stride: int, test_fraction: float, seed: int
) -> Expected:
    """The patches are counted on two blank photographs."""
    rng, splits = np.random.default_rng(seed), []
    for _ in range(2):
        shape = tuple(n // scale for n in SIZE)
        splits += [split for split, *_ in _windows(rng, shape, patch_size, stride, test_fraction)]
    counts = {split: splits.count(split) for split in SPLITS}
    return Expected((3, patch_size, patch_size), num_classes=0, **counts)


def _shrunk(photo: np.ndarray, scale: int) -> np.ndarray:
    """Means over scale × scale pixels, rounded; the rest at the lower and right edge is cut off."""
    h, w = (n // scale for n in photo.shape[:2])
    blocks = photo[: h * scale, : w * scale].reshape(h, scale, w, scale, 3)
    return np.floor(blocks.mean(axis=(1, 3)) + 0.5).astype(np.uint8)


def _random_squares(rng, shape: tuple[int, int], side: int, share: float) -> np.ndarray:
    """Mask [H, W] of randomly chosen squares of a grid, `share` of them."""
    rows, columns = (-(-n // side) for n in shape)
    chosen = np.zeros(rows * columns, bool)
    chosen[rng.permutation(len(chosen))[: max(1, round(share * len(chosen)))]] = True
    mask = chosen.reshape(rows, columns).repeat(side, axis=0).repeat(side, axis=1)
    return mask[: shape[0], : shape[1]]


def _windows(
    rng, shape: tuple[int, int], size: int, stride: int, share: float
) -> Iterator[tuple[str, int, int]]:
    """(split, top, left) of the patches of a photograph [H, W]; those across the border of what is
    held out are left out.
    """
    held_out = _random_squares(rng, shape, 2 * size, share)
    if min(shape) < size:
        return
    windows = np.lib.stride_tricks.sliding_window_view(held_out, (size, size))[::stride, ::stride]
    inside = windows.mean(axis=(2, 3))
    for row, column in zip(*np.nonzero((inside == 0) | (inside == 1)), strict=True):
        yield "test" if inside[row, column] else "train", row * stride, column * stride
