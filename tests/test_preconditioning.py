"""Tests of the preconditioning: coefficients, precision, and what the network is asked."""

import math

import pytest
import torch
from exact import Gaussian, arrays, assert_close, printed, tensor
from torch import nn

from uncanny.diffusion import preconditioning
from uncanny.diffusion.preconditioning import denoise

KINDS = ["vp", "sub_vp", "ve", "edm"]
SIGMA = torch.tensor([0.019999999552965164, 0.5, 3.0, 60.0], dtype=torch.float64)


class Recorder(nn.Module):
    """Network with one parameter that keeps what it was given and returns w times its input."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.w = nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, x, noise, labels=None):
        self.seen = (x, noise, labels)
        return self.w * x


class Ideal(nn.Module):
    """Network without parameters whose denoiser is the ideal one of Gaussian data."""

    def __init__(self, p, sigma):
        super().__init__()
        self.p, self.sigma = p, sigma

    def forward(self, x, noise, labels=None):
        p, sigma = self.p, self.sigma
        image = x / p.c_in(sigma)
        return (Gaussian()(image, sigma) - p.c_skip(sigma) * image) / p.c_out(sigma)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("vp", "3.061609 144.66910562 475.5818022 901.2865507"),
        ("ve", "-4.605170208 -1.386294361 0.405465108 3.401197382"),
        ("edm", "-0.978005757 -0.173286795 0.274653072 1.023586141"),
    ],
)
def test_noise_that_the_network_is_told(kind, expected):
    result = getattr(preconditioning, kind)().c_noise(SIGMA)
    assert result.tolist() == [printed(text) for text in expected.split()]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("vp", "1.0005e-3", "152.167"), ("ve", "0.02", "100"), ("edm", "0", "inf")],
)
def test_supported_noise_levels(kind, low, high):
    p = getattr(preconditioning, kind)()
    assert p.sigma_min == printed(low)
    assert p.sigma_max == (math.inf if high == "inf" else printed(high))


@pytest.mark.parametrize("kind", ["vp", "edm"])
def test_input_of_the_network_has_unit_variance(kind):
    p, data = getattr(preconditioning, kind)(), {"vp": 1.0, "edm": 0.5}[kind]
    assert_close(p.c_in(SIGMA) ** 2 * (data**2 + SIGMA**2), torch.ones(4), 1e-12)


def test_edm_target_of_the_network_has_unit_variance():
    p, data = preconditioning.edm(sigma_data=0.7), 0.7
    # target = (x0 - c_skip (x0 + sigma n)) / c_out
    variance = ((1 - p.c_skip(SIGMA)) * data) ** 2 + (p.c_skip(SIGMA) * SIGMA) ** 2
    assert_close(variance / p.c_out(SIGMA) ** 2, torch.ones(4), 1e-12)


def test_sub_vp_has_the_recorded_marginals():
    p, stored = preconditioning.sub_vp(), arrays("schedules")
    t, mean, std = (tensor(stored[f"sde/{name}"]) for name in ("t", "vp/mean_coeff", "subvp/std"))
    sigma = p.clock.sigma(t)
    assert_close(sigma, std / mean, 1e-10)
    assert_close(p.c_in(sigma), mean, 1e-10)
    assert_close(p.clock.sigma_inv(sigma), t, 1e-10)
    # g^2 = s^2 d(sigma^2)/dt
    diffusion = mean * (2 * sigma * p.clock.sigma_deriv(t)).sqrt()
    assert_close(diffusion, stored["sde/subvp/diffusion"], 1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [0.05, 0.5, 30.0])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 5)])
def test_ideal_network_gives_the_ideal_denoiser(kind, sigma, shape):
    p, level = getattr(preconditioning, kind)(), torch.tensor(sigma, dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert_close(denoise(Ideal(p, level), p, x, sigma), Gaussian()(x, level), 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_one_level_per_image(kind):
    p, network = getattr(preconditioning, kind)(), Recorder(torch.float64)
    x = torch.randn(4, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    together = denoise(network, p, x, SIGMA)
    assert network.seen[1].shape == (4,)
    for i in range(4):
        assert_close(
            together[i : i + 1].detach(),
            denoise(network, p, x[i : i + 1], SIGMA[i]).detach(),
            1e-14,
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_network_keeps_its_precision_and_the_state_its_own(dtype):
    network, labels = Recorder(), torch.eye(4, dtype=torch.float64)
    out = denoise(network, preconditioning.vp(), torch.zeros(4, 6, dtype=dtype), SIGMA, labels)
    assert out.dtype == dtype
    assert [seen.dtype for seen in network.seen] == [torch.float32] * 3


def test_a_network_of_higher_precision_does_not_change_that_of_the_state():
    network = Recorder(torch.float64)
    out = denoise(network, preconditioning.ve(), torch.zeros(4, 6), SIGMA)
    assert network.seen[0].dtype == torch.float64
    assert out.dtype == torch.float32


def test_labels_may_be_missing():
    network = Recorder()
    denoise(network, preconditioning.edm(), torch.zeros(4, 6), 0.5)
    assert network.seen[2] is None


def test_denoiser_is_differentiable():
    network, x = Recorder(), torch.ones(1, 2, requires_grad=True)
    denoise(network, preconditioning.ve(), x, 3.0).sum().backward()
    assert x.grad.tolist() == [[4.0, 4.0]]  # c_skip + c_out w c_in
    assert network.w.grad == 6.0  # c_out c_in x, two pixels
