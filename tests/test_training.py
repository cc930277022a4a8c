"""The training loop: cuts change nothing, randomness is a function of the step, divergence is
noticed.
"""

import functools

import pytest
import torch

from uncanny.datasets import Dataset
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.networks import building
from uncanny.runtime import hardware
from uncanny.training import gradients, loop
from uncanny.training import stream as stream_of_images
from uncanny.training.stream import Stream

OPTIONS = {
    "batch_size": 100,
    "lr": 0.002,
    "lr_rampup_images": 1000,
    "grad_clip": 1.0,
    "ema": {"kind": "constant", "beta": 0.99, "warmup": True},
    "augment": "hflip",
}
IDENTITY = {
    "dataset": "digits",
    "process": {"kind": "discrete", "num_levels": 50},
    "schedule": {"kind": "linear", "scale": 1.0},
    "network": {
        "kind": "unet",
        "width": 8,
        "multipliers": [1],
        "blocks": 1,
        "attention": [],
        "dropout": 0.2,
    },
    "training": OPTIONS,
    "conditional": False,
}
CPU = torch.device("cpu")


def fresh(data, seed=0, options=OPTIONS, loss=None):
    stream = Stream(data, options["batch_size"], seed, False)
    build = functools.partial(building.build_network, IDENTITY, data.shape, 10)
    loss = loss or building.build_family(IDENTITY).loss
    return loop.begin(build, loss, stream, options, seed, CPU)


def trained(data, cuts, seed=0, options=OPTIONS):
    """State after epoch cuts[-1], stored and read again at every cut."""
    run = fresh(data, seed, options)
    for epoch in cuts:
        loop.train(run, epoch)
        state = run.state()
        run = fresh(data, seed, options)
        loop.resume(run, state)
    return run.state()


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize("cuts", [[1, 2, 3], [1, 3], [2, 3]])
def test_a_run_in_segments_equals_an_uninterrupted_one(data, cuts):
    assert equal(trained(data, [3]), trained(data, cuts))


def test_the_seed_matters(data):
    assert not equal(trained(data, [1]), trained(data, [1], seed=1))


def test_global_randomness_is_neither_used_nor_touched(data):
    torch.manual_seed(1)
    first = trained(data, [1])
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))
    torch.manual_seed(2)
    assert equal(first, trained(data, [1]))


def test_an_epoch_ends_with_the_first_update_that_completes_it():
    assert loop.steps_until(1, 50_000, 32) == 1563
    assert loop.steps_until(90, 50_000, 32) == 140_625
    assert loop.steps_until(0, 50_000, 32) == 0


def test_each_pass_shows_every_image_once(data):
    stream = Stream(data, 100, 0, False)
    rows = torch.cat([stream.rows(step, CPU) for step in range(29)]).tolist()
    first, second = rows[: len(data.train)], rows[len(data.train) : 2 * len(data.train)]
    assert sorted(first) == list(range(len(data.train)))
    assert sorted(second) == list(range(len(data.train)))
    assert first != second


def test_images_kept_on_the_device_make_the_same_batches(data, monkeypatch):
    plain = Stream(data, 100, 0, True)
    expected = [plain.batch(step, CPU) for step in (0, 17, 18)]
    monkeypatch.setattr(stream_of_images, "RESIDENT", {"cpu"})
    monkeypatch.setattr(hardware, "free_memory", lambda _: 2 * data.train.images.nbytes)
    kept = Stream(data, 100, 0, True)
    result = [kept.batch(step, CPU) for step in (0, 17, 18)]
    assert kept._kept["images"].dtype == torch.uint8
    assert all(
        equal(a, b)
        for e, f in zip(expected, result, strict=True)
        for a, b in zip(e, f, strict=True)
    )


def joined(weights, limit):
    return gradients.repair_and_clip_joined(weights, gradients.joined(weights), limit)


REPAIRS = [gradients.repair_and_clip, joined]


@pytest.mark.parametrize("limit", [None, 1.0])
@pytest.mark.parametrize("repair", REPAIRS)
def test_gradients_that_are_not_finite_are_repaired_before_the_norm_is_limited(limit, repair):
    weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    weights[0].grad = torch.tensor([float("nan"), 3.0])
    weights[1].grad = torch.tensor([float("-inf"), 4.0])
    norm = repair(weights, limit)
    result = torch.cat([weight.grad for weight in weights])
    repaired = torch.tensor([0.0, 3.0, -1e5, 4.0])
    assert not torch.isfinite(norm)
    assert torch.allclose(result, repaired / repaired.norm() if limit else repaired)


@pytest.mark.parametrize("limit", [None, 0.5, 100.0])
def test_gradients_in_one_vector_are_those_of_each_weight(limit):
    result = []
    for repair in REPAIRS:
        torch.manual_seed(0)
        layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 2, 1), torch.nn.Conv2d(2, 2, 1)]
        layers[0].to(memory_format=torch.channels_last)
        layers[2].requires_grad_(False)  # has no gradient
        network = torch.nn.Sequential(*layers)
        network(torch.randn(2, 3, 5, 5)).square().sum().backward()
        weights = [weight for weight in network.parameters() if weight.grad is not None]
        result.append([repair(weights, limit), *(weight.grad for weight in weights)])
        assert all(weight.grad.stride() == weight.stride() for weight in weights)
    assert all(torch.allclose(a, b, rtol=1e-6) for a, b in zip(*result, strict=True))


