"""Prepared datasets: one folder of plain arrays with a description, opened memory-mapped.

A folder holds `SPLIT-images.npy` (uint8 [N, C, H, W]; float32 [N, D] for a dataset of vectors),
`SPLIT-labels.npy` (int64 [N], all zero where the data have no classes) for the splits `train` and
`test`, and `dataset.json`, written last. A new dataset is one module with a function of its name,
`name(folder, *, options)`, that streams its items through `write_split` of writing.py and ends with
`write_description`. The module's function `expected(*, options)` returns what is known before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncanny.runtime.files import read_json, sha256

DTYPES = {"image": np.dtype(np.uint8), "vector": np.dtype(np.float32)}
DESCRIPTION = "dataset.json"
SPLITS = ("train", "test")
EAGER = 2**28  # bytes of a dataset that is read through whenever it is opened: tenths of a second


@dataclass(frozen=True)
class Expected:
    """Properties of a dataset that follow from its options before it is prepared, else None.

    shape: of one image or vector. train, test: numbers of them. num_classes: 0 where the data have
    none.
    """

    shape: tuple[int, ...] | None = None
    train: int | None = None
    test: int | None = None
    num_classes: int | None = None


def file_names(split: str) -> tuple[str, str]:
    """Return the names of a split's two arrays: images, labels."""
    return f"{split}-images.npy", f"{split}-labels.npy"


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

    name: its key in the config. kind: "image" or "vector". shape: (C, H, W) or (D,). num_classes: 0
    where the data have none.
    parameters: options of the preparation, and what it derived from them.
    """

    folder: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    num_classes: int
    parameters: Mapping
    splits: Mapping[str, Split]

    @classmethod
    def open(cls, folder: Path | str, *, whole: bool = False) -> "Dataset":
        """Open a prepared folder; the arrays stay on disk.

        whole: compare a large dataset, too, with its checksums, for a job that reads all of it.
        Raises ValueError that names the file, its property and the expected one where a file is
        missing or its size, dtype, shape or contents differ from dataset.json.
        """
        folder = Path(folder)
        description = _read_description(folder)
        splits = {name: _open_split(folder, name, description) for name in SPLITS}
        fields = {key: description[key] for key in ("name", "kind", "num_classes", "parameters")}
        data = cls(folder=folder, shape=tuple(description["shape"]), splits=splits, **fields)
        size = sum(a.nbytes for s in splits.values() for a in (s.images, s.labels))
        if whole or size <= EAGER:
            data.verify()
        return data

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
                path = self.folder / name
                checksum = sha256(path)
                if checksum != expected["sha256"]:
                    raise ValueError(
                        f"{path}: damaged: SHA-256 is {checksum}, expected {expected['sha256']}; "
                        "delete it and run again"
                    )


def read_counts(folder: Path | str) -> Expected:
    """Read shape, numbers and classes of a prepared folder from dataset.json alone."""
    description = _read_description(Path(folder))
    counts = {split: description["splits"][split]["count"] for split in SPLITS}
    return Expected(tuple(description["shape"]), num_classes=description["num_classes"], **counts)


def to_model(x):
    """Convert stored items to the network's input, a float32 tensor: uint8 x becomes x/127.5 - 1.

    x: array or tensor. Vectors (float32) are already in the model's units and keep their values.
    """
    import torch

    x = torch.as_tensor(np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x)
    return x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x.float()


def to_uint8(x):
    """Convert images in [-1, 1] to a uint8 tensor: floor(clip(127.5 x + 128, 0, 255)).

    Inverts `to_model` exactly. Raises ValueError where x is not finite: a diverged sample has no
    pixel values.
    """
    import torch

    x = torch.as_tensor(x)
    bad = int((~torch.isfinite(x)).sum())
    if bad:
        raise ValueError(f"{bad} of {x.numel()} pixel values are not finite; expected numbers")
    return (127.5 * x + 128).clip(0, 255).floor().to(torch.uint8)


def _read_description(folder: Path) -> dict:
    path = folder / DESCRIPTION
    description = read_json(path)
    expected = {"name", "kind", "shape", "num_classes", "parameters", "source", "splits"}
    missing = sorted(expected - set(description))
    if missing:
        raise ValueError(f"{path}: no {', '.join(missing)}; expected those of a prepared dataset")
    if description["kind"] not in DTYPES:
        kinds = " or ".join(DTYPES)
        raise ValueError(f"{path}: kind is {description['kind']!r}, expected {kinds}")
    return description


def _open_split(folder: Path, split: str, description: dict) -> Split:
    names = file_names(split)
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
    actual = path.stat().st_size
    if actual != size:
        raise ValueError(f"{path}: {actual} bytes, expected {size}; delete it and run again")
    try:
        array = np.load(path, mmap_mode="r")
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not an array ({error}); delete it and run again") from None
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{path}: {array.dtype} {array.shape}, expected {dtype} {shape}")
    return array
