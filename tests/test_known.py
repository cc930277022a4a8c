"""What is known of data before anything is prepared: the same as what is there afterwards."""

import importlib

import numpy as np
import pytest
import torch
from test_configuration import changed, plan

from uncanny.datasets import Dataset, Expected, read_counts
from uncanny.evaluation import extractors
from uncanny.registry import components
from uncanny.study import known_data

PREPARED = {
    "digits": {"test_fraction": 0.3, "seed": 1},
    "photos": {"scale": 4, "stride": 5, "test_fraction": 0.15, "seed": 2},
    "gaussian_ring": {"num_modes": 3, "dim": 4, "n": 20, "n_test": 7, "labelled": True},
}


@pytest.mark.parametrize("kind", PREPARED)
@pytest.mark.parametrize("by_default", [False, True])
def test_sizes_are_those_of_the_prepared_dataset(kind, by_default, tmp_path):
    if kind == "gaussian_ring" and by_default:
        pytest.skip("twenty thousand vectors")
    block = {} if by_default else PREPARED[kind]
    options = components.resolve("datasets", kind, block, kind)
    components.load("datasets", kind)(tmp_path, **options)
    expected = importlib.import_module(f"uncanny.datasets.{kind}").expected(**options)
    assert expected == read_counts(tmp_path)


def test_of_files_the_size_of_an_image_is_known():
    block = {"kind": "images", "root": "nowhere", "resolution": 28}
    study = plan(changed(("datasets", "pics"), block))
    assert known_data.dataset(study, "pics") == Expected((3, 28, 28), num_classes=0)
    study = plan(changed(("datasets", "pics"), block | {"classes": True}))
    assert known_data.dataset(study, "pics").num_classes is None
    study = plan(changed(("datasets", "all"), {"kind": "cifar10", "root": "nowhere"}))
    assert known_data.dataset(study, "all") == Expected((3, 32, 32), 50_000, 10_000, 10)


@pytest.mark.parametrize("side", [4, 7, 8, 16, 28, 30, 64])
@pytest.mark.parametrize("kind", ["classifier", "rotation"])
def test_features_are_those_of_the_network(kind, side):
    study = plan(changed(("extractors", "e"), {"kind": kind, "dataset": "digits", "width": 6}))
    config = {"shape": [3, side, side], "width": 6, "depth": 1}
    config |= {"num_classes": 4} if kind == "classifier" else {}
    network = importlib.import_module(f"uncanny.evaluation.extractors.{kind}").build(config).eval()
    pool, _ = network(torch.zeros(1, 3, side, side))
    assert known_data.features(study, "e", (3, side, side)) == pool.shape[1]
    assert known_data.features(study, "e", None) is None


def test_features_of_vectors_and_of_inception_are_known(tmp_path):
    study = plan(
        changed(("extractors", "e"), {"kind": "inception", "dataset": "digits", "weights": "w.pth"})
    )
    assert (
        known_data.features(study, "e", None) == known_data.features(study, "e", (1, 8, 8)) == 2048
    )
    components.load("datasets", "gaussian_ring")(tmp_path, dim=5, n=9, n_test=3)
    data = Dataset.open(tmp_path)
    extractor = extractors.Extractor(components.load("extractors", "vectors")(data))
    pool, _ = extractor(torch.from_numpy(np.array(data.test.images)))
    study = plan(changed(("extractors", "e"), {"kind": "vectors", "dataset": "digits"}))
    assert known_data.features(study, "e", data.shape) == pool.shape[1] == 5
