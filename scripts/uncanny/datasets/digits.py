"""Handwritten digits, 8×8."""

import math
from pathlib import Path

import numpy as np

from uncanny.datasets import SPLITS, Expected
from uncanny.datasets.writing import write_description, write_split
from uncanny.registry.option_types import OpenFraction, Seed


def digits(folder: Path | str, *, test_fraction: OpenFraction = 0.2, seed: Seed = 0) -> None:
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
    split_rows = train_test_split(
        order, test_size=test_fraction, random_state=seed, stratify=labels
    )
    for split, rows in zip(SPLITS, split_rows, strict=True):
        items = zip(images[rows], labels[rows], strict=True)
        write_split(folder, split, len(rows), shape, items)
    source = "scikit-learn load_digits (UCI Optical Recognition of Handwritten Digits, test part)"
    more = {"source": source, "parameters": {"test_fraction": test_fraction, "seed": seed}}
    write_description(folder, shape, num_classes=10, **more)


def expected(*, test_fraction: float, **_) -> Expected:
    """The test part is rounded up, as scikit-learn does."""
    test = math.ceil(test_fraction * 1797)
    return Expected((1, 8, 8), train=1797 - test, test=test, num_classes=10)
