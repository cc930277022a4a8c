"""Samplers in phase space: recorded steps and runs, exact moments, orders, guidance, inpainting."""

import copy
import itertools

import numpy as np
import pytest
import torch
from exact import Replayed, printed, unused
from exact_phase import (
    AUGMENTED,
    MEAN,
    STORED,
    VARIANCE,
    ExactPhase,
    Tracked,
    data_covariance,
    process,
    stored,
)
from resolved import sampler as resolved
from test_configuration import TINY, plan

from uncanny.diffusion.augmented_state import apply
from uncanny.diffusion.linear_process import Process, sampling_times
from uncanny.guidance import inpainting
from uncanny.registry import components
from uncanny.runtime.random_streams import ImageStreams
from uncanny.samplers import adaptive_ode
from uncanny.samplers.phase_euler import phase_euler
from uncanny.samplers.probability_flow import probability_flow
from uncanny.samplers.sscs import sscs, transition
from uncanny.study.checks import correctors

STEPS = stored("one_step/reverse_time_and_dt")
Z, NOISE, MORE = (stored(f"one_step/{name}") for name in ("z", "noise_1", "noise_2"))
BOTH = {"em": phase_euler, "sscs": sscs}
ROWS = range(len(STEPS))


def near(result, expected, tol: float) -> None:
    excess = float(((result - expected).abs() / (1 + expected.abs())).max())
    assert excess <= tol, f"largest deviation {excess:.3g}, allowed {tol:g}"


def span(i: int) -> torch.Tensor:
    """Forward times of the recorded step i: its start and its end."""
    r, dt = STEPS[i].tolist()
    return torch.tensor([1 - r, 1 - (r + dt)], dtype=torch.float64)


def expected(key: str, name: str, i: int) -> torch.Tensor:
    return stored(f"one_step/{key}/{name}")[i]


# --- T7: single steps ----------------------------------------------------------------------------


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_scores_and_drifts(key, i):
    model, t = ExactPhase(process(key)), float(span(i)[0])
    score = model(Z, t)
    near(score, expected(key, "score_from_eps", i), 1e-9)
    eps = -apply(model.process.root(t).T, score)
    wanted = expected(key, "exact_eps", i)
    near(eps[:, -wanted.shape[1] :], wanted, 1e-9)
    near(model.process.reverse(Z, score, t), expected(key, "reverse_drift", i), 1e-9)
    near(model.process.reverse(Z, score, t, 0.5), expected(key, "probability_flow_drift", i), 1e-9)


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", [*AUGMENTED, "vp"])
def test_recorded_euler_steps(key, i):
    model = ExactPhase(process(key))
    z, noise = (v[:, : model.process.size] for v in (Z, NOISE))
    result = phase_euler(model, z, span(i), noise=Replayed(noise[None]))
    near(result, expected(key, "em_step", i), 1e-9)
    still = phase_euler(model, z, span(i), noise=lambda step, like: torch.zeros_like(like))
    near(still, expected(key, "em_step_mean", i), 1e-9)
    drift = model.process.reverse(z, model(z, float(span(i)[0])), float(span(i)[0]), 0.5)
    near(drift, expected(key, "probability_flow_drift", i), 1e-9)


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_splitting_steps(key, i):
    model, replayed = ExactPhase(process(key)), Replayed(torch.stack([NOISE, MORE]))
    result = sscs(model, Z, span(i), noise=replayed)
    near(result, expected(key, "sscs_step", i), 1e-9)
    assert replayed.asked == [0, 1]


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_half_steps(key, i):
    """A, exact over half of a step's duration."""
    recipe, duration = process(key).recipe.reversed_coupling(), 8 * STEPS[i][1] / 2
    moved, spread = transition(recipe, duration)
    mean = Z + apply(moved, Z)
    near(mean, expected(key, "sscs_A_half_mean", i), 1e-9)
    near(mean + apply(spread, NOISE), expected(key, "sscs_substep_A_half", i), 1e-9)
    covariance = (spread @ spread.T)[[0, 0, 1], [0, 1, 1]]
    near(covariance, expected(key, "sscs_A_half_cov_xx_xm_mm", i), 1e-8)  # theirs unregularised


