"""Averages of weights."""

import pytest
import torch

from uncanny.training import ema


def test_constant_with_warmup_follows_the_published_rule():
    options = {"kind": "constant", "beta": 0.999, "warmup": True}
    assert ema.decay(options, 0, 32) == pytest.approx(1 / 10)
    assert ema.decay(options, 90, 32) == pytest.approx(91 / 100)
    assert ema.decay(options, 10**6, 32) == 0.999
    assert ema.decay(options | {"warmup": False}, 0, 32) == 0.999


def test_halflife_matches_its_meaning():
    options = {"kind": "halflife", "halflife_images": 500_000, "rampup": 0.05}
    assert ema.decay(options, 10**7, 32) == pytest.approx(0.9999556, abs=1e-7)
    assert ema.decay(options, 99, 32) == pytest.approx(0.5 ** (32 / (3200 * 0.05)))


def test_parameters_are_averaged_and_buffers_copied():
    average, network = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        average.weight.fill_(1.0)
        network.weight.fill_(3.0)
        network.running_mean.fill_(7.0)
    ema.follower(average, network)(0.75)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.running_mean.tolist() == [7.0, 7.0]
