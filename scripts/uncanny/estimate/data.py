"""Sizes of datasets: as prepared or, before that, as expected from their kind and options. No
torch here.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from uncanny.datasets import Expected
from uncanny.diffusion import ncsn_levels
from uncanny.runtime import files, result_paths
from uncanny.study import known_data
from uncanny.study.study import Study

REACH = 0.9  # largest distance of two images, in diagonals of the cube that they lie in


@dataclass(frozen=True)
class Data(Expected):
    """Sizes of a dataset, assumed where its options do not determine them: nothing is None."""

    @property
    def values(self) -> int:
        """Numbers in one image."""
        return math.prod(self.shape)


UNKNOWN = (50_000, 10_000)  # training and test images of a folder whose images are not counted
UNKNOWN_SIDE = 32  # pixels
MANY_CLASSES = 1000


def of_dataset(study: Study, name: str, results: Path) -> Data:
    """Sizes of a dataset as it is prepared below `results`, else as expected from the config."""
    description = results / result_paths.path("datasets", dataset=name)
    if description.exists():
        prepared = files.read_json(description)
        counts = (prepared["splits"][split]["count"] for split in ("train", "test"))
        return Data(tuple(prepared["shape"]), *counts, prepared["num_classes"])
    options, expected = study.component("datasets", name), known_data.dataset(study, name)
    shape = expected.shape or (3, UNKNOWN_SIDE, UNKNOWN_SIDE)
    stated = study.config.get("estimate", {}).get("images", {}).get(name, UNKNOWN)
    known = expected.train, expected.test
    counts = [stated[k] if n is None else n for k, n in enumerate(known)]
    has_classes = expected.num_classes is None and options.get("classes")
    return Data(shape, *counts, MANY_CLASSES if has_classes else expected.num_classes or 0)


def noise_levels(process: dict, data: Data) -> int | None:
    """Number of noise levels of an annealed process; by the rules of NCSNv2, for images with
    the distances of CIFAR-10's, if the number follows from the images.
    """
    if process["kind"] != "annealed" or process["num_levels"] is not None:
        return process.get("num_levels")
    high = process["sigma_max"] or REACH * data.values**0.5
    return ncsn_levels.level_count(high, process["sigma_min"], ncsn_levels.level_ratio(data.values))
