"""Tests of all samplers: recorded runs, exact output variances, order, cost, independence."""

import itertools
import math

import pytest
import torch
from exact import (
    Counted,
    EpsModel,
    Gaussian,
    Mixture,
    Replayed,
    Sources,
    arrays,
    assert_close,
    cases,
    printed,
    std_of,
    tensor,
    unused,
)

from uncanny.diffusion import schedules, sigma_grids
from uncanny.diffusion.forward import Path
from uncanny.runtime.random_streams import ImageStreams
from uncanny.samplers.ancestral import ancestral
from uncanny.samplers.annealed_langevin import annealed_langevin
from uncanny.samplers.ddim import ddim
from uncanny.samplers.euler import euler
from uncanny.samplers.heun import heun
from uncanny.samplers.song_euler import song_euler

STORED = arrays("samplers")
LATENTS = tensor(STORED["latents"])
LABELS = tensor(STORED["labels"])
GRIDS = {"edm": "polynomial", "vp": "vp", "ve": "ve", "iddpm": "iddpm"}
SOLVERS = {"euler": euler, "heun": heun}
CHURN = ("S_churn", "S_tmin", "S_tmax", "S_noise")
STOC_VP = dict(zip(CHURN, (30, 0.01, 1, 1.007), strict=True))
STOC_VE = dict(zip(CHURN, (80, 0.05, 1, 1.007), strict=True))
STOI = dict(zip(CHURN, (40, 0.05, 50, 1.003), strict=True))

VP, VE = (0.0010005, 152.16697), (0.02, 100.0)  # noise levels that the networks support
ANY = (0.0, math.inf)

SCHEDULES = {
    "lin025": schedules.linear(1000, scale=0.25),
    "lin050": schedules.linear(1000, scale=0.5),
    "lin075": schedules.linear(1000, scale=0.75),
    "lin100": schedules.linear(1000),
    "cosine": schedules.cosine(1000),
    "sigmoid": schedules.sigmoid(1000),
}


def setting(disc: str, time: str, scaling: str, num_steps: int, supported=ANY):
    """Grid of noise levels and path of the general ODE sampler."""
    kind = GRIDS[disc]
    ends = sigma_grids.sigma_range(kind, supported)
    return getattr(sigma_grids, kind)(num_steps, *ends), Path.named(time, scaling, *ends)


def recorded(case: dict):
    """Noise of a recorded run, or noise that must not be asked for."""
    key = f"{case['id']}/noise"
    return Replayed(STORED[key]) if key in STORED else unused


def churn_of(case: dict) -> dict:
    names = {"S_churn": "S_churn", "S_min": "S_tmin", "S_max": "S_tmax", "S_noise": "S_noise"}
    return {new: case[old] for old, new in names.items() if old in case}


def mixture(case: dict) -> Mixture:
    return Mixture(STORED, "gmm_a", LABELS[:2] if case.get("labels") else None)


def named(case: dict) -> str:
    return case["id"]


# --- Recorded runs of the reference programs -----------------------------------------------------


@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.5, 3, 40])
@pytest.mark.parametrize("name", ["D_a", "D_a_cls", "D_b"])
def test_exact_denoiser_of_the_mixture(name, sigma):
    prefix = "gmm_b" if name == "D_b" else "gmm_a"
    model = Mixture(STORED, prefix, LABELS[:2] if name == "D_a_cls" else None)
    result = model(tensor(STORED["denoiser_check/x"]), torch.tensor(sigma, dtype=torch.float64))
    assert_close(result, STORED[f"denoiser_check/{name}_sigma{sigma}"], 1e-12)