def test_precision_is_fp32_unless_the_recipe_says_otherwise(data):
    def state(**more):
        run = fresh(data, options=OPTIONS | more)
        loop.advance(run, 2)
        assert {weight.dtype for weight in run.weights} == {torch.float32}
        return run.network.state_dict()

    plain, rounded = state(), state(precision="bf16")
    assert equal(plain, state(precision="fp32"))
    assert not equal(plain, rounded)
    assert all(torch.allclose(plain[k], rounded[k], atol=5e-3) for k in plain)
    with pytest.raises(ValueError, match="precision: 'fp16'; expected fp32, tf32, bf16"):
        state(precision="fp16")


def test_memory_for_no_batch_at_all_is_one_message(data, monkeypatch):
    def scarce(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(loop, "_update", scarce)
    message = (
        r"^an update with 100 images needs more memory than is free on cpu; expected a smaller"
    )
    with pytest.raises(ValueError, match=message):
        loop.advance(fresh(data), 1)


def test_loss_falls_and_the_history_says_so(data):
    history = trained(data, [4])["history"]
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert history[-1]["step"] == loop.steps_until(4, len(data.train), 100)
    assert history[0]["nonfinite_gradients"] == 0


def test_the_learning_rate_ramps_up_in_images():
    assert loop.learning_rate(OPTIONS, 0) == pytest.approx(0.002 * 0.1)
    assert loop.learning_rate(OPTIONS, 9) == pytest.approx(0.002)
    assert loop.learning_rate(OPTIONS | {"lr_rampup_images": 0}, 0) == 0.002


def test_a_loss_that_is_not_finite_ends_the_run(data):
    def loss(network, x0, labels, generator):
        value = network(x0, torch.zeros(len(x0))).square().flatten(1).mean(1)
        return value * (float("nan") if run.step == 7 else 1.0)

    run = fresh(data, loss=loss)
    with pytest.raises(loop.Diverged, match=r"loss not finite at step 7 \(epoch 1\)"):
        loop.train(run, 1)


def test_a_loss_that_is_not_finite_ends_the_run_at_once(data):
    kept = []

    def loss(network, x0, labels, generator):
        value = network(x0, torch.zeros(len(x0))).square().flatten(1).mean(1)
        return value * (float("nan") if run.step >= 1 else 1.0)

    run = fresh(data, options=OPTIONS | {"batch_size": 1}, loss=loss)
    with pytest.raises(loop.Diverged, match=r"not finite at step 1 \(epoch 1\)"):
        loop.train(run, 1, keep=kept.append)
    assert run.step == loop.UPDATES_AT_ONCE < len(data.train)
    assert kept == []


def test_a_loss_that_grows_beyond_that_of_the_first_epoch_ends_the_run(data):
    def loss(network, x0, labels, generator):
        value = network(x0, torch.zeros(len(x0))).flatten(1).mean(1)
        return 0 * value + (20.0 if len(run.history) == 2 else 1.0)

    run = fresh(data, loss=loss)
    with pytest.raises(loop.Diverged, match=r"loss 20 in epoch 3, after 1 in the first"):
        loop.train(run, 5)
    assert [entry["epoch"] for entry in run.history] == [1, 2, 3]


def test_what_the_last_updates_say(data):
    def loss(network, x0, labels, generator):
        return network(x0, torch.zeros(len(x0))).square().flatten(1).mean(1)

    run, latest = fresh(data, loss=loss), []
    loop.train(run, 2, keep=lambda _: latest.append(run.latest()))
    assert [entry["epoch"] for entry in latest] == sorted(entry["epoch"] for entry in latest)
    assert {entry["epoch"] for entry in latest} == {1, 2}
    assert run.latest() == {"epoch": 2, "loss": run.history[-1]["loss"]}


def test_a_gradient_that_is_not_finite_is_repaired_and_counted(data):
    def loss(network, x0, labels, generator):
        return network(x0, torch.zeros(len(x0))).square().flatten(1).mean(1)

    run = fresh(data, loss=loss)
    parameter = next(run.network.parameters())
    parameter.register_hook(lambda g: g * (float("nan") if run.step == 3 else 1.0))
    loop.train(run, 1)
    assert run.history[0]["nonfinite_gradients"] == 1
    assert all(torch.isfinite(p).all() for p in run.network.parameters())


def test_mirroring_hits_about_half_of_the_images():
    x0 = torch.arange(4000.0).reshape(1000, 1, 2, 2)
    mirrored = loop.augmented(x0, {"augment": "hflip"}, torch.Generator().manual_seed(0))
    share = (mirrored != x0).flatten(1).any(1).float().mean()
    assert 0.45 < share < 0.55
    assert torch.equal(loop.augmented(x0, {"augment": "none"}, torch.Generator()), x0)


def test_a_state_may_be_a_vector(tmp_path):
    gaussian_ring(tmp_path, n=500, n_test=10)
    data = Dataset.open(tmp_path)
    identity = {
        "process": {
            "kind": "continuous",
            "preconditioning": "edm",
            "levels": "matched",
            "weight": "matched",
        },
        "schedule": None,
        "network": {"kind": "mlp", "width": 32},
        "conditional": False,
    }
    options = OPTIONS | {"augment": "none"}
    build = functools.partial(building.build_network, identity, data.shape, 0)
    stream, loss = Stream(data, 100, 0, False), building.build_family(identity).loss
    run = loop.begin(build, loss, stream, options, 0, CPU)
    loop.train(run, 8)
    assert run.history[-1]["loss"] < run.history[0]["loss"]