@pytest.mark.parametrize("key", AUGMENTED)
def test_half_steps_keep_the_stationary_law(key):
    recipe = process(key).recipe.reversed_coupling()
    for duration in (1e-6, 0.004, 0.4, 4.0):
        moved, spread = transition(recipe, torch.tensor(duration).double())
        Phi = torch.eye(2, dtype=torch.float64) + moved
        near(Phi @ recipe.Sigma_inf @ Phi.T + spread @ spread.T, recipe.Sigma_inf, 2e-9)


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_pushes(key, i):
    """S applied to z: what a splitting step adds between two half-steps that stand still."""
    made, (t, after) = process(key), span(i).tolist()
    score = ExactPhase(made)(Z, t)
    back = torch.linalg.inv(made.recipe.Sigma_inf)
    push = made.rate(t) * apply(made.recipe.GGT, score + apply(back, Z))
    near(Z + (t - after) * push, expected(key, "sscs_substep_S", i), 1e-9)


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_denoising(key, i):
    """The last step is an Euler step of the SDE's drift without noise."""
    model, (t, after) = ExactPhase(process(key)), span(i).tolist()
    result = Z + (t - after) * model.process.reverse(Z, model(Z, t), t)
    near(result, expected(key, "denoise_em", i), 1e-9)
    end = phase_euler(model, Z, torch.tensor([t, 0.0], dtype=torch.float64), noise=unused)
    near(end, Z + t * model.process.reverse(Z, model(Z, t), t), 1e-12)
    half = phase_euler(
        model, Z, torch.tensor([t, 0.0], dtype=torch.float64), noise=unused, denoise_drift="ode"
    )
    near(half, Z + t * model.process.reverse(Z, model(Z, t), t, 0.5), 1e-12)


class Softmax:
    """A linear classifier of the state, whatever the time."""

    weight, bias = stored("one_step/clf_weight"), stored("one_step/clf_bias")

    def gradient(self, z, t, labels):
        share = torch.softmax(z.flatten(1) @ self.weight.T + self.bias, dim=1)
        return (self.weight[labels] - share @ self.weight).reshape(z.shape)


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_guided_steps(key, i):
    labels = stored("one_step/clf_labels")
    result = phase_euler(
        ExactPhase(process(key)), Z, span(i), noise=Replayed(NOISE[None]),
        gradient=lambda z, t: 5 * Softmax().gradient(z, t, labels),
    )  # fmt: skip
    near(result, expected(key, "classifier_guided_em_step", i), 1e-9)


@pytest.mark.parametrize("i", ROWS)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_inpainting_steps(key, i):
    """The recorded code noises the known pixels to the time at which the step begins."""
    model, (t, after) = ExactPhase(process(key)), span(i).tolist()
    known, x0 = stored("one_step/inpaint_mask_1_is_known") > 0, stored("one_step/inpaint_x0")
    held = inpainting.Inpainted(
        model, torch.tensor([t, after, 0.0]), x0, known, Replayed(MORE[None]), legacy_time=True
    )
    free = phase_euler(model, Z, span(i), noise=Replayed(NOISE[None]))
    near(held.constrain(free, after, t), expected(key, "inpaint_em_step", i), 1e-9)
    last = inpainting.Inpainted(model, span(i), x0, known, unused, paste=False)
    still = phase_euler(model, Z, span(i), noise=lambda step, like: torch.zeros_like(like))
    near(last.constrain(still, 0.0, t) if after == 0 else _mean(last, still, t), expected(key, "inpaint_em_step_mean", i), 1e-9)  # fmt: skip


def _mean(held, z, t):
    """The known pixels' means at the start of the step, as recorded."""
    held.last = 0.0
    return held.constrain(z, 0.0, t)


# --- T8: whole runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("nfe", [10, 50])
@pytest.mark.parametrize("grid", ["uniform", "quadratic"])
@pytest.mark.parametrize("sampler", BOTH)
@pytest.mark.parametrize("key", [*AUGMENTED, "vp"])
def test_recorded_runs(key, sampler, grid, nfe):
    """To 2e-5: the recorded code rounds its last time and step to single precision."""
    name = f"runs/{key}/{sampler}_{grid}_nfe{nfe}_final"
    if name not in STORED:
        assert (key, sampler) == ("vp", "sscs")
        return
    model, size = ExactPhase(process(key)), process(key).size
    noise = Replayed(stored(f"runs/noises_n{nfe}")[:, :, :size])
    result = BOTH[sampler](
        model, stored("runs/z_T")[:, :size], sampling_times(nfe, grid), noise=noise
    )
    near(result, stored(name), 2e-5)
    assert model.calls == nfe
    assert noise.asked == list(range((nfe - 1) * (1 + (sampler == "sscs"))))


