"""Tests of the discrete noise schedules and the sub-sequences of their times."""

import pytest
import torch
from exact import arrays, assert_close, cases, printed
from hypothesis import given
from hypothesis import strategies as st

from uncanny.diffusion import chain, schedules

SCHEDULES = arrays("schedules")
PICKS = SCHEDULES["picks"]

# name, options; beta_0, beta_999, abar_0, abar_999, sqrt(abar_999), SNR_999; first t + 1 with
# abar < 0.5
GOLDEN = """
linear       0.25  2.5e-5   0.005    0.999975  8.0726e-2  0.2841  8.781e-2  523
linear       0.5   5e-5     0.01     0.999950  6.4618e-3  0.0804  6.504e-3  369
linear       0.75  7.5e-5   0.015    0.999925  5.1287e-4  0.0226  5.131e-4  300
linear       1     1e-4     0.02     0.999900  4.0358e-5  0.0064  4.036e-5  260
cosine       -     4.128e-5 0.999    0.999959  2.4288e-9  4.9e-5  2.429e-9  497
sigmoid      -     3.003e-4 0.999    0.999700  3.0028e-7  5.5e-4  3.003e-7  501
sigmoid_beta -     1.492e-4 0.01995  0.999851  3.9682e-5  0.0063  3.968e-5  440
""".strip().splitlines()


@pytest.mark.parametrize("case", cases("schedules", "ddpm"), ids=lambda c: c["id"])
def test_betas_agree_with_the_reference(case):
    options = {k: case[k] for k in ("scale", "start", "end", "tau") if k in case}
    betas = getattr(schedules, case["schedule"])(case["T"], **options)
    assert betas.dtype == torch.float64
    assert_close(betas[PICKS], SCHEDULES[f"{case['id']}/betas"], 1e-10)
    bars = chain.alphas_cumprod(betas)
    assert_close(bars[PICKS], SCHEDULES[f"{case['id']}/alphas_cumprod"], 1e-10)


def test_sigmoid_beta_agrees_with_the_ddim_repository():
    assert_close(schedules.sigmoid_beta(1000)[PICKS], SCHEDULES["ddim/sigmoid_T1000/betas"], 1e-12)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: "-".join(row.split()[:2]))
def test_published_values(row):
    name, scale, *numbers, half = row.split()
    betas = getattr(schedules, name)(1000, **({} if scale == "-" else {"scale": float(scale)}))
    bars = chain.alphas_cumprod(betas)
    last = bars[-1]
    result = [betas[0], betas[-1], bars[0], last, last.sqrt(), last / (1 - last)]
    assert [float(f) for f in result] == [printed(text) for text in numbers]
    assert int((bars < 0.5).nonzero()[0]) + 1 == int(half)


@pytest.mark.parametrize(("name", "clipped"), [("cosine", 1), ("sigmoid", 1), ("linear", 0)])
def test_only_the_last_beta_is_clipped(name, clipped):
    betas = getattr(schedules, name)(1000)
    assert int((betas == 0.999).sum()) == clipped


@pytest.mark.parametrize("num_levels", [100, 250, 4000])
def test_linear_keeps_the_total_noise(num_levels):
    assert float(schedules.linear(num_levels).sum()) == pytest.approx(10.05)


@pytest.mark.parametrize(("num_levels", "scale"), [(20, 1.0), (5, 0.25), (1000, 0.0), (1, 0.01)])
def test_betas_outside_0_to_1_are_refused(num_levels, scale):
    with pytest.raises(ValueError, match=r"linear schedule with scale=.*expected"):
        schedules.linear(num_levels, scale=scale)


@pytest.mark.parametrize("options", [{"start": 3.0}, {"tau": 0.0}])
def test_sigmoid_without_a_fall_is_refused(options):
    with pytest.raises(ValueError, match="expected start < end and tau > 0"):
        schedules.sigmoid(1000, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cifar10", {"num_levels": 232, "sigma_begin": 50.0, "sigma_end": 0.01}),
        ("ncsn_original", {"num_levels": 10, "sigma_begin": 1.0, "sigma_end": 0.01}),
    ],
)
def test_geometric_agrees_with_the_reference(name, options):
    assert_close(schedules.geometric(**options), SCHEDULES[f"ncsnv2/{name}/sigmas"], 1e-12)


@pytest.mark.parametrize("options", [{"num_levels": 1}, {"num_levels": 9, "sigma_begin": 0.01}])
def test_geometric_without_a_fall_is_refused(options):
    with pytest.raises(ValueError, match="expected 0 < sigma_end < sigma_begin"):
        schedules.geometric(**options)


@pytest.mark.parametrize("case", cases("schedules", "respace"), ids=lambda c: c["id"])
def test_ancestral_times_agree_with_the_reference(case):
    times = schedules.ancestral_times(case["T"], int(case["respacing"]))
    assert times.dtype == torch.int64
    assert times.tolist() == [*SCHEDULES[f"{case['id']}/timestep_map"].tolist()[::-1], -1]


def test_ties_of_ancestral_times_round_as_in_the_reference():
    # 7 strides of 99/14 are 49.5; summed up they fall short of it
    assert schedules.ancestral_times(100, 15).tolist()[::-1][8] == 49


def test_999_ddim_steps_leave_out_one_time():
    assert schedules.ddim_times(1000, 999).tolist() == [999, *range(997, -1, -1), -1]


@pytest.mark.parametrize("S", [10, 50])
def test_quad_times_are_those_of_the_ddim_repository(S):
    result = schedules.quad_times(1000, S)
    assert result.dtype == torch.int64
    assert result.tolist() == [*SCHEDULES[f"ddim/quad_seq_T1000_S{S}"].tolist()[::-1], -1]


def test_quad_times_that_are_squares_of_whole_numbers_are_not_cut():
    # (20 / 20)^2 800 = 800, (10 / 20)^2 800 = 200
    assert schedules.quad_times(1000, 21)[:21:10].tolist() == [800, 200, 0]


@given(st.data(), st.integers(2, 400), st.sampled_from(["ancestral_times", "ddim_times"]))
def test_times_are_a_walk_from_the_top_to_the_clean_image(data, T, rule):
    num_steps = data.draw(st.integers(2, T))
    times = getattr(schedules, rule)(T, num_steps)
    assert len(times) == num_steps + 1
    assert times[0] == T - 1
    assert times[-1] == -1
    assert (times.diff() < 0).all()


@pytest.mark.parametrize("rule", ["ancestral_times", "ddim_times", "quad_times"])
@pytest.mark.parametrize("num_steps", [0, 11])
def test_numbers_of_steps_that_do_not_fit_are_refused(rule, num_steps):
    with pytest.raises(ValueError, match=rf"num_steps={num_steps}: .* of 10 levels take"):
        getattr(schedules, rule)(10, num_steps)
