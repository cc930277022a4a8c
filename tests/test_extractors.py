"""Feature extractors: determined by their seed, named by their weights, fit for their use."""

import io

import numpy as np
import pytest
import torch

from uncanny.datasets import Dataset
from uncanny.datasets.digits import digits as prepare_digits
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.datasets.writing import write_description, write_split
from uncanny.evaluation import extractors, features
from uncanny.evaluation.extractors import Extractor
from uncanny.evaluation.extractors.classifier import ResidualNetwork, classifier, noise_images
from uncanny.evaluation.extractors.inception import inception
from uncanny.evaluation.extractors.rotation import rotated, rotation
from uncanny.evaluation.extractors.vectors import vectors
from uncanny.runtime import checkpoints


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """So small a network is no faster with more, and much slower where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    prepare_digits(folder)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def trained(digits):
    return classifier(digits)


def _colours(folder, kind="image", num_classes=4):
    """Images 3×32×32 of one colour channel each, with noise; class 3 is grey."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 96), ("test", 16)):
        labels = np.arange(count) % 4
        x = rng.integers(0, 100, (count, 3, 32, 32))
        x[np.arange(count)[labels < 3], labels[labels < 3]] += 150
        write_split(folder, split, count, (3, 32, 32), zip(x.astype(np.uint8), labels, strict=True))
    more = {"num_classes": num_classes, "source": "made", "parameters": {}}
    write_description(folder, (3, 32, 32), **more)
    return Dataset.open(folder)


def test_the_digits_extractor_separates_digits_and_knows_noise(digits, trained):
    report = extractors.report(Extractor(trained), digits)
    assert report["accuracy"] >= 0.98
    assert report["floor"].keys() == {"gaussian", "uniform"}
    assert max(report["floor"].values()) <= 2.0
    assert min(report["ceiling"].values()) >= 9.3
    assert max(report["ceiling"].values()) <= 10
    assert report["n"] == {"gaussian": 360, "uniform": 360, "test": 360, "train": 1437}
    assert report["extractor"] == Extractor(trained).id


def test_features_are_few_non_negative_and_alive(digits, trained):
    pool, logits = Extractor(trained)(torch.from_numpy(np.array(digits.test.images)))
    assert pool.shape == (360, 48)
    assert logits.shape == (360, 10)
    assert pool.dtype == logits.dtype == torch.float32
    assert pool.min() >= 0
    assert (pool.std(dim=0) > 1e-3).all()  # a constant feature would make covariances singular


def test_training_is_determined_by_its_seed_and_touches_no_other(digits):
    options = {"width": 4, "epochs": 1}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = classifier(digits, seed=1, **options)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert Extractor(classifier(digits, seed=1, **options)).id == Extractor(first).id
    assert Extractor(classifier(digits, seed=2, **options)).id != Extractor(first).id


def test_an_extractor_survives_storage(digits, trained, tmp_path):
    extractors.save(tmp_path / "extractor.pt", trained)
    stored, fresh = extractors.load(tmp_path / "extractor.pt"), Extractor(trained)
    images = torch.from_numpy(np.array(digits.test.images[:5]))
    assert stored.id == fresh.id
    assert torch.equal(stored(images)[0], fresh(images)[0])
    assert fresh.id.startswith("classifier@")
    assert len(fresh.id) == len("classifier@") + 12


def test_the_id_changes_with_one_weight(trained):
    weights = {name: tensor.clone() for name, tensor in trained["weights"].items()}
    reordered = dict(reversed(weights.items()))
    assert checkpoints.weights_sha256(reordered) == checkpoints.weights_sha256(weights)
    weights["head.bias"][0] += 1e-6
    assert checkpoints.weights_sha256(weights) != checkpoints.weights_sha256(trained["weights"])


@pytest.mark.parametrize("content", [None, b"", b"no weights", {"kind": "classifier"}, [1, 2]])
def test_a_bad_extractor_file_is_named(tmp_path, content):
    path = tmp_path / "extractor.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=r"extractor\.pt: no"):
        extractors.load(path)


@pytest.mark.parametrize(
    ("shape", "width", "features"),
    [
        ((1, 8, 8), 24, 48),
        ((3, 32, 32), 16, 64),
        ((3, 64, 64), 8, 32),
        ((1, 4, 4), 5, 5),
        ((2, 12, 20), 4, 8),
    ],
)
def test_the_network_follows_the_shape(shape, width, features):
    network = ResidualNetwork(shape, 7, width=width, depth=2).eval()
    pool, logits = network(torch.zeros((2, *shape), dtype=torch.uint8))
    assert pool.shape == (2, features)
    assert logits.shape == (2, 7)