# --- Exact moments -------------------------------------------------------------------------------


def output(key, sampler, times, start="prior", data=None, **options):
    """Exact mean [d] and covariance [d, d] of what a sampler draws, and of what it should."""
    made, data = process(key), data or {}
    draws = 2 * (len(times) - 1)
    tracked = Tracked(made, draws)
    model = ExactPhase(made, where=tracked.where, **data)
    begin = (
        model.moments(times[0]) if start == "exact" else (0 * model.start, made.recipe.Sigma_inf)
    )
    z = sampler(model, tracked.begin(*begin), times, noise=tracked.noise, **options)
    return *tracked.moments(z), *model.moments(times[-1])


def w2(mean, covariance) -> float:
    """Wasserstein distance of the position's law from that of the data."""
    return float(((mean[0] - MEAN) ** 2 + (covariance[0, 0].sqrt() - VARIANCE**0.5) ** 2).sqrt())


TABLE = """
vp EM-U .0912 .0206 .0089 .0041 .0015 .0003
cld_gamma0 EM-U 1.247 .1141 .0313 .0125 .0045 .0011
psld_gamma0.01 EM-U 1.246 .1148 .0317 .0126 .0045 .0011
cld_gamma0 EM-Q .2027 .0381 .0164 .0077 .0030 .0007
psld_gamma0.01 EM-Q .2002 .0380 .0164 .0077 .0029 .0007
cld_gamma0 SSCS-U .1559 .0498 .0244 .0120 .0047 .0012
psld_gamma0.01 SSCS-U .1490 .0479 .0235 .0116 .0046 .0012
cld_gamma0 SSCS-Q .0379 .0185 .0097 .0049 .0020 .0005
psld_gamma0.01 SSCS-Q .0353 .0175 .0092 .0047 .0020 .0005
psld_gamma0.25 SSCS-Q .0059 .0035 .0031 .0026 .0022 .0020
"""
GRIDS = {"U": "uniform", "Q": "quadratic"}
NAMES = {"EM": phase_euler, "SSCS": sscs}


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_the_table_of_distances(row):
    """Spec, section 10: distance to N(0.3, 0.25) by evaluations, from the prior, denoised."""
    key, name, *numbers = row.split()
    sampler, grid = name.split("-")
    for nfe, number in zip((10, 25, 50, 100, 250, 1000), numbers, strict=True):
        mean, covariance, *_ = output(key, NAMES[sampler], sampling_times(nfe, GRIDS[grid]))
        assert w2(mean, covariance) == printed(number), f"{nfe} evaluations"


@pytest.mark.parametrize(
    ("key", "sampler", "grid"),
    [
        (key, sampler, grid)
        for key in ("vp", *AUGMENTED, "psld_gamma0.02")
        for sampler in BOTH
        for grid in GRIDS.values()
        if (key, sampler) != ("vp", "sscs")
    ],
)
def test_moments_after_few_evaluations(key, sampler, grid):
    name = f"w2/{key}/{sampler}_{grid}"
    for k, nfe in enumerate(stored("w2/nfe").tolist()[:4]):
        mean, covariance, *_ = output(key, BOTH[sampler], sampling_times(nfe, grid))
        assert w2(mean, covariance) == pytest.approx(float(stored(f"{name}/w2_position")[k]), abs=1e-8)  # fmt: skip
        if key != "vp":
            near(mean, stored(f"{name}/mean")[k], 1e-8)
            near(covariance, stored(f"{name}/cov")[k], 1e-8)


