"""Prepared datasets: one folder of plain arrays with a description, opened memory-mapped.

A folder holds `SPLIT-images.npy` (uint8 [N, C, H, W]; float32 [N, D] for a dataset of vectors),
`SPLIT-labels.npy` (int64 [N], all zero where the data have no classes) for the splits `train` and
`test`, and `dataset.json`, written last. A new dataset is one function `name(folder, *, options)`
that streams its items through `write_split` and ends with `write_description`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncanny.files import read_json, replacing, sha256, write_json

DTYPES = {"image": np.dtype(np.uint8), "vector": np.dtype(np.float32)}
DESCRIPTION = "dataset.json"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Split:
    """One split, memory-mapped: images uint8 [N, C, H, W] or float32 [N, D]; labels int64 [N]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset.

    kind: "image" or "vector". shape: (C, H, W) or (D,). num_classes: 0 where the data have none.
    parameters: what the preparation was given, and what it derived from that.
    """

    folder: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    num_classes: int
    parameters: Mapping
    splits: Mapping[str, Split]

    @classmethod
    def open(cls, folder: Path | str) -> "Dataset":
        """Open a prepared folder without reading the arrays.

        Raises ValueError that names the file, what was found and what was expected where a file is
        missing or its size, dtype or shape differ from dataset.json; `verify` compares contents.
        """
        folder = Path(folder)
        description = _read_description(folder)
        splits = {name: _open_split(folder, name, description) for name in SPLITS}
        fields = {key: description[key] for key in ("name", "kind", "num_classes", "parameters")}
        return cls(folder=folder, shape=tuple(description["shape"]), splits=splits, **fields)

    @property
    def train(self) -> Split:
        return self.splits["train"]

    @property
    def test(self) -> Split:
        return self.splits["test"]

    def verify(self) -> None:
        """Read all files; ValueError that names the first whose SHA-256 is not the one recorded."""
        for split in _read_description(self.folder)["splits"].values():
            for name, expected in split["files"].items():
                found = sha256(self.folder / name)
                if found != expected["sha256"]:
                    path = self.folder / name
                    raise ValueError(f"{path}: SHA-256 is {found}, expected {expected['sha256']}")


def to_model(x):
    """Stored items as the network sees them, float32 tensor: uint8 x becomes x/127.5 - 1.

    x: array or tensor. Vectors (float32) are already in the model's units and keep their values.
    """
    import torch

    x = torch.as_tensor(np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x)
    return x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x.float()


def to_uint8(x):
    """Images in [-1, 1] as uint8 tensor: floor(clip(127.5 x + 128, 0, 255)).

    Inverts `to_model` exactly. Raises ValueError where x is not finite: a diverged sample has no
    pixel values.
    """
    import torch

    x = torch.as_tensor(x)
    bad = int((~torch.isfinite(x)).sum())
    if bad:
        raise ValueError(f"{bad} of {x.numel()} pixel values are not finite; expected numbers")
    return (127.5 * x + 128).clip(0, 255).floor().to(torch.uint8)


def write_split(
    directory: Path | str,
    split: str,
    count: int,
    shape: tuple,
    items: Iterable,
    kind: str = "image",
) -> None:
    """Stream `count` items (value, label) into SPLIT-images.npy and SPLIT-labels.npy.

    Each value has the given shape and the dtype of the kind (uint8 for "image", float32 for
    "vector"); a label is an integer >= 0. Memory holds one item at a time. The files take their
    names when all items are there. Raises ValueError on an item of another dtype or shape, a bad
    label, or another number of items.
    """
    if count < 1:
        raise ValueError(f"{directory}: split {split!r} has {count} items; expected at least 1")
    images, labels = (Path(directory) / name for name in _file_names(split))
    with replacing(images) as images_part, replacing(labels) as labels_part:
        values = np.lib.format.open_memmap(images_part, "w+", DTYPES[kind], (count, *shape))
        classes = np.lib.format.open_memmap(labels_part, "w+", np.int64, (count,))
        try:
            _fill(values, classes, items)
        except ValueError as error:
            raise ValueError(f"{directory}: split {split!r}: {error}") from error
        values.flush()
        classes.flush()


def _fill(values: np.ndarray, classes: np.ndarray, items: Iterable) -> None:
    number, (count, *shape) = 0, values.shape
    for value, label in items:
        if number == count:
            raise ValueError(f"more than {count} items, the number announced")
        value = np.asarray(value)
        if value.shape != tuple(shape) or value.dtype != values.dtype:
            expected = f"{values.dtype} {tuple(shape)}"
            raise ValueError(f"item {number} is {value.dtype} {value.shape}, expected {expected}")
        if int(label) != label or label < 0:
            raise ValueError(f"item {number} has label {label!r}, expected an integer >= 0")
        values[number], classes[number] = value, label
        number += 1
    if number < count:
        raise ValueError(f"{number} items, expected {count}")


def write_description(
    directory: Path | str, shape: tuple, *, name: str, num_classes: int, kind: str = "image", **more
) -> None:
    """Write dataset.json for the written splits `train` and `test`: count, bytes, SHA-256 of each.

    more: `source`, where the data come from, and `parameters`, what determines them.
    """
    splits = {split: _describe(Path(directory), split) for split in SPLITS}
    text = {"name": name, "kind": kind, "shape": list(shape), "num_classes": num_classes}
    write_json(Path(directory) / DESCRIPTION, text | more | {"splits": splits})


def _describe(directory: Path, split: str) -> dict:
    paths = [directory / name for name in _file_names(split)]
    files = {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in paths}
    return {"count": len(np.load(paths[0], mmap_mode="r")), "files": files}


def _file_names(split: str) -> tuple[str, str]:
    return f"{split}-images.npy", f"{split}-labels.npy"


def _read_description(folder: Path) -> dict:
    path = folder / DESCRIPTION
    description = read_json(path)
    expected = {"name", "kind", "shape", "num_classes", "parameters", "source", "splits"}
    missing = sorted(expected - set(description if isinstance(description, dict) else ()))
    if missing:
        raise ValueError(f"{path}: no {', '.join(missing)}; expected those of a prepared dataset")
    if description["kind"] not in DTYPES:
        kinds = " or ".join(DTYPES)
        raise ValueError(f"{path}: kind is {description['kind']!r}, expected {kinds}")
    return description


def _open_split(folder: Path, split: str, description: dict) -> Split:
    names = _file_names(split)
    try:
        record = description["splits"][split]
        sizes = [record["files"][name]["bytes"] for name in names]
        shapes = [(record["count"], *description["shape"]), (record["count"],)]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / DESCRIPTION}: split {split!r}: no {error}") from None
    dtypes = DTYPES[description["kind"]], np.dtype(np.int64)
    rows = zip(names, sizes, dtypes, shapes, strict=True)
    return Split(*(_open_array(folder / name, *expected) for name, *expected in rows))


def _open_array(path: Path, size: int, dtype: np.dtype, shape: tuple) -> np.ndarray:
    if not path.exists():
        raise ValueError(f"{path}: no such file; expected {dtype} {shape}, {size} bytes")
    found = path.stat().st_size
    if found != size:
        raise ValueError(f"{path}: {found} bytes, expected {size}; prepare the dataset again")
    try:
        array = np.load(path, mmap_mode="r")
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not an array ({error}); expected {dtype} {shape}") from None
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{path}: {array.dtype} {array.shape}, expected {dtype} {shape}")
    return array


def digits(folder: Path | str, *, test_fraction: float = 0.2, seed: int = 0) -> None:
    """The 1,797 handwritten digits that come with scikit-learn: 1×8×8, ten classes.

    Grey levels g = 0..16 become floor(255 g/16 + 1/2). The split is stratified by class and depends
    on `seed` alone; the default gives 1,437 training and 360 test images. Source: Alpaydin and
    Kaynak, Optical Recognition of Handwritten Digits, UCI repository (its test part).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    if not 0 < test_fraction < 1:
        raise ValueError(f"digits: test_fraction is {test_fraction}, expected between 0 and 1")
    grey, labels = load_digits(return_X_y=True)
    images = np.floor(255 * grey / 16 + 0.5).astype(np.uint8).reshape(-1, 1, 8, 8)
    order, shape = np.arange(len(labels)), images.shape[1:]
    parts = train_test_split(order, test_size=test_fraction, random_state=seed, stratify=labels)
    for split, rows in zip(SPLITS, parts, strict=True):
        items = zip(images[rows], labels[rows], strict=True)
        write_split(folder, split, len(rows), shape, items)
    source = "scikit-learn load_digits (UCI Optical Recognition of Handwritten Digits, test part)"
    more = {"source": source, "parameters": {"test_fraction": test_fraction, "seed": seed}}
    write_description(folder, shape, name="digits", num_classes=10, **more)


