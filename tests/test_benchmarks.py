"""Benchmarks: what is compared takes turns, ratios are those of a round, sizes are checked."""

import sys

import changes
import harness
import limits
import numpy as np
import on_gpu
import peers
import pytest
import report
import scales
import torch
from harness import Work

CPU = torch.device("cpu")


@pytest.fixture
def compared(monkeypatch):
    """Two works of 2 and 8 seconds, one of another group, and limits of 1 second each."""
    now = np.zeros(2)

    def spend(seconds):
        def call(_):
            now[:] += seconds

        return call

    monkeypatch.setattr(harness, "clocks", lambda: now.copy())
    kinds = {"matrix product": 10e9, "convolution": 20e9, "memory": 4e9}
    monkeypatch.setattr(limits, "works", lambda *_: {k: (spend(1), v) for k, v in kinds.items()})
    works = {"ours": Work(spend(2), flops=10e9, bytes=1e9), "theirs": Work(spend(8), flops=10e9)}
    works |= {"heavy": Work(spend(5), flops=1.0, bytes=10e9, group="other", note="memory")}
    return harness.compare(works, 3, CPU)


def test_ratios_are_to_the_first_of_a_group(compared):
    rows = compared["rows"]
    assert rows["theirs"]["ours_over_it"]["wall"] == [0.25] * 3
    assert (
        rows["ours"]["ours_over_it"]["processor"]
        == rows["heavy"]["ours_over_it"]["wall"]
        == [1] * 3
    )
    assert np.array(rows["ours"]["seconds"]).shape == (3, 2)


def test_the_limit_is_the_larger_of_operations_and_bytes(compared):
    rows = compared["rows"]
    assert rows["ours"]["of_limit"]["wall"] == [0.25] * 3  # 10 of 20 GFLOP/s, in 2 s
    assert rows["theirs"]["of_limit"]["wall"] == [0.0625] * 3
    assert rows["heavy"]["of_limit"]["wall"] == [0.5] * 3  # 10 GB at 4 GB/s, in 5 s


def test_the_table_names_machine_limits_and_what_is_not_equal(compared):
    record = {"benchmark": "b", "scale": "digits", "batch": 4, "rounds": 3}
    text = report.table(record | {"machine": harness.machine(CPU)} | compared)
    assert f"torch {torch.__version__.split('+')[0]}" in text
    assert "convolution 20.0 GFLOP/s, memory 4.0 GB/s" in text
    assert "| theirs | 8e+03 (8e+03 to 8e+03) | 0.25 (0.25 to 0.25)" in text
    assert "| memory |" in text


def test_networks_of_other_sizes_are_not_called_equal():
    small, large = torch.nn.Linear(10, 10), torch.nn.Linear(10, 11)
    peers.assert_equal_size(small, small)
    with pytest.raises(AssertionError, match="parameters: 110 and 121"):
        peers.assert_equal_size(small, large)


def test_operations_are_counted_backward_too():
    layer, x = torch.nn.Linear(8, 4, bias=False), torch.randn(2, 8, requires_grad=True)
    assert limits.counted(lambda: layer(x).sum().backward()) == 3 * 2 * 2 * 8 * 4


@pytest.mark.parametrize("family", ["discrete", "continuous"])
def test_our_works_run_at_the_scale_of_digits(family):
    scale = scales.SCALES["digits"].of(2)
    work, network = scales.updates(scale, family, CPU)
    before = [weight.clone() for weight in network.parameters()]
    work(1)
    assert not all(map(torch.equal, before, network.parameters()))
    assert scales.model(scale, family, CPU).shape == (1, 8, 8)


def test_a_table_of_a_precision_times_updates_of_that_precision(tmp_path, monkeypatch):
    """The recipe sets the precision of an update, whatever surrounds it."""
    seen = []

    def compare(works, *_):
        works["DDPM U-Net"].call(0)
        return {"rows": {}}

    def hooked(scale, device, *_):
        call, network = scales.updates(scale, "discrete", device)
        kept = lambda *_: seen.append((torch.is_autocast_enabled("cpu"), scale.precision))  # noqa: E731
        network.register_forward_hook(kept)
        return {"DDPM U-Net": Work(call)}

    monkeypatch.setattr(on_gpu, "works", hooked)
    monkeypatch.setattr(harness, "compare", compare)
    command = ["on_gpu.py", "--scale", "digits", "--batches", "2", "--precisions", "bf16", "tf32"]
    monkeypatch.setattr(sys, "argv", [*command, "--folder", str(tmp_path)])
    on_gpu.main()
    assert seen == [(True, "bf16"), (False, "tf32")]


CHANGES = [change for works in changes.UNDONE.values() for change in works.values()]


@pytest.mark.parametrize("undo", dict.fromkeys(change.undo for change in CHANGES))
def test_what_is_undone_is_there(undo, monkeypatch):
    for module in (changes.hardware, changes.building, changes.loop, changes.ema, changes.gradients, changes.sampling):  # fmt: skip
        for name in vars(module).copy():  # restored after the test
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setitem(changes.WORKS, "job", None)
    undo()