@pytest.mark.parametrize("grid", GRIDS.values())
@pytest.mark.parametrize("sampler", BOTH)
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_moments(key, sampler, grid):
    """From the true law at t = 1, and from the prior with denoising (to 2e-5, as whole runs)."""
    name = f"moments/{key}/{sampler}_{grid}"
    for k, n in enumerate(stored("moments/n_steps").tolist()[:3]):
        times = sampling_times(n, grid, denoise=False)
        mean, covariance, *target = output(key, BOTH[sampler], times, start="exact")
        near(mean, stored(f"{name}/exact_init_no_denoise_mean")[k], 1e-8)
        near(covariance, stored(f"{name}/exact_init_no_denoise_cov")[k], 1e-8)
        near(target[0], stored(f"moments/{key}/target_mean_at_eps"), 1e-9)
        near(target[1], stored(f"moments/{key}/target_cov_at_eps"), 1e-8)
    mean, covariance, *_ = output(key, BOTH[sampler], sampling_times(25, grid))
    near(mean, stored(f"{name}/prior_init_denoised_mean_nfe25_50_100")[0], 2e-5)
    near(covariance, stored(f"{name}/prior_init_denoised_cov_nfe25_50_100")[0], 2e-5)


# --- T9: orders ----------------------------------------------------------------------------------


def orders(key, sampler, grid, counts=(100, 200, 400), **options) -> list[float]:
    """Slopes of the errors of mean and variance of the position over numbers of steps."""
    errors = []
    for n in counts:
        times = sampling_times(n, grid, denoise=False)
        mean, covariance, mu, Sigma = output(key, sampler, times, start="exact", **options)
        errors.append([abs(float(mean[0] - mu[0])), abs(float((covariance - Sigma)[0, 0]))])
    table = np.log2(np.array(errors))
    return ((table[0] - table[2]) / 2).tolist()


@pytest.mark.parametrize("grid", GRIDS.values())
@pytest.mark.parametrize("sampler", BOTH)
@pytest.mark.parametrize("key", AUGMENTED)
def test_euler_and_published_splitting_are_of_first_order(key, sampler, grid):
    for order in orders(key, BOTH[sampler], grid):
        assert 0.88 <= order <= 1.13


@pytest.mark.parametrize("grid", GRIDS.values())
@pytest.mark.parametrize("key", AUGMENTED)
def test_splitting_of_second_order(key, grid):
    for order in orders(key, sscs, grid, (50, 100, 200), order=2):
        assert order >= 1.8


def test_splitting_of_second_order_where_the_speed_changes():
    for order in orders(
        "psld_gamma0.01_nu4.01_betalin0.1to20", sscs, "quadratic", (50, 100, 200), order=2
    ):
        assert order >= 1.8


# --- T10: exactness ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("key", [*AUGMENTED, "psld_gamma0.01_nu4.01_betalin0.1to20"])
def test_splitting_draws_stationary_data_exactly_at_any_step(key, order):
    made = process(key, kappa=1.0)
    times = sampling_times(10, "uniform", denoise=False)
    tracked = Tracked(made, 20)
    model = ExactPhase(made, 0.0, 1.0, where=tracked.where)
    begin = tracked.begin(model.start, made.recipe.Sigma_inf)
    z = sscs(model, begin, times, noise=tracked.noise, order=order)
    mean, covariance = tracked.moments(z)
    near(mean, 0 * mean, 1e-12)
    near(covariance, made.recipe.Sigma_inf, 1e-7)  # 20 half-steps add 1e-9 each
    euler = phase_euler(model, begin, times, noise=tracked.noise)
    missed = float((tracked.moments(euler)[1] - made.recipe.Sigma_inf).abs().max())
    assert missed > (0.5 if made.beta_1 is None else 0.01)


# --- T11: probability flow -----------------------------------------------------------------------


def as_one(z: torch.Tensor) -> torch.Tensor:
    """The pixels of all images of a batch as one image [1, 2, ...]: one vector to a solver."""
    return z.transpose(0, 1)[None].flatten(2, 2)


def as_batch(z: torch.Tensor) -> torch.Tensor:
    return z[0].transpose(0, 1)


