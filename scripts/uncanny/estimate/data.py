"""Sizes of datasets, as prepared or, before that, as their kind and options let expect. No torch
here.
"""

from dataclasses import dataclass
from pathlib import Path

from uncanny import files, ncsn
from uncanny.study import Study

REACH = 0.9  # largest distance of two images, in diagonals of the cube that they lie in


@dataclass(frozen=True)
class Data:
    """shape: of one image or vector; train, test: numbers of them; num_classes: 0 for none."""

    shape: tuple[int, ...]
    train: int
    test: int
    num_classes: int

    @property
    def values(self) -> int:
        """Numbers in one image."""
        product = 1
        for length in self.shape:
            product *= length
        return product


def _digits(test_fraction, **_) -> Data:
    test = -int(-1797 * test_fraction // 1)
    return Data((1, 8, 8), 1797 - test, test, 10)


def _photos(patch_size, stride, scale, test_fraction, **_) -> Data:
    height, width = 427 // scale - patch_size, 640 // scale - patch_size
    patches = 2 * (height // stride + 1) * (width // stride + 1)
    # Patches across the border of the held-out squares, twice as wide as a patch, are left out.
    test = int(patches * test_fraction / 2)
    return Data((3, patch_size, patch_size), int(patches * (1 - 1.5 * test_fraction)), test, 0)


def _gaussian_ring(dim, n, n_test, num_modes, labelled, **_) -> Data:
    return Data((dim,), n, n_test, num_modes if labelled else 0)


EXPECTED = {
    "cifar10": lambda **_: Data((3, 32, 32), 50_000, 10_000, 10),
    "digits": _digits,
    "photos": _photos,
    "gaussian_ring": _gaussian_ring,
}
UNKNOWN = (50_000, 10_000)  # training and test images of a folder that nobody has counted


def of_dataset(study: Study, name: str, results: Path) -> Data:
    """A dataset as it is prepared below `results`; else as the config lets expect it."""
    description = results / "datasets" / name / "dataset.json"
    if description.exists():
        found = files.read_json(description)
        counts = (found["splits"][split]["count"] for split in ("train", "test"))
        return Data(tuple(found["shape"]), *counts, found["num_classes"])
    options = study.component("datasets", name)
    if options["kind"] in EXPECTED:
        return EXPECTED[options["kind"]](**options)
    counts = study.config.get("estimate", {}).get("images", {}).get(name, UNKNOWN)
    channels, side = options.get("channels", 3), options.get("resolution", 32)
    return Data((channels, side, side), *counts, 1000 if options.get("classes") else 0)


def noise_levels(process: dict, data: Data) -> int | None:
    """Number of noise levels of an annealed process; by the rules of NCSNv2, for images as far from
    each other as those of CIFAR-10, where it is to be derived from the images.
    """
    if process["kind"] != "annealed" or process["num_levels"] is not None:
        return process.get("num_levels")
    high = process["sigma_max"] or REACH * data.values**0.5
    return ncsn.level_count(high, process["sigma_min"], ncsn.level_ratio(data.values))
