"""Noisy classifiers: determined by their seed, gradients that are derivatives, honest reports."""

import math

import pytest
import torch

from uncanny.guidance import noisy_classifier
from uncanny.registry import components
from uncanny.runtime import checkpoints, files
from uncanny.training import classifiers

CPU = torch.device("cpu")
NETWORK = {
    "kind": "encoder_unet",
    "width": 16,
    "multipliers": [1, 2],
    "blocks": 1,
    "attention": [],
    "head_channels": 16,
}
TRAINING = {
    "epochs": 8,
    "batch_size": 64,
    "lr": 0.002,
    "weight_decay": 0.0,
    "augment": "none",
    "seed": 0,
}
IDENTITY = {
    "dataset": "digits",
    "process": {"kind": "discrete", "num_levels": 1000},
    "schedule": {"kind": "linear", "scale": 1.0},
    "network": NETWORK,
    "training": TRAINING,
}
UNTRAINED = IDENTITY | {"training": TRAINING | {"epochs": 0}}


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "noisy.pt"
    classifiers.run(identity=IDENTITY, dataset=data.folder, checkpoint=path, report=path.with_suffix(".json"), threads=1)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def untrained(data):
    return noisy_classifier.Classifier.of(classifiers.train(data, UNTRAINED, CPU), CPU)


def test_a_trained_classifier_knows_what_little_noise_leaves(trained):
    report = files.read_json(trained.with_suffix(".json"))
    least, most = report["deciles"][0], report["deciles"][-1]
    assert [entry["decile"] for entry in report["deciles"]] == list(range(10))
    assert least["t"] == [0, 99]
    assert most["t"] == [900, 999]
    assert least["n"] == 360
    assert least["accuracy"] > 0.5
    assert abs(most["accuracy"] - report["chance"]) < 4 * math.sqrt(0.09 / 360)  # noise alone
    assert least["se"] == pytest.approx(
        math.sqrt(least["accuracy"] * (1 - least["accuracy"]) / 360)
    )
    assert least["gradient_rms"] > 5 * most["gradient_rms"] > 0
    assert report["steps"] == 180
    assert [entry["epoch"] for entry in report["history"]] == list(range(1, 9))


def test_an_untrained_classifier_guesses_and_still_has_a_gradient(untrained, data):
    report = noisy_classifier.describe(untrained, data, CPU)
    assert max(entry["accuracy"] for entry in report["deciles"]) < 0.25
    assert min(entry["gradient_rms"] for entry in report["deciles"]) > 1e-5