@pytest.mark.parametrize("tol", [2, 3, 4, 5])
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_probability_flows(key, tol):
    """SciPy on the batch as one vector: the same steps, hence the same numbers."""
    made, name = process(key), f"flow/{key}/rk45_tol1e-{tol}"
    z, options = as_one(stored("flow/z_T")), {"noise": unused, "tol": 10.0**-tol}
    model = ExactPhase(made)
    result = probability_flow(model, z, sampling_times(None, "ends", denoise=False), **options)
    near(as_batch(result), stored(f"{name}_no_denoise"), 1e-6)
    model = ExactPhase(made)
    result = probability_flow(model, z, sampling_times(None, "ends"), **options)
    near(as_batch(result), stored(f"{name}_denoised"), 2e-5)
    assert model.calls == int(stored(f"{name}_nfe"))


@pytest.mark.parametrize("key", AUGMENTED)
def test_flows_of_single_images_come_nearer_with_the_tolerance(key):
    made, ends, errors = process(key), sampling_times(None, "ends", denoise=False), []
    z, exact = stored("flow/z_T"), stored(f"flow/{key}/exact_flow_no_denoise")
    for tol in (2, 3, 4, 5, 8):
        counted = Rows(ExactPhase(made))
        result = probability_flow(counted, z, ends, noise=unused, tol=10.0**-tol)
        errors.append(float((result - exact).abs().max()))
        if tol < 8:
            together = int(stored(f"flow/{key}/rk45_tol1e-{tol}_nfe")) - 1
            assert counted.rows / len(z) == pytest.approx(together, rel=0.1)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6


class Rows:
    """A model, and how many states it was shown."""

    def __init__(self, model):
        self.model, self.process, self.rows = model, model.process, 0

    def __call__(self, z, t, **more):
        self.rows += len(z)
        return self.model(z, t, **more)


def test_a_flow_does_not_hang_on_its_batch():
    model, ends = ExactPhase(process("psld_gamma0.01")), sampling_times(None, "ends")
    z = stored("flow/z_T") * torch.tensor([1.0, 5.0, 0.1]).reshape(-1, 1, 1, 1)
    together = probability_flow(model, z, ends, noise=unused, tol=0.001)
    apart = [probability_flow(model, one[None], ends, noise=unused, tol=0.001)[0] for one in z]
    near(together, torch.stack(apart), 1e-12)


def test_flows_of_vp_follow_theirs():
    """Of Gaussian data the flow keeps each point's place within the law."""
    made = process("vp")
    model, z = ExactPhase(made), stored("flow/z_T")[:, :1]
    ends = sampling_times(None, "ends", denoise=False)
    result = probability_flow(model, z, ends, noise=unused, tol=1e-9)
    (m1, S1), (m0, S0) = model.moments(1.0), model.moments(0.001)
    near(result, m0[0] + (z - m1[0]) * (S0[0, 0] / S1[0, 0]).sqrt(), 1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tol": 1e-15}, "tol=1e-15: expected a tolerance above rounding"),
        ({"tol": 1e-6, "max_nfe": 50}, "tol=1e-06: not reached within 50 evaluations, at r = .* larger tol"),
    ],
)  # fmt: skip
def test_tolerances_that_cannot_be_reached(options, message):
    model, z = ExactPhase(process("cld_gamma0")), stored("flow/z_T")
    with pytest.raises(adaptive_ode.NotReached, match=message):
        probability_flow(model, z, sampling_times(None, "ends"), noise=unused, **options)


def test_a_score_that_is_too_rough_for_the_tolerance():
    class Rough(ExactPhase):
        def __call__(self, z, t, rows=None):
            return 1e9 * torch.sign(torch.sin(1e12 * z))

    with pytest.raises(adaptive_ode.NotReached, match="not reached"):
        probability_flow(Rough(process("cld_gamma0")), Z, sampling_times(None, "ends"), noise=unused, tol=1e-9)  # fmt: skip


def test_states_that_are_not_finite_come_back_as_such():
    class Broken(ExactPhase):
        def __call__(self, z, t, rows=None):
            score = super().__call__(z, t)
            rows = range(len(z)) if rows is None else rows.tolist()
            score[[k for k, row in enumerate(rows) if row == 1]] = torch.nan
            return score

    result = probability_flow(Broken(process("cld_gamma0")), Z, sampling_times(None, "ends", denoise=False), noise=unused)  # fmt: skip
    assert torch.isfinite(result).flatten(1).all(dim=1).tolist() == [True, False, True]


