"""Sets of samples as files: images, labels and what a guidance adds."""

from pathlib import Path

import numpy as np

from uncanny.runtime import arrays


def save(path, images: np.ndarray, labels: np.ndarray, **extras: np.ndarray) -> None:
    """Write a set of samples: images [n, ...] as `stored` gives them, labels int64 [n], and
    arrays [n, ...] that a guidance adds.
    """
    arrays.save(path, images=images, labels=labels, **extras)


def load_images(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, C, H, W] (vectors float32 [n, D]) and labels [n] of a stored sample set;
    ValueError that names a damaged file.
    """
    stored = arrays.load(path, "a whole set of samples")
    if not {"images", "labels"} <= stored.keys():
        raise ValueError(f"{path}: not a whole set of samples; delete it and run again")
    return stored["images"], stored["labels"]