def test_images_of_another_shape_are_refused(trained):
    with pytest.raises(ValueError, match=r"\(3, 8, 8\), expected \(1, 8, 8\)"):
        Extractor(trained)(torch.zeros((2, 3, 8, 8), dtype=torch.uint8))


def test_colour_images_train_with_augmentation(tmp_path):
    data = _colours(tmp_path)
    state = classifier(data, width=4, epochs=6, batch_size=16, shift=2, flip=True)
    report = extractors.report(Extractor(state), data)
    assert report["accuracy"] == 1


@pytest.mark.parametrize(
    ("batch_size", "num_classes", "message"),
    [
        (97, 4, "batch_size is 97, expected 2 to 96"),
        (1, 4, "batch_size is 1"),
        (16, 1, "of 1 classes"),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path, batch_size, num_classes, message):
    data = _colours(tmp_path, num_classes=num_classes)
    with pytest.raises(ValueError, match=message):
        classifier(data, batch_size=batch_size)


def test_vectors_have_no_classifier(tmp_path):
    gaussian_ring(tmp_path, n=100, n_test=10, labelled=True)
    with pytest.raises(ValueError, match="vectors of 32 classes"):
        classifier(Dataset.open(tmp_path))


def test_noise_images_keep_nothing_but_the_range():
    images = torch.rand(9, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    noise = noise_images(images, torch.Generator().manual_seed(1))
    gaussian, uniform, shuffled = noise.split(3)
    assert noise.shape == images.shape
    assert noise.abs().max() <= 1
    assert (gaussian.abs() == 1).float().mean() == pytest.approx(0.317, abs=0.06)
    assert uniform.std() == pytest.approx(3**-0.5, abs=0.03)
    colours = images[6:].flatten(2).transpose(1, 2), shuffled.flatten(2).transpose(1, 2)
    before, after = ({tuple(pixel.tolist()) for pixel in x[0]} for x in colours)
    assert before == after
    assert not torch.equal(shuffled, images[6:])


def _arrows(folder, shape=(3, 16, 16), count=128):
    """Images without classes that are bright at the top: their rotation is plain to see."""
    rng = np.random.default_rng(0)
    light = np.linspace(200, 20, shape[1])[None, :, None]
    for split in ("train", "test"):
        x = (light + rng.integers(0, 40, (count, *shape))).astype(np.uint8)
        write_split(folder, split, count, shape, zip(x, [0] * count, strict=True))
    more = {"num_classes": 0, "source": "made", "parameters": {}}
    write_description(folder, shape, **more)
    return Dataset.open(folder)


def test_rotations_are_learnt_without_classes(tmp_path):
    data = _arrows(tmp_path)
    options = {"width": 4, "epochs": 12, "batch_size": 16, "lr": 0.01}
    extractor = Extractor(rotation(data, **options))
    report = extractors.report(extractor, data)
    assert report["accuracy"] > 0.95  # of the four positions
    assert report.keys() == {"extractor", "dataset", "accuracy", "n"}  # no Inception Score
    assert report["n"] == {"test": 128}
    assert Extractor(rotation(data, **options)).id == extractor.id
    assert Extractor(rotation(data, seed=1, **options)).id != extractor.id
    noise = torch.randint(0, 256, (50, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    assert (extractor(noise.to(torch.uint8))[1].argmax(dim=1) == 4).all()


def test_a_rotation_extractor_survives_storage(tmp_path):
    data = _arrows(tmp_path)
    state = rotation(data, width=4, epochs=1)
    extractors.save(tmp_path / "extractor.pt", state)
    stored, fresh = extractors.load(tmp_path / "extractor.pt"), Extractor(state)
    images = torch.from_numpy(np.array(data.test.images[:5]))
    assert stored.id == fresh.id
    assert torch.equal(stored(images)[0], fresh(images)[0])


def test_rotated_images_come_in_all_positions():
    images = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    turned, turns = rotated(images)
    assert turns.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(turned[:2], images)
    assert torch.equal(turned[4:6], images.flip(2, 3))
    assert torch.equal(turned[2, 0, :, 0], images[0, 0, 0].flip(0))  # the top goes to the left


def test_what_has_no_rotation_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rotations need square images"):
        rotation(_arrows(tmp_path, shape=(3, 8, 12)))
    with pytest.raises(ValueError, match="batch_size is 200, expected 1 to 128"):
        rotation(_arrows(tmp_path), batch_size=200)


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory):
    """A file with random weights of the right names and shapes."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, weights):
            """Keep the weights of the initialisation."""

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = Untrained("untrained", ["2048"], nothing).state_dict()
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(weights, path)
    return path


def test_inception_from_a_file_of_weights(digits, inception_weights):
    extractor = Extractor(inception(digits, weights=str(inception_weights)))
    grey = torch.from_numpy(np.array(digits.test.images[:2]))
    pool, logits = extractor(grey)
    assert pool.shape == (2, 2048)
    assert logits.shape == (2, 1008)
    assert torch.isfinite(pool).all()
    assert not torch.allclose(pool[0], pool[1])
    torch.testing.assert_close(extractor(grey.repeat(1, 3, 1, 1)), (pool, logits))
    expected = checkpoints.weights_sha256(torch.load(inception_weights))[:12]
    assert extractor.id == f"inception@{expected}"
    with pytest.raises(ValueError, match="1 or 3"):
        extractor(torch.zeros((1, 2, 8, 8), dtype=torch.uint8))


def _without(weights):
    del weights["fc.weight"]


def _renamed(weights):
    for name in [name for name in weights if ".bn." in name]:
        weights[f"module.{name}"] = weights.pop(name)


def _transposed(weights):
    weights["fc.weight"] = weights["fc.weight"].T


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without, r"missing, without a place or of another shape: fc\.weight$"),
        (_transposed, r"missing, without a place or of another shape: fc\.weight$"),
        (_renamed, r"of another shape: Conv2d_1a_3x3\.bn\.weight, \S+, \S+ and \d+ more$"),
    ],
)
def test_weights_of_another_network_are_refused(
    digits, inception_weights, tmp_path, damage, message
):
    weights = torch.load(inception_weights)
    damage(weights)
    torch.save(weights, tmp_path / "wrong.pth")
    with pytest.raises(ValueError, match=rf"wrong.pth: another network.*{message}"):
        inception(digits, weights=str(tmp_path / "wrong.pth"))


@pytest.mark.parametrize("kept", [None, 0, 1000, 1_000_000])
def test_a_missing_or_truncated_weights_file_is_named(digits, inception_weights, tmp_path, kept):
    path = tmp_path / "part.pth"
    if kept is not None:
        with inception_weights.open("rb") as file:
            path.write_bytes(file.read(kept))
    with pytest.raises(ValueError, match=r"part.pth: no.*Inception v3 weights") as error:
        inception(digits, weights=str(path))
    assert "delete" not in str(error.value)  # the file is the user's own


def test_what_lies_in_the_place_of_weights_is_said(digits, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_text("<!DOCTYPE html>")
    with pytest.raises(ValueError, match=r"weights.pth: not readable as the Inception v3 weights .*15 bytes, a page of HTML or XML"):  # fmt: skip
        inception(digits, weights=str(path))


def test_weights_of_half_precision_are_refused(digits, inception_weights, tmp_path):
    weights = torch.load(inception_weights)
    torch.save(weights | {"fc.weight": weights["fc.weight"].half()}, tmp_path / "half.pth")
    with pytest.raises(
        ValueError, match=r"half\.pth: 1 tensors of torch\.float16; expected float32"
    ):
        inception(digits, weights=str(tmp_path / "half.pth"))


def test_no_table_of_tensors_is_refused(digits, tmp_path):
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth: no table of tensors"):
        inception(digits, weights=str(tmp_path / "other.pth"))


def test_inception_does_not_take_vectors(tmp_path):
    gaussian_ring(tmp_path, n=10, n_test=5)
    with pytest.raises(ValueError, match="inception needs images"):
        inception(Dataset.open(tmp_path), weights="unused.pth")


def test_vectors_are_their_own_features(tmp_path, digits):
    gaussian_ring(tmp_path / "ring", num_modes=4, dim=3, n=20, n_test=7)
    data = Dataset.open(tmp_path / "ring")
    state = vectors(data)
    extractors.save(tmp_path / "extractor.pt", state)
    extractor = extractors.load(tmp_path / "extractor.pt")
    result = features.extract(extractor, data.test.images, 3)
    assert np.array_equal(result.pool, data.test.images)
    assert extractors.report(extractor, data) == {
        "extractor": extractor.id, "dataset": "ring", "n": {"test": 7},
    }  # fmt: skip
    for noise in (features.gaussian_noise, features.uniform_noise):
        assert features.extract(extractor, noise(5, data.shape, 0), 5).pool.shape == (5, 3)
    with pytest.raises(ValueError, match=f"{digits.name}: images; expected a dataset of vectors"):
        vectors(digits)


@pytest.mark.parametrize("train", [classifier, rotation])
def test_a_loss_that_is_not_finite_ends_training(digits, train):
    with pytest.raises(ValueError, match=r"extractor: loss not finite at step \d+ \(epoch 1\)"):
        train(digits, lr=1e30, width=4, epochs=1)