def test_a_flow_is_given_no_grid():
    model = ExactPhase(process("cld_gamma0"))
    with pytest.raises(
        ValueError, match="chooses its own steps, and was given 9; expected times: ends"
    ):
        probability_flow(model, Z, sampling_times(10, "uniform"), noise=unused)


# --- T12: guidance -------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("key", ["psld_gamma0.01", "vp"])
def test_guided_scores_are_those_of_the_posterior(key, t):
    """y = a . z_0 + noise: p(y | z_t) is normal in z_t, and score + gradient that of p(z_t | y)."""
    made = process(key)
    model, size = ExactPhase(made), made.size
    mean, S = model.moments(t)
    Phi, S0 = made.flow(t), data_covariance(made)
    a, variance, y = torch.ones(size).double(), 0.3, 0.9
    # joint law of (z_t, y) for one pixel
    cross = Phi @ S0 @ a
    total = a @ S0 @ a + variance
    K = torch.linalg.solve(S, cross)
    left = total - cross @ K
    z = Z[:, :size]
    blocks = z.flatten(2).transpose(1, 2)  # [N, pixels, d]
    prediction = a @ model.start + (blocks - mean) @ K
    gradient = ((y - prediction) / left)[..., None] * K
    guided = model(z, t) + gradient.transpose(1, 2).reshape(z.shape)
    posterior_mean = mean + cross / total * (y - a @ model.start)
    posterior = S - torch.outer(cross, cross) / total
    shape = [1, size, 1, 1]
    expected = -apply(torch.linalg.inv(posterior), z - posterior_mean.reshape(shape))
    near(guided, expected, 1e-10)


def test_guidance_acts_in_all_samplers_that_take_it():
    made, seen = process("psld_gamma0.01"), []

    def gradient(z, t):
        seen.append(t)
        return torch.ones_like(z)

    times = sampling_times(5, "uniform")
    for sampler in BOTH.values():
        streams = [ImageStreams([1, 2, 3]).noise for _ in range(2)]
        free, bent = (
            sampler(ExactPhase(made), Z, times, noise=noise, gradient=g)
            for noise, g in zip(streams, (None, gradient), strict=True)
        )
        assert float((bent - free).abs().min()) > 1e-3
        assert seen == times[:-1].tolist()  # forward time, and in the step that denoises too
        seen.clear()


# --- T13: inpainting -----------------------------------------------------------------------------


def inpainted(mask, sampler=phase_euler, **options):
    made = process("psld_gamma0.01")
    model, times = ExactPhase(made), sampling_times(20, "quadratic")
    x0 = stored("one_step/inpaint_x0")
    streams = [ImageStreams([seed, seed + 10, seed + 20]).noise for seed in (1, 2)]
    held = inpainting.Inpainted(model, times, x0, mask.expand(x0.shape), streams[0], **options)
    z = sampler(held, Z, times, noise=streams[1], **held.arguments)
    return z, x0, model, times


ALL = torch.ones(1, 1, 2, 2, dtype=torch.bool)


@pytest.mark.parametrize("sampler", BOTH.values())
@pytest.mark.parametrize("legacy_time", [True, False])
def test_a_mask_of_ones_gives_the_image_back(sampler, legacy_time):
    z, x0, *_ = inpainted(ALL, sampler, legacy_time=legacy_time)
    assert torch.equal(z[:, :1], x0)


def test_known_pixels_end_as_their_mean_unless_they_are_pasted():
    z, x0, *_ = inpainted(ALL, paste=False)
    assert not torch.equal(z[:, :1], x0)
    assert float(((z[:, :1] - x0) / x0).abs().max()) < 1e-4


@pytest.mark.parametrize("sampler", BOTH.values())
def test_a_mask_of_zeros_changes_nothing(sampler):
    z, _, model, times = inpainted(~ALL, sampler)
    noise = ImageStreams([2, 12, 22]).noise
    assert torch.equal(z, sampler(model, Z, times, noise=noise))


def test_what_is_unknown_follows_what_is_known():
    """Pixels are independent here: the unknown ones are drawn as without the others."""
    half = torch.tensor([[[[True, False], [True, False]]]])
    z, x0, *_ = inpainted(half)
    free, *_ = inpainted(~ALL)
    assert torch.equal(z[..., 0][:, :1], x0[..., 0])
    near(z[..., 1], free[..., 1], 1e-12)


