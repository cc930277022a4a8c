"""Prepared datasets: exact rules, whole files or none, one clear error for each damage."""

import tracemalloc

import numpy as np
import pytest
import torch
from prepared import contents
from sklearn.datasets import load_sample_images

from uncanny import datasets
from uncanny.datasets import Dataset, to_model, to_uint8
from uncanny.datasets.digits import digits as prepare_digits
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.datasets.photos import _shrunk, photos
from uncanny.datasets.writing import write_description, write_split
from uncanny.registry import components
from uncanny.runtime import files


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    prepare_digits(folder)
    return folder


@pytest.fixture
def small(tmp_path):
    """Three training and two test images of 1×2×2."""
    for split, count in (("train", 3), ("test", 2)):
        write_split(tmp_path, split, count, (1, 2, 2), _items(count, (1, 2, 2)))
    write_description(tmp_path, (1, 2, 2), num_classes=2, source="made", parameters={})
    return tmp_path


def _items(count, shape, dtype=np.uint8):
    return ((np.full(shape, i % 256, dtype), i % 2) for i in range(count))


def test_digits_are_all_there_once(digits):
    from sklearn.datasets import load_digits

    data = Dataset.open(digits)
    images = np.concatenate([data.train.images, data.test.images])
    grey = load_digits().images[:, None]
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert (data.shape, data.num_classes, data.kind) == ((1, 8, 8), 10, "image")
    stored = {image.tobytes() for image in images}
    expected = {np.floor(255 * g / 16 + 0.5).astype(np.uint8).tobytes() for g in grey}
    assert stored == expected
    assert len(images) == len(grey)


def test_digits_split_is_stratified_and_fixed(digits, tmp_path):
    data = Dataset.open(digits)
    train, test = np.bincount(data.train.labels), np.bincount(data.test.labels)
    assert np.all(np.abs(test - 0.2 * (train + test)) < 1)
    prepare_digits(tmp_path / "again")
    prepare_digits(tmp_path / "other", seed=1)
    again, other = Dataset.open(tmp_path / "again"), Dataset.open(tmp_path / "other")
    assert (again.name, other.name) == ("again", "other")
    assert contents(tmp_path / "again") == contents(digits)
    assert np.array_equal(again.test.images, data.test.images)
    assert not np.array_equal(other.test.images, data.test.images)


@pytest.mark.parametrize("fraction", [0, 1, -0.5])
def test_digits_refuse_a_split_that_is_none(tmp_path, fraction):
    with pytest.raises(ValueError, match="test_fraction"):
        prepare_digits(tmp_path, test_fraction=fraction)


def test_ring_is_what_its_description_says(tmp_path):
    gaussian_ring(tmp_path, num_modes=6, dim=5, n=3000, n_test=10, labelled=True)
    data = Dataset.open(tmp_path)
    means = np.array(data.parameters["means"])
    assert (data.kind, data.shape, data.num_classes) == ("vector", (5,), 6)
    assert np.linalg.matrix_rank(means, tol=1e-9) == 2
    assert np.allclose(np.linalg.norm(means, axis=1), 1)
    neighbours = np.linalg.norm(means - np.roll(means, 1, axis=0), axis=1)
    assert np.allclose(neighbours, 2 * np.sin(np.pi / 6))
    noise = data.train.images - means[data.train.labels]
    assert noise.std() == pytest.approx(0.005, rel=0.03)
    assert np.bincount(data.train.labels) == pytest.approx(np.full(6, 500), abs=110)


def test_ring_without_classes(tmp_path):
    gaussian_ring(tmp_path, n=10, n_test=5)
    data = Dataset.open(tmp_path)
    assert data.num_classes == 0
    assert not data.train.labels.any()


def test_only_preparations_are_datasets():
    shipped = {"cifar10", "digits", "gaussian_ring", "images", "photos"}
    assert shipped <= set(components.kinds("datasets"))
    assert not {"writing", "_split_files"} & set(components.kinds("datasets"))


