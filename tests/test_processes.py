"""Tests of the processes: clocks, scalings, ranges, discrete coefficients."""

import math

import pytest
import torch
from exact import arrays, assert_close, cases, tensor

from uncanny import processes, schedules
from uncanny.processes import GeometricClock, LinearClock, Path, VEClock, VPClock

SCHEDULES = arrays("schedules")
PATHS = [
    Path(clock, scaling)
    for clock in (VPClock(), VPClock(17.5, -0.005), VEClock(), GeometricClock(), LinearClock())
    for scaling in ("vp", "none")
]


@pytest.mark.parametrize("case", cases("schedules", "edm_steps"), ids=lambda c: c["id"])
def test_times_and_coefficients_of_the_general_ode(case):
    stored = {
        k: tensor(SCHEDULES[f"{case['id']}/{k}"])
        for k in ("t_steps", "sigma", "s", "sigma_deriv", "s_deriv", "sigma_range", "vp_beta")
    }
    path = Path.named(case["schedule"], case["scaling"], *stored["sigma_range"].tolist())
    betas = processes.vp_betas(*stored["sigma_range"].tolist())
    t = path.sigma_inv(stored["sigma"])
    assert_close(betas, stored["vp_beta"], 1e-10)
    assert_close(t, stored["t_steps"], 1e-9)
    assert_close(path.sigma(t), stored["sigma"], 1e-9)
    assert_close(path.scale(t), stored["s"], 1e-9)
    assert_close(path.sigma_deriv(t)[:-1], stored["sigma_deriv"], 1e-9)
    assert_close(path.scale_deriv(t)[:-1], stored["s_deriv"], 1e-9)
    if case["discretization"] != "iddpm":  # stored only for a table in single precision
        start = path.scale(t[0]) * path.sigma(t[0])
        assert_close(start, SCHEDULES[f"{case['id']}/x_scale0"], 1e-9)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_derivatives_agree_with_autograd(path):
    t = torch.linspace(0.05, 0.95, 7, dtype=torch.float64, requires_grad=True)
    for function, derivative in ((path.sigma, path.sigma_deriv), (path.scale, path.scale_deriv)):
        (slope,) = torch.autograd.grad(function(t).sum() + 0 * t.sum(), t)
        assert_close(derivative(t).detach(), slope, 1e-12)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_inverse_returns_the_time(path):
    t = torch.linspace(0.01, 1, 50, dtype=torch.float64)
    assert_close(path.sigma_inv(path.sigma(t)), t, 1e-12)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_clean_image_is_the_end_of_time(path):
    expected = -math.inf if isinstance(path.time, GeometricClock) else 0.0
    assert path.sigma_inv(0.0) == expected


def test_vp_keeps_the_total_variance():
    path, t = Path(VPClock(), "vp"), torch.linspace(0, 1, 20)
    assert_close(path.scale(t) ** 2 * (1 + path.sigma(t) ** 2), torch.ones(20), 1e-14)


def test_vp_agrees_with_the_sde():
    path, t = Path(VPClock(19.9, 0.1), "vp"), tensor(SCHEDULES["sde/t"])
    diffusion = path.scale(t) * (2 * path.sigma(t) * path.sigma_deriv(t)).sqrt()
    assert_close(path.scale(t), SCHEDULES["sde/vp/mean_coeff"], 1e-10)
    assert_close(path.sigma(t), SCHEDULES["sde/vp/sigma_edm"], 1e-10)
    assert_close(path.scale_deriv(t) / path.scale(t), SCHEDULES["sde/vp/drift_coeff"], 1e-10)
    assert_close(diffusion, SCHEDULES["sde/vp/diffusion"], 1e-10)


def test_geometric_clock_agrees_with_the_ve_sde():
    path, t = Path(GeometricClock(0.01, 50.0)), tensor(SCHEDULES["sde/t"])
    diffusion = (2 * path.sigma(t) * path.sigma_deriv(t)).sqrt()
    assert_close(path.sigma(t), SCHEDULES["sde/ve/std"], 1e-10)
    assert_close(diffusion, SCHEDULES["sde/ve/diffusion"], 1e-10)


@pytest.mark.parametrize(
    ("sigma_range", "betas"),
    [((0.010486, 152.167), (19.9, 0.1)), ((0.02, 100.0), (17.63868, 0.391101))],
)
def test_vp_betas_follow_from_the_range(sigma_range, betas):
    assert processes.vp_betas(*sigma_range) == pytest.approx(betas, rel=1e-4)
    clock = VPClock(*processes.vp_betas(*sigma_range))
    ends = clock.sigma(torch.tensor([1e-3, 1.0], dtype=torch.float64))
    assert ends.tolist() == pytest.approx(sigma_range, rel=1e-12)


