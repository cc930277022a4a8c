"""Features: independent of batches, stored with their identity; control image sets."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from uncanny.evaluation import features
from uncanny.evaluation.extractors import Extractor, classifier
from uncanny.evaluation.features import Features

SHAPE = (1, 8, 8)


def _extractor(seed):
    config = {"shape": SHAPE, "num_classes": 3, "width": 4, "depth": 1}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weights = classifier.build(config).state_dict()
    return Extractor({"kind": "classifier", "config": config, "weights": weights})


class Counting:
    """An extractor that counts the images it is shown."""

    def __init__(self, seed=0):
        self.extractor, self.seen = _extractor(seed), 0
        self.id = self.extractor.id

    def __call__(self, images):
        self.seen += len(images)
        return self.extractor(images)


@pytest.fixture
def images():
    return features.uniform_noise(37, SHAPE, seed=3)


@pytest.mark.parametrize("batch_size", [1, 5, 37, 100])
def test_features_do_not_depend_on_the_batch_size(images, batch_size):
    whole = features.extract(_extractor(0), images, 37)
    parts = features.extract(_extractor(0), images, batch_size)
    # convolutions sum in another order for another batch: float32 rounding
    np.testing.assert_allclose(parts.pool, whole.pool, atol=1e-5)
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-5)
    assert (parts.pool.shape, parts.logits.shape) == ((37, 8), (37, 3))
    assert parts.pool.dtype == parts.logits.dtype == np.float32


def test_tensors_and_memory_maps_give_what_arrays_give(images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    expected = features.extract(_extractor(0), images, 10)
    for same in (torch.from_numpy(images), np.load(tmp_path / "images.npy", mmap_mode="r")):
        assert np.array_equal(features.extract(_extractor(0), same, 10).pool, expected.pool)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 1, 8, 8), np.float32),
        np.zeros((1, 8, 8), np.uint8),
        np.zeros((0, 1, 8, 8), np.uint8),
    ],
)
def test_other_than_images_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 \[N, C, H, W\]"):
        features.extract(_extractor(0), wrong, 2)


def test_a_subset_keeps_rows_together(images):
    whole = features.extract(_extractor(0), images, 37, labels=np.arange(37))
    part = whole[[5, 2]]
    assert len(part) == 2
    assert np.array_equal(part.pool, whole.pool[[5, 2]])
    assert np.array_equal(part.labels, [5, 2])


def test_features_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="different numbers"):
        Features(np.zeros((3, 2)), np.zeros((4, 2)))


def test_stored_features_are_used_again(images, tmp_path):
    path, extractor = tmp_path / "deep" / "features.npz", Counting()
    first = features.load_or_extract(path, extractor, images, 8, np.arange(37))
    written = path.read_bytes()
    second = features.load_or_extract(path, extractor, images, 8, np.arange(37))
    assert extractor.seen == 37
    assert path.read_bytes() == written
    for name, values in vars(first).items():
        assert np.array_equal(values, getattr(second, name))


def test_neighbours_and_kernels_are_stored_with_the_features_of_a_reference(tmp_path):
    images = np.zeros((4, *SHAPE), np.uint8)
    result = features.extract(_extractor(0), images, 4)
    near, kernels = np.arange(8.0).reshape(4, 2), np.arange(10.0)
    result = replace(result, neighbours=near, kernels=kernels)
    features.save(tmp_path / "a.npz", result, {"extractor": "x"})
    stored, identity = features.load(tmp_path / "a.npz")
    assert np.array_equal(stored.neighbours, near)
    assert np.array_equal(stored.kernels, kernels)
    assert identity == {"extractor": "x"}


@pytest.mark.parametrize("change", ["extractor", "images", "labels", "number", "damage"])
def test_stale_features_are_recognised(images, tmp_path, change):
    path, labels = tmp_path / "features.npz", np.zeros(37, np.int64)
    features.load_or_extract(path, Counting(), images, 8, labels)
    extractor = Counting(seed=1 if change == "extractor" else 0)
    if change == "images":
        images = images.copy()
        images[36, 0, 7, 7] ^= 1
    if change == "labels":
        labels = labels + 1
    if change == "number":
        images, labels = images[:20], labels[:20]
    if change == "damage":
        path.write_bytes(path.read_bytes()[:1000])
    result = features.load_or_extract(path, extractor, images, 8, labels)
    assert extractor.seen == len(images)
    expected = features.extract(extractor, images, 8, labels)
    stored, identity = features.load(path)
    assert np.array_equal(stored.pool, expected.pool)
    assert np.array_equal(result.labels, labels)
    assert identity == features.identity(extractor, images, labels)


def test_the_same_features_give_the_same_bytes(images, tmp_path):
    for name in ("a.npz", "b.npz"):
        features.load_or_extract(tmp_path / name, _extractor(0), images, 8)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_a_missing_or_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "features.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"features\.npz: no"):
        features.load(path)


def test_the_digest_sees_dtype_shape_and_order():
    x = np.arange(12, dtype=np.uint8)
    variants = [x, x.reshape(3, 4), x.reshape(4, 3), x.astype(np.int64), x[::-1]]
    assert len({features.array_sha256(v) for v in variants}) == len(variants)
    assert features.array_sha256(x.reshape(3, 4).T.copy().T) == features.array_sha256(
        x.reshape(3, 4)
    )


def test_noise_images_are_what_they_are_called():
    gaussian = features.gaussian_noise(500, SHAPE, seed=0)
    uniform = features.uniform_noise(500, SHAPE, seed=0)
    assert gaussian.dtype == uniform.dtype == np.uint8
    assert gaussian.shape == uniform.shape == (500, *SHAPE)
    clipped = ((gaussian == 0) | (gaussian == 255)).mean()
    assert clipped == pytest.approx(2 * 0.1587, abs=0.01)  # beyond one standard deviation
    assert uniform.mean() == pytest.approx(127.5, abs=1.5)
    assert np.bincount(uniform.ravel(), minlength=256).min() > 80
    assert np.array_equal(gaussian, features.gaussian_noise(500, SHAPE, seed=0))
    assert not np.array_equal(gaussian, features.gaussian_noise(500, SHAPE, seed=1))
