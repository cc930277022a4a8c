"""CIFAR-10 from its published files."""

from pathlib import Path

import numpy as np

from uncanny.datasets import write_description, write_split

SHAPE = (3, 32, 32)


def cifar10(folder: Path | str, *, root: str, download: bool = False) -> None:
    """The 50,000 training and 10,000 test images of CIFAR-10: 3×32×32, ten classes.

    root: folder with cifar-10-batches-py/, as torchvision keeps it; every file there is compared
    with its published MD5. download: fetch what is missing into root (170 MB), or unpack the
    archive cifar-10-python.tar.gz that lies there. Raises ValueError where files are missing or
    differ. Order and pixels are those of the files.
    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    for split in ("train", "test"):
        data = _read(root, split == "train", download)
        images = np.moveaxis(data.data, -1, 1)  # uint8 [N, 3, 32, 32]
        write_split(folder, split, len(images), SHAPE, zip(images, data.targets, strict=True))
    parameters = {"files": [name for name, _ in (*data.train_list, *data.test_list)]}
    parameters |= {"classes": list(data.classes)}
    more = {"source": "CIFAR-10, python version, checksums agree", "parameters": parameters}
    write_description(folder, SHAPE, name="cifar10", num_classes=len(data.classes), **more)


def _read(root: str, train: bool, download: bool):
    from torchvision.datasets import CIFAR10

    try:
        return CIFAR10(root, train=train, download=download)
    except RuntimeError as error:
        place = Path(root) / CIFAR10.base_folder
        found = "files missing or changed" if place.is_dir() else "no such folder"
        raise ValueError(
            f"{place}: {found} ({error}); expected the files of {CIFAR10.filename}: "
            "set root to the folder that holds them, or download: true"
        ) from None