@pytest.mark.parametrize("case", cases("samplers", "edm/ablation"), ids=named)
def test_general_ode_sampler(case):
    table = tensor(STORED["iddpm_u"])
    rounds = case.get("net_round_to_u")
    supported = (float(table[999]), float(table[0])) if rounds else case.get("net_limits", ANY)
    options = case["discretization"], case["schedule"], case["scaling"], case["num_steps"]
    sigmas, path = setting(*options, supported)
    if rounds:  # the network knows these noise levels only
        nearest = table[(sigmas[:-1, None] - table).abs().argmin(dim=1)]
        sigmas = torch.cat([nearest, torch.zeros(1)])
    denoiser, noise = Counted(mixture(case)), recorded(case)
    more = churn_of(case) | ({"alpha": case["alpha"]} if "alpha" in case else {})
    sampler = SOLVERS[case["solver"]]
    x = sampler(denoiser, LATENTS[:2], sigmas, noise=noise, path=path, **more)
    assert x.dtype == torch.float64
    assert_close(x, STORED[f"{case['id']}/x"], case["tol"])
    assert len(denoiser.seen) == case["nfe"]
    if f"{case['id']}/net_sigmas" in STORED:
        assert_close(denoiser.seen, STORED[f"{case['id']}/net_sigmas"], 1e-9)


@pytest.mark.parametrize("case", cases("samplers", "edm/edm_sampler"), ids=named)
def test_edm_sampler(case):
    sigmas = sigma_grids.polynomial(case["num_steps"], 0.002, 80.0)
    denoiser, noise = Counted(mixture(case)), recorded(case)
    x = heun(denoiser, LATENTS[:2], sigmas, noise=noise, **churn_of(case))
    assert_close(x, STORED[f"{case['id']}/x"], case["tol"])
    assert len(denoiser.seen) == case["nfe"]
    if noise is not unused:
        inside = (sigmas[:-1] >= case["S_min"]) & (sigmas[:-1] <= case["S_max"])
        assert noise.asked == inside.nonzero().flatten().tolist()


def classifier_gradient(model: EpsModel, scale: float):
    """scale * gradient of log softmax(sqrt(alpha_bar) W x + b)[y], by hand."""
    W, b = tensor(STORED["classifier/W"]), tensor(STORED["classifier/b"])
    chosen = W[tensor(STORED["classifier/y"])]

    def gradient(x, t):
        signal = model.alphas_cumprod[t].sqrt()
        share = torch.softmax(signal * x.flatten(1) @ W.T + b, dim=1)
        return (scale * signal * (chosen[: len(x)] - share @ W)).reshape(x.shape)

    return gradient


def respaced(rule: str, T: int = 1000) -> torch.Tensor:
    """Times of guided-diffusion: "50" spreads 50, "ddim50" strides by 20 from 0."""
    if not rule.startswith("ddim"):
        return schedules.ancestral_times(T, int(rule))
    stride = T // int(rule[4:])
    return torch.tensor([*range(T - stride, -1, -stride), -1])


@pytest.mark.parametrize("case", cases("samplers", "diffusion"), ids=named)
def test_discrete_samplers(case):
    betas = {"linear": schedules.linear, "cosine": schedules.cosine}[case["schedule"]](1000)
    model = EpsModel(mixture(case), betas)
    counted, scale = Counted(model), case.get("guidance_scale")
    options = {
        "gradient": classifier_gradient(model, scale) if scale else None,
        "clip": case["clip_denoised"],
        "noise": recorded(case),
    }
    sampler = {"ddpm": ancestral, "ddim": ddim}[case["sampler"]]
    own = {"variance": case["variance"]} if sampler is ancestral else {"eta": case["eta"]}
    expected = STORED[f"{case['id']}/x"]
    latents = LATENTS[: len(expected)]
    x = sampler(counted, latents, respaced(case["respacing"]), **options, **own)
    assert x.dtype == torch.float64
    assert_close(x, expected, case["tol"])
    assert counted.seen == STORED[f"{case['id']}/model_timesteps"].tolist()


@pytest.mark.parametrize("case", cases("samplers", "ddim_repo"), ids=named)
def test_loops_of_the_ddim_repository(case):
    model = EpsModel(mixture(case), schedules.linear(1000))
    times = torch.tensor([*STORED[f"{case['id']}/seq"].tolist()[::-1], -1])
    if case["loop"] == "generalized_steps":
        sampler, options = ddim, {"eta": case["eta"]}
    else:
        sampler, options = ancestral, {"variance": "large"}
    options |= {"clip": case["clip_denoised"], "noise": recorded(case)}
    x = sampler(model, LATENTS[:2], times, **options)
    assert_close(x, STORED[f"{case['id']}/x"], case["tol"])