def test_pixels_survive_the_way_to_the_model_and_back():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_model(pixels)), pixels)
    assert to_model(pixels).dtype == torch.float32
    assert to_model(pixels)[[0, 255]].tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("x", "expected"),
    [(-2, 0), (-1, 0), (-0.5, 64), (0, 128), (0.5, 191), (1, 255), (1e9, 255), (-128.1 / 127.5, 0)],
)
def test_rule_of_quantisation(x, expected):
    assert to_uint8(torch.tensor([x], dtype=torch.float64)).item() == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_diverged_image_has_no_pixels(value):
    with pytest.raises(ValueError, match="1 of 2 pixel values are not finite"):
        to_uint8(torch.tensor([0.0, value]))


def test_vectors_reach_the_model_unchanged():
    x = np.array([[0.25, -3.0]], np.float32)
    assert np.array_equal(to_model(x).numpy(), x)


def test_a_long_split_is_streamed(tmp_path):
    shape, count = (3, 16, 16), 20_000
    tracemalloc.start()
    write_split(tmp_path, "train", count, shape, _items(count, shape))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "train-images.part").stat().st_size > 15e6
    assert peak < 1e6
    images = np.load(tmp_path / "train-images.part", mmap_mode="r")
    labels = np.load(tmp_path / "train-labels.part")
    assert np.array_equal(images[:, 0, 0, 0], np.arange(count) % 256)
    assert np.array_equal(labels, np.arange(count) % 2)


def _failing():
    yield np.zeros((1, 2, 2), np.uint8), 0
    raise OSError("the source broke off")


@pytest.mark.parametrize(
    ("count", "items", "error", "message"),
    [
        (2, lambda: _items(3, (1, 2, 2)), ValueError, "more than 2 items"),
        (4, lambda: _items(3, (1, 2, 2)), ValueError, "3 items, expected 4"),
        (1, lambda: _items(1, (1, 2, 3)), ValueError, r"item 0 is uint8 \(1, 2, 3\), expected"),
        (1, lambda: _items(1, (1, 2, 2), np.int64), ValueError, "int64"),
        (1, lambda: [(np.zeros((1, 2, 2), np.uint8), -1)], ValueError, "label -1"),
        (1, lambda: [(np.zeros((1, 2, 2), np.uint8), 0.5)], ValueError, "label 0.5"),
        (0, lambda: [], ValueError, "0 items"),
        (2, _failing, OSError, "broke off"),
    ],
)
def test_a_failed_split_leaves_nothing_and_takes_nothing(small, count, items, error, message):
    before = {path.name: path.read_bytes() for path in small.iterdir()}
    with pytest.raises(error, match=message):
        write_split(small, "train", count, (1, 2, 2), items())
    assert {path.name: path.read_bytes() for path in small.iterdir()} == before


def test_opening_does_not_read_the_arrays(small):
    data = Dataset.open(small)
    assert isinstance(data.train.images, np.memmap)
    assert not data.train.images.flags.writeable
    data.verify()


def _truncate(folder):
    path = folder / "train-images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def _other_dtype(folder):  # as many bytes, another meaning
    np.save(folder / "train-images.npy", np.zeros((3, 1, 2, 2), np.int8))


def _other_shape(folder):
    np.save(folder / "train-images.npy", np.zeros((3, 2, 2, 1), np.uint8))