def test_known_pixels_are_noised_to_the_time_the_state_is_at():
    made, times = process("psld_gamma0.01"), torch.tensor([1.0, 0.5, 0.001, 0.0])
    x0 = stored("one_step/inpaint_x0")
    for legacy_time, at in ((False, 0.5), (True, 1.0)):
        held = inpainting.Inpainted(ExactPhase(made), times, x0, ALL.expand(x0.shape), Replayed(MORE[None]), legacy_time=legacy_time)  # fmt: skip
        result = held.constrain(Z, 0.5, 1.0)
        near(result, made.perturb(x0, torch.tensor(at).double(), MORE), 1e-12)


def test_a_mask_of_another_shape_is_refused():
    model, x0 = ExactPhase(process("cld_gamma0")), stored("one_step/inpaint_x0")
    with pytest.raises(ValueError, match=r"mask of shape \(3, 1, 2, 3\): expected \(3, 1, 2, 2\)"):
        inpainting.Inpainted(model, torch.ones(2), x0, torch.ones(3, 1, 2, 3) > 0, unused)


@pytest.mark.parametrize(("kind", "known"), [("centre", 0.75), ("right", 0.5), ("digit", None)])
def test_masks_are_functions_of_the_seed(kind, known):
    shape = (3, 16, 16)
    result = inpainting.masks(kind, [5, 6, 7], shape)
    assert result.shape == (3, *shape)
    assert result.dtype == torch.bool
    assert torch.equal(result[1], inpainting.masks(kind, [6], shape)[0])
    assert torch.equal(result[:, 0], result[:, 2])
    share = float(result.double().mean())
    assert share == known if known else 0.5 < share < 0.95
    if kind == "digit":
        assert not torch.equal(result[0], result[1])
        assert torch.equal(result[0], result[0][:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2))  # fmt: skip


def test_masks_of_vectors():
    assert inpainting.masks("right", [0], (4,)).tolist() == [[True, True, False, False]]
    with pytest.raises(ValueError, match=r"mask digit for shape \(4,\): expected images"):
        inpainting.masks("digit", [0], (4,))