@pytest.mark.parametrize("case", cases("samplers", "ald"), ids=named)
def test_annealed_langevin(case):
    ends = {"sigma_begin": case["sigma_begin"], "sigma_end": case["sigma_end"]}
    sigmas = schedules.geometric(case["num_classes"], **ends)
    score = Counted(Mixture(STORED, "gmm_b").score)
    x = annealed_langevin(
        score,
        tensor(STORED[f"{case['id']}/x_init"]),
        sigmas,
        noise=recorded(case),
        steps_per_level=case["n_steps_each"],
        step_size=case["step_lr"],
        denoise=case["denoise"],
    )
    assert_close(x, STORED[f"{case['id']}/x"], case["tol"])
    assert len(score.seen) == case["nfe"]


def song_setting(sde: str, num_steps: int, low: float, high: float, epsilon: float):
    """Grid and path of Song's Euler sampler; low and high are sigmas (ve) or betas (vp)."""
    if sde == "ve":
        path = Path.named("geometric", "none", low, high)
        return sigma_grids.ve(num_steps, low, high, epsilon_s=epsilon), path
    clock = Path.named("vp", "vp", *sigma_grids.sigma_range("vp")).time
    assert (clock.beta_min, clock.beta_min + clock.beta_d) == pytest.approx((low, high))
    ends = sigma_grids.sigma_range("vp", epsilon_s=epsilon)
    return sigma_grids.vp(num_steps, *ends, epsilon_s=epsilon), Path(clock, "vp")


@pytest.mark.parametrize("case", cases("samplers", "sde"), ids=named)
def test_song_euler_as_euler_maruyama(case):
    sigmas, path = song_setting(case["sde"], case["N"], *case["sde_params"], case["eps"])
    model = Mixture(STORED, {"vp": "gmm_a", "ve": "gmm_b"}[case["sde"]])
    start, noise = tensor(STORED[f"{case['id']}/prior_noise"]), recorded(case)
    x = song_euler(model, start, sigmas, noise=noise, path=path, stochastic=True)
    assert_close(x, STORED[f"{case['id']}/x"], case["tol"])
    assert noise.asked == list(range(case["N"] - 1))


# --- Exact standard deviation of the output for Gaussian data of standard deviation 1/2 ----------

DETERMINISTIC = """
heun  edm linear none 18   any 0.527625
heun  edm linear none 18   ve  0.521172
heun  edm linear none 40   any 0.504877
euler edm linear none 18   any 0.423031
euler edm linear none 36   any 0.460996
euler vp  vp     vp   512  vp  0.499548
euler vp  vp     vp   512  ve  0.499779
euler ve  ve     none 512  ve  0.520392
euler ve  ve     none 1024 ve  0.510081
heun  edm vp     vp   128  vp  0.500075
heun  vp  vp     vp   128  vp  0.50007523
heun  edm ve     none 128  ve  0.496654
heun  ve  ve     none 128  ve  0.494649
""".strip().splitlines()

# Discretisation error of Euler steps in the variance against that of the VP clock, VE network
SWEEP = """
euler ve  ve none 16 1.831 32 0.959 64 0.691 128 0.587 256 0.542 512 0.520 1024 0.510 2048 0.505
euler vp  vp vp 16 0.4965 32 0.4973 64 0.4985 128 0.4992 256 0.4996 512 0.4998 1024 0.4999
heun  edm ve none 16 0.249 32 0.440 64 0.486 128 0.4967 256 0.4992 512 0.4998
""".strip().splitlines()


@pytest.mark.parametrize("row", DETERMINISTIC)
def test_exact_std_of_deterministic_samplers(row):
    solver, disc, time, scaling, num_steps, network, expected = row.split()
    supported = {"any": ANY, "vp": VP, "ve": VE}[network]
    sigmas, path = setting(disc, time, scaling, int(num_steps), supported)
    x = SOLVERS[solver](Gaussian(), Sources(0).start(), sigmas, noise=unused, path=path)
    assert std_of(x) == printed(expected)