@pytest.mark.parametrize("sigma_range", [(1.0, 1.0), (2.0, 1.0), (0.0, 1.0), (0.1, math.inf)])
def test_impossible_ranges_are_refused(sigma_range):
    with pytest.raises(ValueError, match="expected 0 < sigma_min < sigma_max"):
        processes.vp_betas(*sigma_range)
    with pytest.raises(ValueError, match="expected 0 < sigma_min < sigma_max"):
        Path.named("geometric", "none", *sigma_range)


def test_ranges_that_no_vp_clock_spans_are_refused():
    with pytest.raises(ValueError, match="sigma_min=1: too large for a VP clock"):
        processes.vp_betas(1.0, 2.0)


@pytest.mark.parametrize(("time", "scaling"), [("edm", "none"), ("vp", "ve")])
def test_unknown_names_are_refused(time, scaling):
    with pytest.raises(ValueError, match="is unknown; expected"):
        Path.named(time, scaling, 0.02, 100.0)


@pytest.mark.parametrize("name", ["linear_T1000_x1", "cosine_T1000"])
def test_posterior_of_the_whole_chain(name):
    picks = SCHEDULES["picks"]
    betas = {"linear_T1000_x1": schedules.linear, "cosine_T1000": schedules.cosine}[name](1000)
    bars = processes.alphas_cumprod(betas)
    step = processes.posterior(bars, torch.cat([torch.ones(1), bars[:-1]]))
    assert_close(bars[picks], SCHEDULES[f"ddpm/{name}/alphas_cumprod"], 1e-10)
    assert_close(step.beta[picks], SCHEDULES[f"ddpm/{name}/betas"], 1e-10)
    assert_close(step.variance[picks], SCHEDULES[f"ddpm/{name}/posterior_variance"], 1e-10)
    assert_close(step.x0_coef[picks], SCHEDULES[f"ddpm/{name}/posterior_mean_coef1"], 1e-10)
    assert_close(step.x_coef[picks], SCHEDULES[f"ddpm/{name}/posterior_mean_coef2"], 1e-10)


@pytest.mark.parametrize("case", cases("schedules", "respace"), ids=lambda c: c["id"])
def test_posterior_of_a_part_of_the_chain(case):
    bars = processes.alphas_cumprod(schedules.linear(1000))
    levels = processes.alpha_bars(bars, schedules.ancestral_times(1000, int(case["respacing"])))
    step = processes.posterior(levels[:-1], levels[1:])
    assert_close(step.beta.flip(0), SCHEDULES[f"{case['id']}/betas"], 1e-10)
    assert_close(step.variance.flip(0), SCHEDULES[f"{case['id']}/posterior_variance"], 1e-10)


def test_alpha_bars_end_at_the_clean_image():
    bars = torch.tensor([0.9, 0.5, 0.1])
    assert processes.alpha_bars(bars, torch.tensor([2, 0, -1])).tolist() == pytest.approx(
        [0.1, 0.9, 1.0]
    )


@pytest.mark.parametrize("times", [[-1], [3, 1, -1], [2, 2, -1], [0, 1, -1], [2, 0]])
def test_times_that_are_no_walk_are_refused(times):
    with pytest.raises(ValueError, match="must fall strictly from below 3 to -1"):
        processes.alpha_bars(torch.tensor([0.9, 0.5, 0.1]), torch.tensor(times))


def test_x0_and_eps_are_two_views_of_one_state():
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 4, 3, 5, 5, generator=generator, dtype=torch.float64)
    bars = torch.tensor([0.9, 0.5, 0.1, 0.001], dtype=torch.float64)
    x = processes.diffuse(x0, noise, bars)
    bars = processes.per_image(bars, x)
    assert_close(processes.x0_from_eps(x, noise, bars), x0, 1e-12)
    assert_close(processes.eps_from_x0(x, x0, bars), noise, 1e-12)


@pytest.mark.parametrize("shape", [(4, 3, 8, 8), (4, 7)])
def test_coefficients_take_the_form_of_the_images(shape):
    x = torch.zeros(shape, dtype=torch.float32)
    values = processes.per_image(torch.arange(4, dtype=torch.float64), x)
    assert values.dtype == x.dtype
    assert (values + x).reshape(4, -1)[:, -1].tolist() == [0, 1, 2, 3]
    assert processes.per_image(2.0, x).shape == ()