def photos(
    folder: Path | str,
    *,
    patch_size: int = 16,
    scale: int = 3,
    stride: int = 4,
    test_fraction: float = 0.2,
    seed: int = 0,
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
        found = ", ".join(f"{k} {v}" for k, v in (least | {"test_fraction": test_fraction}).items())
        raise ValueError(f"photos: {found}; expected at least 1, the fraction between 0 and 1")
    rng, patches = np.random.default_rng(seed), {split: [] for split in SPLITS}
    for photo in load_sample_images().images:
        small = _shrunk(photo, scale)
        held_out = _random_squares(rng, small.shape[:2], 2 * patch_size, test_fraction)
        for split, patch in _patches(small, held_out, patch_size, stride):
            patches[split].append(patch)
    shape = (3, patch_size, patch_size)
    for split, images in patches.items():
        write_split(folder, split, len(images), shape, ((image, 0) for image in images))
    parameters = least | {"test_fraction": test_fraction, "seed": seed}
    source = "scikit-learn load_sample_images (china.jpg, flower.jpg)"
    more = {"source": source, "parameters": parameters}
    write_description(folder, shape, name="photos", num_classes=0, **more)


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


def _patches(photo: np.ndarray, held_out: np.ndarray, size: int, stride: int):
    """(split, patch uint8 [3, size, size]); patches across the border of the mask are left out."""
    for top in range(0, photo.shape[0] - size + 1, stride):
        for left in range(0, photo.shape[1] - size + 1, stride):
            window = slice(top, top + size), slice(left, left + size)
            if held_out[window].all() or not held_out[window].any():
                split = "test" if held_out[top, left] else "train"
                yield split, photo[window].transpose(2, 0, 1)


def gaussian_ring(
    folder: Path | str,
    *,
    num_modes: int = 32,
    dim: int = 8,
    mode_std: float = 0.005,
    radius: float = 1.0,
    n: int = 20000,
    n_test: int = 5000,
    labelled: bool = False,
    seed: int = 0,
) -> None:
    """Vectors x = mu_k + mode_std * noise, float32 [n, dim]: even mixture of Gaussians on a ring.

    The ring lies in a random plane of the space; its centres mu_k are kept in dataset.json under
    parameters.means, so that the exact denoiser is known. `labelled` makes each mode a class.
    radius and mode_std are in the units of x.
    """
    if num_modes < 1 or dim < 2 or mode_std < 0:
        found = f"num_modes {num_modes}, dim {dim}, mode_std {mode_std}"
        raise ValueError(f"gaussian_ring: {found}; expected >= 1, >= 2, >= 0")
    rng = np.random.default_rng(seed)
    plane = np.linalg.qr(rng.standard_normal((dim, 2)))[0].T  # two orthonormal rows
    angle = 2 * np.pi * np.arange(num_modes) / num_modes
    means = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ plane  # [num_modes, dim]
    for split, count in zip(SPLITS, (n, n_test), strict=True):
        items = _mixture(rng, means, mode_std, count, labelled)
        write_split(folder, split, count, (dim,), items, kind="vector")
    parameters = {"num_modes": num_modes, "dim": dim, "mode_std": mode_std, "radius": radius}
    parameters |= {"n": n, "n_test": n_test, "labelled": labelled, "seed": seed}
    more = {
        "source": "made: Gaussian mixture",
        "parameters": parameters | {"means": means.tolist()},
    }
    classes = num_modes if labelled else 0
    write_description(
        folder, (dim,), name="gaussian_ring", num_classes=classes, kind="vector", **more
    )


def _mixture(rng, means, mode_std, count, labelled):
    for mode in rng.integers(len(means), size=count):
        x = means[mode] + mode_std * rng.standard_normal(means.shape[1])
        yield x.astype(np.float32), int(mode) if labelled else 0