@pytest.mark.parametrize("row", SWEEP)
def test_exact_std_against_the_number_of_steps(row):
    solver, disc, time, scaling, *pairs = row.split()
    for num_steps, expected in zip(pairs[::2], pairs[1::2], strict=True):
        sigmas, path = setting(disc, time, scaling, int(num_steps), VE)
        x = SOLVERS[solver](Gaussian(), Sources(0).start(), sigmas, noise=unused, path=path)
        assert std_of(x) == printed(expected)


@pytest.mark.parametrize(
    ("options", "few", "many", "churned"),
    [
        (STOC_VP, "0.545264", "0.504185", 84),
        (STOC_VE, "0.545347", "0.505398", 60),
        (STOI, "0.564050", "0.502488", 191),
    ],
)
def test_exact_std_of_stochastic_samplers(options, few, many, churned):
    for num_steps, expected in ((18, few), (256, many)):
        sources = Sources(num_steps)
        sigmas = sigma_grids.polynomial(num_steps, 0.002, 80.0)
        x = heun(Gaussian(), sources.start(), sigmas, noise=sources.noise, **options)
        assert std_of(x) == printed(expected)
    assert int((x[0, 1:] != 0).sum()) == churned


@pytest.mark.parametrize(
    ("sde", "num_steps", "expected"),
    [
        ("vp", 36, "0.501479"),
        ("vp", 512, "0.499804"),
        ("vp", 1000, "0.499774"),
        ("ve", 36, "0.263925"),
        ("ve", 512, "0.481560"),
        ("ve", 1000, "0.490699"),
    ],
)
def test_exact_std_of_song_euler(sde, num_steps, expected):
    constants = {"vp": (0.1, 20.0, 1e-3), "ve": (0.02, 100.0, 1e-5)}[sde]
    sigmas, path = song_setting(sde, num_steps, *constants)
    x = song_euler(Gaussian(), Sources(0).start(), sigmas, noise=unused, path=path)
    assert std_of(x) == printed(expected)


@pytest.mark.parametrize(("denoise", "expected"), [(True, "0.533437"), (False, "0.533651")])
def test_exact_std_of_annealed_langevin(denoise, expected):
    sigmas, sources = schedules.geometric(232), Sources(1160)
    start = sources.start(math.sqrt(1 / 12))  # uniform on [0, 1]
    score = Gaussian().score
    x = annealed_langevin(score, start, sigmas, noise=sources.noise, denoise=denoise)
    assert std_of(x) == printed(expected)


# schedule; MARK small, large; DDIM 999, 1000, 100, 50 steps; DDIM 50 steps with eta 1
DISCRETE = """
lin025 0.498397 0.500745 0.515112 0.515112 0.508527 0.501326 0.468778
lin050 0.497248 0.500553 0.500165 0.500165 0.490982 0.481007 0.457736
lin075 0.496629 0.500662 0.498797 0.498797 0.487527 0.475346 0.450152
lin100 0.496110 0.500752 0.498495 0.498495 0.485447 0.471403 0.444100
cosine 0.497993 0.500418 0.499189 0.499189 0.492130 0.484450 0.467744
sigmoid 0.497499 0.500135 0.498824 0.498839 0.490277 0.481750 0.468206
""".strip().splitlines()


