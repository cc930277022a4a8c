"""Vectors from a mixture of Gaussians whose exact denoiser is known."""

from pathlib import Path

import numpy as np

from uncanny.datasets import SPLITS, Expected
from uncanny.datasets.writing import write_description, write_split
from uncanny.registry.option_types import Nonnegative, PositiveInt, Seed


def gaussian_ring(
    folder: Path | str,
    *,
    num_modes: PositiveInt = 32,
    dim: PositiveInt = 8,
    mode_std: Nonnegative = 0.005,
    radius: Nonnegative = 1.0,
    n: PositiveInt = 20000,
    n_test: PositiveInt = 5000,
    labelled: bool = False,
    seed: Seed = 0,
) -> None:
    """Vectors x = mu_k + mode_std * noise, float32 [n, dim]: equal Gaussians on a ring.

    The ring lies in a random plane of the space; its centres mu_k are kept in dataset.json under
    parameters.means, so that the exact denoiser is known. `labelled` makes each mode a class.
    radius and mode_std are in the units of x.
    """
    if num_modes < 1 or dim < 2 or mode_std < 0:
        options = f"num_modes {num_modes}, dim {dim}, mode_std {mode_std}"
        raise ValueError(f"gaussian_ring: {options}; expected >= 1, >= 2, >= 0")
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
    write_description(folder, (dim,), num_classes=classes, kind="vector", **more)


def expected(*, num_modes: int, dim: int, n: int, n_test: int, labelled: bool, **_) -> Expected:
    """Everything follows from the options."""
    return Expected((dim,), train=n, test=n_test, num_classes=num_modes if labelled else 0)


def _mixture(rng, means, mode_std, count, labelled):
    for mode in rng.integers(len(means), size=count):
        x = means[mode] + mode_std * rng.standard_normal(means.shape[1])
        yield x.astype(np.float32), int(mode) if labelled else 0