# --- Corrector -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", BOTH.values())
def test_the_corrector_costs_one_evaluation_and_keeps_the_law(sampler):
    made, draws = process("psld_gamma0.25"), torch.Generator().manual_seed(0)
    model, times = ExactPhase(made), sampling_times(60, "quadratic", denoise=False)
    z = made.prior(torch.randn(4, 2, 60, 60, generator=draws, dtype=torch.float64))
    noise = ImageStreams(range(4)).noise
    result = sampler(model, z, times, noise=noise, corrector="langevin_phase", snr=0.1)
    assert model.calls == 2 * 60
    assert float(result[:, 0].mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(result[:, 0].std()) == pytest.approx(VARIANCE**0.5, rel=0.03)


def test_the_corrector_pushes_by_its_signal_to_noise_ratio():
    from uncanny.samplers.phase_steps import langevin

    model = ExactPhase(process("psld_gamma0.25"))
    correct = langevin(model, lambda like: NOISE, None, "langevin_phase", 0.2)
    moved = correct(Z, 0.3) - Z
    law = model.process.recipe.Sigma_inf
    push, added = apply(law, model(Z, 0.3)), apply(torch.linalg.cholesky(law), NOISE)
    for k in range(3):
        d = 2 * (0.2 * added[k].norm() / push[k].norm()) ** 2
        near(moved[k], d * push[k] + (2 * d).sqrt() * added[k], 1e-12)
        assert float(d * push[k].norm() / ((2 * d).sqrt() * added[k].norm())) == pytest.approx(0.2)


@pytest.mark.parametrize("sampler", BOTH.values())
def test_a_corrector_without_the_score_of_the_position_is_refused(sampler):
    model = ExactPhase(process("cld_gamma0"))
    with pytest.raises(ValueError, match="corrector langevin_phase: a model in mode score_m knows"):
        sampler(model, Z, sampling_times(5, "uniform"), noise=unused, corrector="langevin_phase")
    upper = ExactPhase(process("cld_gamma0", factor="upper"))
    with pytest.raises(ValueError, match="snr=0: expected a positive"):
        sampler(
            upper,
            Z,
            sampling_times(5, "uniform"),
            noise=unused,
            corrector="langevin_phase",
            snr=0.0,
        )


RECIPES = [
    {"kind": "vp"}, {"kind": "cld"}, {"kind": "position_noise"}, {"kind": "psld"},
    {"kind": "psld", "gamma": 0.0}, {"kind": "psld", "gamma": 4.0, "nu": 0.0},
    {"kind": "matrices", "D": [[0.05, 0.02], [0.02, 0.5]], "Q": [[0.0, -0.5], [0.5, 0.0]], "Sigma_inf": [[1.0, 0.0], [0.0, 0.25]]},
    {"kind": "matrices", "D": [[0.0, 0.0], [0.0, 0.5]], "Q": [[0.0, -0.5], [0.5, 0.0]], "Sigma_inf": [[1.0, 0.0], [0.0, 0.25]]},
]  # fmt: skip


@pytest.mark.parametrize("factor", ["lower", "upper"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_models_that_know_one_score_are_known_from_the_config(recipe, factor):
    options = {name: value for name, value in recipe.items() if name != "kind"}
    made = components.load("recipes", recipe["kind"])(**options)
    predicted = Process(made, factor=factor).predicted
    block = recipe | components.resolve("recipes", recipe["kind"], options, "recipe")
    knows_one = correctors.knows_one_score({"recipe": block, "factor": factor})
    assert knows_one == (len(predicted) < len(made.D))


def test_a_corrector_without_a_score_is_refused_when_the_config_is_read():
    config = copy.deepcopy(TINY)
    config["processes"]["cld"] = {"kind": "phase_space", "recipe": "cld"}
    names = {"dataset": "digits", "process": "cld", "network": "unet", "training": "adam"}
    config["models"]["cld"] = {"identity": names}
    config["samplers"]["EM"] = {
        "kind": "phase_euler",
        "num_steps": 5,
        "corrector": "langevin_phase",
    }
    config["figures"]["figure_1"]["panels"] = [{"models": ["cld"], "samplers": ["EM"]}]
    message = r"samplers\.EM\.corrector: 'langevin_phase' for model 'cld', which knows the score of"
    with pytest.raises(ValueError, match=message):
        plan(config)


# --- What all have in common ---------------------------------------------------------------------


@pytest.mark.parametrize(("sampler", "order"), [(phase_euler, None), (sscs, 1), (sscs, 2)])
def test_evaluations(sampler, order):
    from uncanny.samplers import nfe as evaluations

    model = ExactPhase(process("psld_gamma0.01"))
    options = {} if order is None else {"order": order}
    for denoise, corrector in itertools.product((True, False), ("none", "langevin_phase")):
        model.calls = 0
        times = sampling_times(12, "uniform", denoise=denoise)
        sampler(
            model, Z, times, noise=ImageStreams([1, 2, 3]).noise, corrector=corrector, **options
        )
        block = resolved(
            "phase_space",
            {"kind": sampler.__name__, "num_steps": 12, "denoise": denoise, "corrector": corrector}
            | options,
        )
        assert model.calls == evaluations.nfe(block, {})


@pytest.mark.parametrize(
    "times", [[1.0], [0.5, 0.5, 0.0], [1.0, -0.1], [2.0, 1.0, 0.0], [0.0, 0.5, 1.0]]
)
@pytest.mark.parametrize("sampler", BOTH.values())
def test_times_must_fall(sampler, times):
    with pytest.raises(ValueError, match=r"times must fall strictly within \[0, 1\]"):
        sampler(ExactPhase(process("vp")), Z[:, :1], torch.tensor(times), noise=unused)


@pytest.mark.parametrize("sampler", BOTH.values())
def test_an_image_is_a_function_of_its_stream(sampler):
    model, times = ExactPhase(process("psld_gamma0.01")), sampling_times(8, "quadratic")
    together = sampler(model, Z, times, noise=ImageStreams([7, 8, 9]).noise)
    alone = sampler(model, Z[1:2], times, noise=ImageStreams([8]).noise)
    near(together[1:2], alone, 1e-12)
    assert together.dtype == torch.float64
