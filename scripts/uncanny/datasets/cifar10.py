"""CIFAR-10 from its published files."""

import hashlib
import tarfile
from pathlib import Path

import numpy as np

from uncanny.datasets import Expected
from uncanny.datasets.writing import write_description, write_split

SHAPE = (3, 32, 32)


def cifar10(folder: Path | str, *, root: str, download: bool = False) -> None:
    """The 50,000 training and 10,000 test images of CIFAR-10: 3×32×32, ten classes.

    root: folder with cifar-10-batches-py/, as torchvision keeps it; every file there is compared
    with its published MD5. download: fetch what is missing into root (170 MB), or unpack the
    archive cifar-10-python.tar.gz that lies there. Raises ValueError that names the file which is
    missing or differs. Order and pixels are those of the files.
    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    for split in ("train", "test"):
        data = _read(root, split == "train", download)
        images = np.moveaxis(data.data, -1, 1)  # uint8 [N, 3, 32, 32]
        write_split(folder, split, len(images), SHAPE, zip(images, data.targets, strict=True))
    parameters = {"files": [name for name, _ in (*data.train_list, *data.test_list)]}
    parameters |= {"classes": list(data.classes)}
    more = {"source": "CIFAR-10, python version, checksums agree", "parameters": parameters}
    write_description(folder, SHAPE, num_classes=len(data.classes), **more)


def expected(**_) -> Expected:
    """All of CIFAR-10."""
    return Expected(SHAPE, train=50_000, test=10_000, num_classes=10)


def _read(root: str, train: bool, download: bool):
    from torchvision.datasets import CIFAR10

    try:
        return CIFAR10(root, train=train, download=download)
    except (RuntimeError, OSError, tarfile.TarError) as error:  # files, checksums; the network
        fetching = f"{CIFAR10.url} cannot be fetched ({error})" if download else ""
        reasons = [_first_difference(Path(root), CIFAR10), _archive(Path(root), CIFAR10), fetching]
        raise ValueError(
            f"{'; '.join(filter(None, reasons))}; expected the files of {CIFAR10.filename}: set "
            "root to the folder that holds them, or download: true"
        ) from None


def _first_difference(root: Path, published) -> str:
    """Describe the first file that is not as published; "" for none."""
    batches, meta = root / published.base_folder, published.meta
    if not batches.is_dir():
        return f"{batches}: no such folder"
    files = [*published.train_list, *published.test_list, (meta["filename"], meta["md5"])]
    differences = (_difference(batches / name, md5) for name, md5 in files)
    return next(filter(None, differences), "")


def _archive(root: Path, published) -> str:
    """Describe the archive next to the folder; "" where there is none."""
    path = root / published.filename
    if not path.exists():
        return ""
    return _difference(path, published.tgz_md5) or f"{path}: whole, and not unpacked"


def _difference(path: Path, published: str) -> str:
    if not path.is_file():
        return f"{path}: no such file"
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "md5").hexdigest()
    if checksum == published:
        return ""
    size = path.stat().st_size
    return f"{path}: {size} bytes with MD5 {checksum}, expected {published}; only partly there?"
