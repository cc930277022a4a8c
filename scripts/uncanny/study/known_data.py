"""Sizes of datasets and features of extractors as far as a config tells them before a job runs. No
torch here.
"""

import importlib
from functools import cache

from uncanny.datasets import Expected
from uncanny.registry import components
from uncanny.study.study import Study

LEAST_SIDE = 4  # pixels of the last stage of the residual extractors, which double their width
WIDEST = 4  # times the width of the first stage


@cache
def dataset(study: Study, name: str) -> Expected:
    """Shape and counts of a dataset before it is prepared; None where its kind tells none."""
    options = dict(study.component("datasets", name))
    module = importlib.import_module(f"uncanny.datasets.{options.pop('kind')}")
    return module.expected(**options) if hasattr(module, "expected") else Expected()


def features(study: Study, extractor: str, shape: tuple[int, ...] | None) -> int | None:
    """Number of features of an extractor made for data of a shape; None where it is not known. A
    kind whose number is always the same has it as FEATURES in its module.
    """
    block = study.component("extractors", extractor)
    if shape is not None and block["kind"] == "vectors":
        return shape[0]
    if shape is not None and len(shape) == 3 and block["kind"] in ("classifier", "rotation"):
        doublings = (min(shape[1:]) // LEAST_SIDE).bit_length() - 1  # log2, rounded down
        return block["width"] * min(2 ** max(0, doublings), WIDEST)
    return components.constant("extractors", block["kind"], "FEATURES", None)
