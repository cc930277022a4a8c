"""Paths of a GPU on a pretended one: devices never mix, numbers are the processor's."""

import pytest
import torch
from gpu import paths, pretended

from uncanny import captured

CUDA = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch):
    monkeypatch.setattr(paths, "on_the_processor", pretended.suspended)
    monkeypatch.setenv(captured.VARIABLE, "0")  # there are no graphs


@pytest.mark.parametrize("name", paths.PATHS)
def test_a_path_runs_on_the_device(name):
    expected = paths.PATHS[name](torch.device("cpu"))
    with pretended.pretended() as log:
        found = paths.PATHS[name](CUDA)
    found = {key: pretended.numbers(value) for key, value in found.items()}
    assert log.kernels
    assert not paths.differing(paths.gaps(expected, found))


@pytest.mark.parametrize("model", paths.MODELS)
def test_an_update_neither_waits_nor_copies(model):
    """What the first updates copied stays on the device; only then can updates be captured."""
    with pretended.pretended() as log:
        begun = paths.Begun(model, CUDA)
        begun.advance(2)
        log.waits.clear()
        begun.advance(2)
    assert not log.waits