@pytest.mark.parametrize("row", DISCRETE, ids=lambda row: row.split()[0])
def test_exact_std_of_discrete_samplers(row):
    schedule, *expected = row.split()
    model = EpsModel(Gaussian(), SCHEDULES[schedule])
    whole = schedules.ancestral_times(1000, 1000)
    result = []
    for variance in ("small", "large"):
        sources = Sources(1000)
        options = {"noise": sources.noise, "variance": variance, "clip": False}
        result.append(std_of(ancestral(model, sources.start(), whole, **options)))
    for num_steps, eta in ((999, 0), (1000, 0), (100, 0), (50, 0), (50, 1)):
        sources = Sources(num_steps if eta else 0)
        times = schedules.ddim_times(1000, num_steps)
        options = {"noise": sources.noise, "eta": eta, "clip": False}
        result.append(std_of(ddim(model, sources.start(), times, **options)))
    assert result == [printed(text) for text in expected]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("lin025", "0.3415"),
        ("lin050", "0.3839"),
        ("lin075", "0.3955"),
        ("lin100", "0.3987"),
        ("cosine", "0.4000"),
    ],
)
def test_data_left_in_the_last_level_shifts_the_mean(schedule, expected):
    model = EpsModel(Gaussian(0.5, mean=0.4), SCHEDULES[schedule])
    times = schedules.ddim_times(1000, 1000)
    x = ddim(model, torch.zeros(1, 1), times, noise=unused, clip=False)
    assert float(x) == printed(expected)


# --- Guidance ------------------------------------------------------------------------------------


def shrink(x, t):
    """Gradient of a classifier that prefers 0."""
    return -0.5 * x


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [
        ("lin100", "x_t", "0.420282"),
        ("lin100", "mean", "0.420557"),
        ("cosine", "x_t", "0.421830"),
    ],
)
def test_exact_std_of_guided_ancestral_sampling(schedule, at, expected):
    sources, model = Sources(1000), EpsModel(Gaussian(), SCHEDULES[schedule])
    times = schedules.ancestral_times(1000, 1000)
    options = {"noise": sources.noise, "clip": False, "gradient": shrink, "guidance_at": at}
    assert std_of(ancestral(model, sources.start(), times, **options)) == printed(expected)


@pytest.mark.parametrize(("schedule", "expected"), [("lin100", "0.039159"), ("cosine", "0.159067")])
def test_exact_std_of_guided_ddim(schedule, expected):
    model, times = EpsModel(Gaussian(), SCHEDULES[schedule]), schedules.ddim_times(1000, 1000)
    options = {"noise": unused, "clip": False, "gradient": shrink}
    result = std_of(ddim(model, Sources(0).start(), times, **options))
    assert result == pytest.approx(float(expected), abs=1e-6)  # printed from single precision


@pytest.mark.parametrize("sampler", [ancestral, ddim])
def test_a_gradient_of_none_changes_nothing(sampler):
    model, times = EpsModel(Gaussian(), SCHEDULES["lin100"]), schedules.ddim_times(1000, 20)
    free, idle = (
        sampler(model, LATENTS, times, noise=ImageStreams(range(4)).noise, gradient=gradient)
        for gradient in (None, lambda x, t: None)
    )
    assert torch.equal(free, idle)


def test_gradient_is_asked_at_the_state_and_time_of_the_model():
    model, seen = EpsModel(Gaussian(), SCHEDULES["lin100"]), {"model": [], "gradient": []}

    def eps_model(x, t):
        seen["model"].append((t, float(x[0, 0, 0, 0])))
        return model(x, t)

    eps_model.alphas_cumprod = model.alphas_cumprod

    def gradient(x, t):
        seen["gradient"].append((t, float(x[0, 0, 0, 0])))

    for sampler in (ancestral, ddim):
        noise = ImageStreams(range(4)).noise
        sampler(eps_model, LATENTS, schedules.ddim_times(1000, 9), noise=noise, gradient=gradient)
    assert seen["model"] == seen["gradient"]


def test_reclip_keeps_the_guided_image_in_range():
    model, times = EpsModel(Gaussian(), SCHEDULES["lin100"]), schedules.ddim_times(1000, 10)
    far, near = (
        ddim(model, LATENTS, times, noise=unused, gradient=lambda x, t: 5 * x, reclip=reclip)
        for reclip in (False, True)
    )
    assert far.abs().max() > 1.5
    assert near.abs().max() <= 1


# --- Order of convergence ------------------------------------------------------------------------


