"""Tests of the grids of noise levels and of the range rule."""

import math

import pytest
import torch
from exact import arrays, assert_close, cases, printed, tensor
from hypothesis import given
from hypothesis import strategies as st

from uncanny.diffusion import sigma_grids
from uncanny.diffusion.preconditioning import ve, vp

SCHEDULES = arrays("schedules")
GRIDS = {"edm": "polynomial", "vp": "vp", "ve": "ve", "iddpm": "iddpm"}
VP_NETWORK = (vp().sigma_min, vp().sigma_max)
VE_NETWORK = (ve().sigma_min, ve().sigma_max)


def nearest(sigmas: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Each level moved to the table's nearest, as a network with discrete levels would."""
    return table[(sigmas[:-1, None] - table).abs().argmin(dim=1)]


@pytest.mark.parametrize("case", cases("schedules", "edm_steps"), ids=lambda c: c["id"])
def test_levels_and_range_agree_with_the_reference(case):
    kind = GRIDS[case["discretization"]]
    table = tensor(SCHEDULES["iddpm_precond/u"])
    supported = (case.get("net_sigma_min", 0.0), float(case.get("net_sigma_max", "inf")))
    result = sigma_grids.sigma_range(kind, supported)
    assert result == pytest.approx(SCHEDULES[f"{case['id']}/sigma_range"].tolist(), rel=1e-7)
    ends = SCHEDULES[f"{case['id']}/sigma_range"].tolist()
    sigmas = getattr(sigma_grids, kind)(case["num_steps"], *ends)
    sigmas = torch.cat([nearest(sigmas, table), torch.zeros(1)]) if "net_u" in case else sigmas
    assert_close(sigmas, SCHEDULES[f"{case['id']}/sigma"], 1e-9)


@pytest.mark.parametrize(
    ("network", "levels"),
    [
        (
            VP_NETWORK,
            "80 57.586 40.7856 28.3746 19.3525 12.9101 8.4009 5.3152 3.2568 1.9233 1.0882 0.5853 "
            "0.2964 0.1395 0.0599 0.0229 0.0075 0.002 0",
        ),
        (VE_NETWORK, "80 59.7503 44.0631 * * * * * * * * * * * 0.2115 0.1049 0.0481 0.02 0"),
    ],
)
def test_published_levels(network, levels):
    result = sigma_grids.polynomial(18, *sigma_grids.sigma_range("polynomial", network)).tolist()
    pairs = [(f, text) for f, text in zip(result, levels.split(), strict=True) if text != "*"]
    assert [f for f, _ in pairs] == [printed(text) for _, text in pairs]


def test_iddpm_table_agrees_with_the_reference():
    table = sigma_grids._iddpm_table(1000, 0.001, 0.008)
    assert_close(table[::50], SCHEDULES["iddpm_table/u"], 1e-9)
    assert int(((table >= 0.002) & (table <= 81)).sum()) == int(SCHEDULES["iddpm_table/n_filtered"])


@given(
    st.sampled_from(["polynomial", "exponential", "ve", "vp"]),
    st.integers(2, 300),
    st.floats(1e-3, 0.04),
    st.floats(2.0, 200.0),
)
def test_grids_fall_from_sigma_max_to_sigma_min_and_0(kind, num_steps, sigma_min, sigma_max):
    sigmas = getattr(sigma_grids, kind)(num_steps, sigma_min, sigma_max)
    assert sigmas.dtype == torch.float64
    assert len(sigmas) == num_steps + 1
    assert (sigmas.diff() < 0).all()
    assert sigmas[[0, -2, -1]].tolist() == pytest.approx([sigma_max, sigma_min, 0.0], rel=1e-6)


def test_polynomial_with_exponent_1_is_even():
    sigmas = sigma_grids.polynomial(5, 1.0, 9.0, rho=1.0)
    assert sigmas.tolist() == pytest.approx([9, 7, 5, 3, 1, 0])


def test_exponential_is_even_in_log_sigma():
    assert sigma_grids.exponential(4, 0.01, 10.0).tolist() == pytest.approx([10, 1, 0.1, 0.01, 0])


def test_ve_may_stop_before_its_last_time():
    t = torch.linspace(1, 1e-5, 7, dtype=torch.float64)
    sigmas = sigma_grids.ve(7, 0.01, 50.0, epsilon_s=1e-5)
    assert_close(sigmas[:-1], 0.01 * 5000**t, 1e-12)


@pytest.mark.parametrize("kind", sorted(GRIDS.values()))
def test_a_single_step_is_refused(kind):
    with pytest.raises(ValueError, match="num_steps=1: a grid of noise levels needs at least 2"):
        getattr(sigma_grids, kind)(1, 0.002, 80.0)


@pytest.mark.parametrize("kind", sorted(GRIDS.values()))
@pytest.mark.parametrize("ends", [(80.0, 0.002), (1.0, 1.0), (0.0, 1.0), (0.1, math.inf)])
def test_ranges_without_a_fall_are_refused(kind, ends):
    with pytest.raises(ValueError, match="expected 0 < sigma_min < sigma_max"):
        getattr(sigma_grids, kind)(8, *ends)


def test_more_steps_than_discrete_levels_are_refused():
    with pytest.raises(ValueError, match=r"num_steps=500: iddpm has .* noise levels in its range"):
        sigma_grids.iddpm(500, 1.0, 2.0)


def test_exponents_that_do_not_fall_are_refused():
    with pytest.raises(ValueError, match="rho=0: expected a positive exponent"):
        sigma_grids.polynomial(8, 0.002, 80.0, rho=0)


@pytest.mark.parametrize(
    ("kind", "network", "expected"),
    [
        ("vp", VP_NETWORK, (0.010486, 152.167)),
        ("vp", VE_NETWORK, (0.02, 100.0)),
        ("ve", VE_NETWORK, (0.02, 100.0)),
        ("polynomial", VP_NETWORK, (0.002, 80.0)),
        ("polynomial", VE_NETWORK, (0.02, 80.0)),
        ("exponential", (0.0, math.inf), (0.002, 80.0)),
    ],
)
def test_range_follows_from_grid_and_network(kind, network, expected):
    assert sigma_grids.sigma_range(kind, network) == pytest.approx(expected, rel=5e-5)


def test_a_given_range_is_taken():
    assert sigma_grids.sigma_range("ve", VE_NETWORK, sigma_min=0.05, sigma_max=7) == (0.05, 7.0)


def test_a_given_range_beyond_the_network_is_refused():
    with pytest.raises(ValueError, match=r"sigma_min=0.01: the network supports 0.02 to 100"):
        sigma_grids.sigma_range("ve", VE_NETWORK, sigma_min=0.01)
    with pytest.raises(ValueError, match=r"sigma_max=101: the network supports 0.02 to 100"):
        sigma_grids.sigma_range("ve", VE_NETWORK, sigma_max=101)


def test_a_range_of_which_nothing_is_left_is_refused():
    with pytest.raises(ValueError, match="expected 0 < sigma_min < sigma_max"):
        sigma_grids.sigma_range("polynomial", (90.0, 100.0))