def _no_array(folder):
    path = folder / "test-labels.npy"
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize(
    ("damage", "file", "message"),
    [
        (_truncate, "train-images.npy", r"139 bytes, expected 140"),
        (_other_dtype, "train-images.npy", "int8.*expected uint8"),
        (_other_shape, "train-images.npy", r"\(3, 2, 2, 1\), expected uint8 \(3, 1, 2, 2\)"),
        (_no_array, "test-labels.npy", "not an array"),
        (lambda f: (f / "test-labels.npy").unlink(), "test-labels.npy", "no such file; expected"),
        (lambda f: (f / "dataset.json").unlink(), "dataset.json", "no such file"),
        (lambda f: (f / "dataset.json").write_text("{"), "dataset.json", "not valid JSON"),
        (lambda f: (f / "dataset.json").write_text("{}"), "dataset.json", "no kind, name"),
    ],
)
def test_damage_is_named(small, damage, file, message):
    damage(small)
    with pytest.raises(ValueError, match=message) as caught:
        Dataset.open(small)
    assert str(small / file) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("kind", "sound", "kind is 'sound'"), ("splits", {"train": {}}, "split 'train': no 'files'")],
)
def test_a_wrong_description_is_named(small, key, value, message):
    path = small / "dataset.json"
    files.write_json(path, files.read_json(path) | {key: value})
    with pytest.raises(ValueError, match=message):
        Dataset.open(small)


def _places(images, photos):
    """Where each patch lies: (photo, top, left), found by its pixels."""
    size, result = images.shape[-1], []
    for patch in images:
        corners = [np.argwhere((p[:-size, :-size] == patch[:, 0, 0]).all(axis=2)) for p in photos]
        places = ((k, top, left) for k, rows in enumerate(corners) for top, left in rows)
        for k, top, left in places:
            window = photos[k][top : top + size, left : left + size].transpose(2, 0, 1)
            if np.array_equal(window, patch):
                result.append((k, top, left))
    return result


def test_photo_patches_of_the_two_splits_share_no_pixel(tmp_path):
    photos(tmp_path, scale=6, stride=8)
    data = Dataset.open(tmp_path)
    assert data.shape == (3, 16, 16)
    assert data.num_classes == 0
    shrunk = [_shrunk(p, 6) for p in load_sample_images().images]
    covered = {}
    for name, split in data.splits.items():
        places = _places(split.images, [np.pad(p, ((0, 1), (0, 1), (0, 0))) for p in shrunk])
        assert len(places) >= len(split) > 0
        covered[name] = [np.zeros(p.shape[:2], bool) for p in shrunk]
        for k, top, left in places:
            covered[name][k][top : top + 16, left : left + 16] = True
    for train, test in zip(covered["train"], covered["test"], strict=True):
        assert train.any()
        assert not (train & test).any()
    assert any(test.any() for test in covered["test"])


def test_photo_patches_by_default(tmp_path):
    photos(tmp_path)
    data = Dataset.open(tmp_path)
    assert (len(data.train), len(data.test)) == (2245, 295)
    assert not data.train.labels.any()


def test_photos_depend_on_the_seed_only_by_what_is_held_out(tmp_path):
    options = {"scale": 5, "stride": 16}
    images = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        photos(tmp_path / name, seed=seed, **options)
        images.append(Dataset.open(tmp_path / name).train.images[:].tobytes())
    assert images[0] == images[1] != images[2]


def test_photos_are_shrunk_by_means():
    photo = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    assert _shrunk(photo, 2)[0, 0].tolist() == [8, 9, 10]  # 7.5 is rounded up
    assert _shrunk(photo, 2).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("option", "message"), [({"scale": 0}, "scale 0"), ({"test_fraction": 1.0}, "test_fraction 1")]
)
def test_photos_that_cannot_be_cut_are_refused(tmp_path, option, message):
    with pytest.raises(ValueError, match=f"photos: .*{message}"):
        photos(tmp_path, **option)


def test_changed_contents_of_the_right_size_are_found(small, monkeypatch):
    path = small / "train-images.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    message = r"train-images.npy: damaged: SHA-256 is [0-9a-f]{64}, expected"
    with pytest.raises(ValueError, match=message):
        Dataset.open(small)
    monkeypatch.setattr(datasets, "EAGER", 0)  # a large dataset is read by jobs that read all of it
    with pytest.raises(ValueError, match=message):
        Dataset.open(small).verify()
    with pytest.raises(ValueError, match=message):
        Dataset.open(small, whole=True)
