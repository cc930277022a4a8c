"""Paths of a GPU on a pretended one: devices never mix, numbers are the processor's."""

import pytest
import torch
from gpu import paths, pretended

CUDA = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch):
    monkeypatch.setattr(paths, "on_the_processor", pretended.suspended)


@pytest.mark.parametrize("name", paths.PATHS)
def test_a_path_runs_on_the_device(name):
    expected = paths.PATHS[name](torch.device("cpu"))
    with pretended.pretended() as log:
        found = paths.PATHS[name](CUDA)
    found = {key: pretended.numbers(value) for key, value in found.items()}
    assert log.kernels
    assert not paths.differing(paths.gaps(expected, found))