def errors(solver, counts: list[int]) -> list[float]:
    """Error of the output's standard deviation for each number of steps."""
    result = []
    for num_steps in counts:
        sigmas, path = setting("edm", "linear", "none", num_steps)
        x = solver(Gaussian(), Sources(0).start(), sigmas, noise=unused, path=path)
        result.append(std_of(x) - 0.5)
    return result


@pytest.mark.parametrize(
    ("solver", "at_64", "low", "high"),
    [(euler, "-0.022066", 1.95, 2.1), (heun, "0.001821", 4.1, 4.6)],
)
def test_order_of_convergence(solver, at_64, low, high):
    result = errors(solver, [32, 64, 128, 256])
    assert result[1] == printed(at_64)
    for coarse, fine in itertools.pairwise(result):
        assert low < coarse / fine < high


# --- Cost, determinism, independence -------------------------------------------------------------

CONTINUOUS = {
    "euler": (euler, {}, lambda n: n),
    "euler-churn": (euler, STOC_VP, lambda n: n),
    "heun": (heun, {}, lambda n: 2 * n - 1),
    "heun-churn": (heun, STOI, lambda n: 2 * n - 1),
    "heun-midpoint": (heun, {"alpha": 0.5}, lambda n: 2 * n - 1),
}
SONG = {"ode": {}, "sde": {"stochastic": True}}
ANCESTRAL = [{"variance": "small"}, {"variance": "large"}, {"clip": False}, {"guidance_at": "mean"}]
DDIM = [{}, {"eta": 1.0}, {"clip": False}, {"reclip": True}]


def runs():
    """Name, sampler, levels, options and documented NFE for every sampler and kind of option."""
    for name, (sampler, options, nfe) in CONTINUOUS.items():
        for time, scaling in (("linear", "none"), ("vp", "vp"), ("ve", "none")):
            sigmas, path = setting("edm", time, scaling, 12)
            yield f"{name}-{time}", sampler, sigmas, {"path": path} | options, nfe(12)
    for (sde, constants), (kind, options) in itertools.product(
        (("vp", (0.1, 20.0, 1e-3)), ("ve", (0.02, 100.0, 1e-5))), SONG.items()
    ):
        sigmas, path = song_setting(sde, 12, *constants)
        yield f"song-{sde}-{kind}", song_euler, sigmas, {"path": path} | options, 12
    for sampler, options in [(ancestral, o) for o in ANCESTRAL] + [(ddim, o) for o in DDIM]:
        times = schedules.ddim_times(1000, 12)
        yield f"{sampler.__name__}-{options}", sampler, times, {"gradient": shrink} | options, 12
    for denoise, nfe in ((True, 13), (False, 12)):
        options = {"steps_per_level": 3, "step_size": 1e-5, "denoise": denoise}
        sigmas = schedules.geometric(4, sigma_begin=1.0)
        yield f"langevin-{denoise}", annealed_langevin, sigmas, options, nfe


RUNS = [pytest.param(*run, id=name) for name, *run in runs()]


def model_for(sampler):
    if sampler in (ancestral, ddim):
        return EpsModel(Gaussian(), SCHEDULES["lin100"])
    return Gaussian().score if sampler is annealed_langevin else Gaussian()


@pytest.mark.parametrize(("sampler", "levels", "options", "nfe"), RUNS)
def test_measured_nfe_is_the_documented_one(sampler, levels, options, nfe):
    model = Counted(model_for(sampler))
    sampler(model, LATENTS, levels, noise=ImageStreams(range(4)).noise, **options)
    assert len(model.seen) == nfe


@pytest.mark.parametrize(("sampler", "levels", "options", "nfe"), RUNS)
@pytest.mark.parametrize("shape", [(3, 4, 4), (7,)])
def test_image_k_does_not_depend_on_the_batch(sampler, levels, options, nfe, shape):
    def draw(seeds):
        streams = ImageStreams(seeds)
        x = streams.latents(shape)
        return sampler(model_for(sampler), x, levels, noise=streams.noise, **options)

    together, alone = draw([5, 3, 8]), draw([3])
    assert together.shape == (3, *shape)
    assert together.dtype == torch.float64
    assert torch.isfinite(together).all()
    assert torch.equal(together[1:2], alone)