def test_training_is_determined_by_its_seed_and_touches_no_other(data):
    short = IDENTITY | {"training": TRAINING | {"epochs": 1, "augment": "hflip"}}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = classifiers.train(data, short, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again = classifiers.train(data, short, CPU)
    assert checkpoints.digest(first) == checkpoints.digest(again)
    for change in ({"seed": 1}, {"augment": "none"}, {"weight_decay": 0.5}):
        other = classifiers.train(data, IDENTITY | {"training": short["training"] | change}, CPU)
        assert checkpoints.digest(other["network"]) != checkpoints.digest(first["network"])


@pytest.mark.parametrize("t", [0, 400, 999])
def test_the_gradient_is_the_derivative_of_log_p(trained, t):
    classifier = noisy_classifier.load(trained, CPU)
    classifier.network.double()  # differences need more digits than single precision has
    draws = torch.Generator().manual_seed(t)
    x, along = torch.randn(2, 6, 1, 8, 8, generator=draws, dtype=torch.float64)
    labels, h = torch.arange(6), 1e-5
    slope = (classifier.gradient(x, t, labels) * along).flatten(1).sum(dim=1)
    ahead, behind = (classifier.log_p(x + k * h * along, t, labels) for k in (1, -1))
    assert slope.tolist() == pytest.approx(
        ((ahead - behind) / (2 * h)).tolist(), rel=1e-5, abs=1e-9
    )


def test_single_precision_inside_double_outside(trained):
    classifier = noisy_classifier.load(trained, CPU)
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    result = classifier.gradient(x, 10, torch.tensor([1, 2, 3]))
    assert next(classifier.network.parameters()).dtype == torch.float32
    assert result.dtype == torch.float64
    assert all(p.grad is None and not p.requires_grad for p in classifier.network.parameters())
    assert not x.requires_grad


def test_a_gradient_is_the_same_within_no_grad_and_in_any_batch(trained, monkeypatch):
    classifier = noisy_classifier.load(trained, CPU)
    x, labels = torch.randn(7, 1, 8, 8, dtype=torch.float64), torch.arange(7)
    whole = classifier.gradient(x, 300, labels)
    monkeypatch.setattr(noisy_classifier, "GRADIENT_VALUES", 3 * 64)
    with torch.no_grad():
        parts = classifier.gradient(x, torch.full((7,), 300), labels)
    assert torch.allclose(whole, parts, atol=1e-6, rtol=0)


def test_probabilities_sum_to_one(trained):
    classifier = noisy_classifier.load(trained, CPU)
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    total = sum(classifier.log_p(x, 5, torch.full((4,), y)).exp() for y in range(10))
    assert total.tolist() == pytest.approx([1.0] * 4, abs=1e-12)


def test_a_file_is_checked_against_its_identity(trained, tmp_path):
    again = noisy_classifier.load(trained, CPU, identity=IDENTITY)
    assert again.identity == IDENTITY
    assert again.id == files.read_json(trained.with_suffix(".json"))["classifier"]
    other = IDENTITY | {"schedule": {"kind": "cosine"}}
    with pytest.raises(ValueError, match=r"noisy\.pt: made with other parameters: identity has"):
        noisy_classifier.load(trained, CPU, identity=other)
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(trained.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"damaged\.pt: not a whole checkpoint"):
        noisy_classifier.load(damaged, CPU)
    with pytest.raises(ValueError, match=r"none\.pt: no such"):
        noisy_classifier.load(tmp_path / "none.pt", CPU)


def test_a_model_is_no_classifier(tmp_path):
    path = tmp_path / "model.pt"
    checkpoints.save(path, {"identity": {}, "seed": 0, "epoch": 1, "status": "ok"})
    with pytest.raises(ValueError, match=r"model\.pt: a checkpoint, but not of a noisy classifier"):
        noisy_classifier.load(path, CPU)


def test_an_untrained_classifier_without_a_gradient_is_refused(data):
    silent = UNTRAINED | {"network": NETWORK | {"pool": "adaptive"}}
    with pytest.raises(ValueError, match="gradient is exactly 0; expected pool: attention"):
        classifiers.train(data, silent, CPU)
    classifiers.train(data, silent | {"training": TRAINING | {"epochs": 1}}, CPU)


def test_continuous_processes_have_no_such_classifier(data):
    process = {
        "kind": "continuous",
        "preconditioning": "vp",
        "levels": "matched",
        "weight": "matched",
    }
    with pytest.raises(ValueError, match=r"process\.kind is 'continuous'; expected 'discrete'"):
        classifiers.train(data, IDENTITY | {"process": process}, CPU)


def test_a_loss_that_is_not_finite_ends_training(data):
    wild = IDENTITY | {"training": TRAINING | {"lr": 1e30}}
    with pytest.raises(ValueError, match=r"classifier: loss not finite at step 1 \(epoch 1\)"):
        classifiers.train(data, wild, CPU)


@pytest.mark.parametrize("num_levels", [3, 10, 250, 1000, 1001])
def test_deciles_share_out_all_times(num_levels):
    ranges = [noisy_classifier.decile_range(k, num_levels) for k in range(10)]
    assert [t for low, high in ranges for t in range(low, high + 1)] == list(range(num_levels))
    for k, (low, high) in enumerate(ranges):
        assert {noisy_classifier.decile_of(t, num_levels) for t in range(low, high + 1)} <= {k}


def test_the_untrained_classifier_of_the_paper_hardly_pushes():
    """Table A.4 at initialisation: 2e-4 per pixel, a null intervention at scale 1 at every t."""
    table = {"width": 64, "multipliers": [1, 2, 4], "blocks": 2, "attention": [16, 8, 4], "head_channels": 64}  # fmt: skip
    torch.manual_seed(0)
    network = components.load("networks", "encoder_unet")((3, 32, 32), 10, **table).eval()
    classifier = noisy_classifier.Classifier(network.requires_grad_(False), {}, 10, "untrained")
    assert sum(p.numel() for p in network.parameters()) == 7_553_802
    g = classifier.gradient(torch.randn(4, 3, 32, 32), 500, torch.arange(4))
    assert 1.5e-4 < float(g.square().mean().sqrt()) < 3.5e-4