@pytest.mark.parametrize(("sampler", "levels", "options", "nfe"), RUNS)
def test_noise_is_asked_for_in_order_and_only_where_used(sampler, levels, options, nfe):
    changed = []

    def noise_of(silent):
        noise = ImageStreams(range(4)).noise

        def recorded(step, like):
            changed.append(step)
            return noise(step, like) * (step != silent)

        return recorded

    def draw(silent):
        changed.clear()
        return sampler(model_for(sampler), LATENTS, levels, noise=noise_of(silent), **options)

    reference, asked = draw(None), list(changed)
    assert asked == sorted(set(asked))
    for step in asked:
        assert not torch.equal(draw(step), reference)


def test_single_step_ddim_returns_the_predicted_image():
    model = EpsModel(Gaussian(), SCHEDULES["lin100"])
    times = schedules.ddim_times(1000, 1)
    x = ddim(model, LATENTS, times, noise=unused, clip=False)
    a = model.alphas_cumprod[-1]
    assert_close(x, Gaussian()(LATENTS / a.sqrt(), ((1 - a) / a).sqrt()), 1e-9)


def test_grids_may_end_above_zero():
    sigmas = sigma_grids.exponential(20, 0.1, 80.0)[:-1]
    counted = Counted(Gaussian())
    x = heun(counted, Sources(0).start(), sigmas, noise=unused)
    assert len(counted.seen) == 2 * 19
    assert std_of(x) == pytest.approx(math.sqrt(0.25 + 0.01), rel=0.03)


# --- Refusals ------------------------------------------------------------------------------------


def refused(sampler, message: str, levels=None, model=None, **options):
    levels = sigma_grids.polynomial(8, 0.002, 80.0) if levels is None else torch.tensor(levels)
    model = model_for(sampler) if model is None else model
    with pytest.raises(ValueError, match=message):
        sampler(model, LATENTS, levels, noise=unused, **options)


@pytest.mark.parametrize("sampler", [euler, heun])
def test_continuous_samplers_refuse_what_makes_no_sense(sampler):
    refused(sampler, "S_churn=-1", S_churn=-1.0)
    refused(sampler, "S_tmin=2.0, S_tmax=1.0", S_tmin=2.0, S_tmax=1.0)
    for levels in ([1.0], [1.0, 2.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, -1.0]):
        refused(sampler, "sigmas must fall strictly", levels)


@pytest.mark.parametrize("alpha", [0.0, -1.0, 1.5])
def test_heun_refuses_second_slopes_outside_the_step(alpha):
    refused(heun, "expected 0 < alpha <= 1", alpha=alpha)


def test_song_euler_refuses_uneven_times():
    sigmas = sigma_grids.polynomial(8, 0.02, 100.0)
    for time, scaling in (("vp", "vp"), ("geometric", "none"), ("linear", "none")):
        path = Path.named(time, scaling, 0.02, 100.0)
        refused(song_euler, "even in the time of its path", sigmas.tolist(), path=path)


@pytest.mark.parametrize("sampler", [ancestral, ddim])
@pytest.mark.parametrize("times", [[-1], [5, 0], [0, 5, -1], [1000, -1], [5, -1, -1]])
def test_discrete_samplers_refuse_times_that_are_no_walk(sampler, times):
    refused(sampler, "times must fall from below 1000 to -1", times)


@pytest.mark.parametrize("eta", [-0.1, 1.5])
def test_ddim_refuses_more_noise_than_there_is(eta):
    refused(ddim, "expected 0 <= eta <= 1", [9, -1], eta=eta)


def test_annealed_langevin_refuses_what_makes_no_sense():
    refused(annealed_langevin, "sigmas must fall strictly and end above 0", [1.0, 0.0])
    refused(annealed_langevin, "steps_per_level=0", [1.0, 0.5], steps_per_level=0)
    refused(annealed_langevin, "step_size=0", [1.0, 0.5], step_size=0.0)
