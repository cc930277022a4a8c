"""Discrete models through their noise levels, adaptive RK45, and what is refused of both."""

import copy

import numpy as np
import pytest
import torch
from exact import EpsModel, Gaussian, Mixture, arrays, assert_close, tensor, unused
from resolved import sampler as resolved
from scipy.integrate import solve_ivp
from test_configuration import TINY, plan
from test_sampling import NETWORK

from uncanny.diffusion import schedules, sigma_grids, sigma_view
from uncanny.diffusion.forward import Path
from uncanny.diffusion.processes import continuous
from uncanny.estimate.facts import Facts
from uncanny.networks import building
from uncanny.samplers import steps
from uncanny.samplers.ddim import ddim
from uncanny.samplers.dpmpp import dpmpp
from uncanny.samplers.rk45 import rk45
from uncanny.sampling import drawing
from uncanny.study.plan import tables
from uncanny.tables import Contents, sampler_parameters

STORED = arrays("samplers")
LATENTS = tensor(STORED["latents"])
BETAS = schedules.linear(1000)


class BetweenTimes(EpsModel):
    """Noise prediction at any time: ln sigma is linear between whole ones."""

    def __call__(self, x, t, rows=None):
        logs = (0.5 * ((1 - self.alphas_cumprod) / self.alphas_cumprod).log()).numpy()
        sigma = torch.as_tensor(np.exp(np.interp(t.numpy(), np.arange(len(logs)), logs)))
        shape = -1, *[1] * (x.ndim - 1)
        s = (1 + sigma**2).rsqrt().reshape(shape)
        return (x - s * self.denoiser(x / s, sigma)) / (s * sigma.reshape(shape))


VIEW = sigma_view.SigmaDenoiser(BetweenTimes(Mixture(STORED, "gmm_a"), BETAS))


def test_levels_of_training_have_whole_times():
    assert VIEW.time(VIEW.levels).tolist() == list(range(1000))
    assert float(VIEW.time(VIEW.levels[0] / 2)) == 0


@pytest.mark.parametrize("sigma", [0.02, 0.5, 3.0, 40.0])
def test_the_view_is_the_denoiser(sigma):
    exact = Mixture(STORED, "gmm_a")
    x, level = LATENTS * sigma, torch.tensor(sigma, dtype=torch.float64)
    assert_close(VIEW(x, level), exact(x, level), 1e-9)
    by_row = torch.linspace(sigma, 2 * sigma, len(x), dtype=torch.float64)
    assert_close(VIEW(x, by_row), exact(x, by_row), 1e-9)


def test_first_order_at_levels_of_training_is_ddim():
    times = schedules.ancestral_times(1000, 12)
    options = {"num_steps": 12, "grid": {"kind": "levels"}}
    latents, sigmas, extra = continuous.init_sampling(VIEW, LATENTS, **options)
    y = dpmpp(VIEW, latents, sigmas, noise=unused, order=1, **extra)
    # The same noise: x_T is standard normal there, and scale sigma times it here
    start = LATENTS * sigmas[0] / (1 + sigmas[0] ** 2).sqrt()
    x = ddim(EpsModel(Mixture(STORED, "gmm_a"), BETAS), start, times, noise=unused, clip=False)
    assert_close(y, x, 1e-9)


@pytest.mark.parametrize("grid", ["polynomial", "levels", "vp", "exponential"])
def test_grids_stay_within_the_levels_of_training(grid):
    options = {
        "num_steps": 7,
        "grid": {"kind": grid} | ({"epsilon_s": 0.001} if grid == "vp" else {}),
    }
    _, sigmas, _ = continuous.init_sampling(VIEW, LATENTS, **options)
    low, high = VIEW.preconditioning[:2]
    assert low * (1 - 1e-12) <= sigmas[-2] <= sigmas[0] <= high * (1 + 1e-12)
    assert len(sigmas) == 8


def test_levels_that_would_occur_twice_are_refused():
    with pytest.raises(ValueError, match="do not fall strictly"):
        sigma_grids.levels(50, 0.0001, 1000.0, table=VIEW.levels, times="quad")
    with pytest.raises(ValueError, match="grid levels: no table; expected a discrete model"):
        sigma_grids.levels(5, 0.02, 80.0)


def made(conditional: bool) -> drawing.Trained:
    """An untrained discrete model of images 1x8x8."""
    torch.manual_seed(0)
    process, schedule = {"kind": "discrete", "num_levels": 1000}, {"kind": "cosine"}
    identity = {"network": NETWORK, "process": process, "schedule": schedule}
    identity |= {"conditional": conditional}
    network = building.build_network(identity, (1, 8, 8), 10)
    return drawing.Trained(building.build_family(identity), network, (1, 8, 8), 10, conditional)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(
    ("block", "nfe"),
    [
        ({"kind": "unipc", "num_steps": 5, "grid": "levels"}, 5),
        ({"kind": "heun", "num_steps": 4, "grid": "polynomial", "S_churn": 2.0}, 7),
        ({"kind": "predictor_corrector", "num_steps": 5, "grid": "vp", "scaling": "vp"}, 10),
        ({"kind": "rk45", "grid": "ends", "tol": 0.01, "time": "vp", "scaling": "vp"}, None),
    ],
)
def test_discrete_models_are_drawn_from_by_samplers_of_denoisers(block, nfe, conditional):
    model = made(conditional)
    sampler = resolved("discrete", block)
    together, alone = (drawing.draw_images(model, sampler, seeds) for seeds in ([0, 1, 2], [1]))
    assert torch.isfinite(together.images).all()
    # To rounding of the network, which an adaptive sampler may follow
    assert torch.allclose(together.images[1], alone.images[0], atol=1e-3)
    assert nfe in (None, together.nfe)


# --- RK45 ----------------------------------------------------------------------------------------


class Rows:
    """A denoiser of images by row."""

    def __init__(self, model):
        self.model = model

    def __call__(self, x, sigma, rows=None):
        return self.model(x, sigma)


PATHS = [("linear", "none"), ("vp", "vp"), ("geometric", "none")]


@pytest.mark.parametrize(("time", "scaling"), PATHS)
def test_rk45_takes_the_steps_of_scipy(time, scaling):
    path, model = Path.named(time, scaling, 0.02, 80.0), Mixture(STORED, "gmm_a")
    sigmas = sigma_grids.ends(None, 0.02, 80.0)
    t, start = path.sigma_inv(sigmas), steps.start(LATENTS[:1], sigmas[0], path)

    def slope(now, x):
        now = torch.tensor(now, dtype=torch.float64)
        x = torch.from_numpy(x).reshape(start.shape)
        return steps.slope(model, x, now, path).flatten().numpy()

    ends = float(t[0]), float(t[1])
    result = solve_ivp(slope, ends, start.flatten().numpy(), rtol=1e-5, atol=1e-5, method="RK45")
    x = torch.from_numpy(result.y[:, -1]).reshape(start.shape)
    expected = model(x / path.scale(t[1]), sigmas[1])
    assert_close(rk45(Rows(model), LATENTS[:1], sigmas, noise=unused, path=path), expected, 1e-9)


@pytest.mark.parametrize(("time", "scaling"), PATHS)
def test_rk45_solves_the_ode_to_its_tolerance(time, scaling):
    path, sigmas = Path.named(time, scaling, 0.02, 80.0), sigma_grids.ends(None, 0.02, 80.0)
    x = rk45(Rows(Gaussian()), LATENTS, sigmas, noise=unused, path=path, tol=1e-7)
    # y(sigma) = y(sigma_0) sqrt((s^2 + sigma^2) / (s^2 + sigma_0^2)), then the denoised image
    y = LATENTS * 80 * ((0.25 + 0.02**2) / (0.25 + 80**2)) ** 0.5
    assert_close(x, Gaussian()(y, sigmas[1]), 1e-5)


def test_rk45_refuses_steps_of_a_grid():
    sigmas = sigma_grids.polynomial(5, 0.02, 80.0)
    with pytest.raises(ValueError, match="rk45 chooses its own steps, not 4; expected"):
        rk45(Rows(Gaussian()), LATENTS, sigmas, noise=unused)


# --- What is refused when the config is read -----------------------------------------------------


def config_with(sampler: dict, model: str, kind: str = "curves") -> dict:
    config = copy.deepcopy(TINY)
    config["samplers"]["NEW"] = sampler
    panels = [{"models": [model], "samplers": ["NEW"]}]
    metric = {"metric": "is2"} if kind == "curves" else {}
    config["figures"] = {"figure_1": {"kind": kind, "panels": panels} | metric}
    return config


@pytest.mark.parametrize("model", ["ddpm_cosine", "vp_uncond", "ve_cond"])
@pytest.mark.parametrize(
    "block",
    [
        {"kind": "dpmpp", "num_steps": 5, "grid": "polynomial"},
        {"kind": "rk45", "grid": "ends"},
        {"kind": "predictor_corrector", "num_steps": 5, "grid": "vp"},
    ],
)
def test_a_block_is_for_models_of_every_preconditioning_and_discrete_ones(model, block):
    plan(config_with(block, model))


BAD = [
    (
        {"kind": "dpmpp", "order": 3, "num_steps": 2},
        "ddpm_cosine",
        r"NEW\.order: 3; expected at mo",
    ),
    (
        {"kind": "lms", "num_steps": 3},
        "vp_uncond",
        r"NEW\.order: 4; expected at most num_steps, whi",
    ),
    (
        {"kind": "dpmpp", "grid": "levels"},
        "vp_uncond",
        r"NEW\.grid: 'levels' for model 'vp_uncond'",
    ),
    (
        {"kind": "dpmpp", "grid": "derived"},
        "ddpm_cosine",
        r"NEW\.grid: 'derived' for model 'ddpm_c",
    ),
    (
        {"kind": "dpmpp", "grid": "ends"},
        "vp_uncond",
        r"NEW\.grid: 'ends' for 'dpmpp'; expected ends",
    ),
    (
        {"kind": "rk45"},
        "vp_uncond",
        r"NEW\.grid: 'polynomial' for 'rk45'; expected ends for sampler",
    ),
    (
        {"kind": "rk45", "grid": "ends"},
        "vp_uncond",
        r"NEW\.num_steps: 5 with grid 'ends'; expected",
    ),
    (
        {"kind": "predictor_corrector", "predictor": "none", "corrector": "none"},
        "vp_uncond",
        r"samplers\.NEW: a predictor and a corrector of none; expected one of them",
    ),
    (
        {"kind": "ddim", "times": "quad", "num_steps": 1},
        "ddpm_cosine",
        r"NEW\.num_steps: 1; expected",
    ),
    (
        {"kind": "ddim", "times": "quad"},
        "vp_uncond",
        r"'NEW' takes eps_model, but model 'vp_uncond'",
    ),
]


@pytest.mark.parametrize(("block", "model", "message"), BAD)
def test_a_sampler_that_does_not_fit_is_one_message(block, model, message):
    grid = {} if block["kind"] == "ddim" else {"grid": "polynomial"}
    with pytest.raises(ValueError, match=message):
        plan(config_with({"num_steps": 5} | grid | block, model))


@pytest.mark.parametrize(
    ("block", "evaluations"),
    [
        ({"kind": "unipc", "num_steps": 7, "grid": "polynomial"}, 7),
        ({"kind": "dpm_2", "num_steps": 7, "grid": "polynomial"}, 13),
        ({"kind": "predictor_corrector", "num_steps": 7, "grid": "vp", "corrector_steps": 2}, 21),
        ({"kind": "rk45", "grid": "ends", "tol": 0.001}, 113),
    ],
)
@pytest.mark.parametrize("model", ["ddpm_cosine", "vp_uncond"])
def test_estimates_count_the_declared_evaluations(block, evaluations, model, tmp_path):
    study = plan(config_with(block, model))
    assert Facts(study, tmp_path).nfe("NEW", model) == evaluations


@pytest.mark.parametrize(
    ("block", "times", "steps", "evaluations"),
    [
        (
            {"kind": "unipc", "num_steps": 7, "grid": "levels"},
            "levels of the discrete pro",
            "7",
            "7",
        ),
        (
            {"kind": "rk45", "grid": "ends"},
            "chosen image by image",
            "chosen",
            "follows from the data",
        ),
    ],
)
def test_the_table_of_a_discrete_model_at_noise_levels(block, times, steps, evaluations):
    made = Contents(
        models={"m": {"process": {"kind": "discrete", "num_levels": 1000}}},
        processes={"m": "ddpm"},
        samplers={"S": {"m": resolved("discrete", block)}},
    )
    cells = dict(sampler_parameters.sampler_parameters(made).to_numpy().tolist())
    assert cells["time steps t_i"].startswith(times)
    assert cells["steps N"] == steps
    assert cells["evaluations (NFE)"] == evaluations
    ends = {"levels": "all", "ends": "of the grid"}[block["grid"]]
    assert cells["σ_min … σ_max"] == f"{ends}, within the schedule"
    assert cells["constants"].startswith("T = 1000")


def test_a_table_leaves_out_models_for_which_a_sampler_has_no_grid():
    config = config_with({"kind": "euler", "num_steps": 4, "grid": "polynomial"}, "vp_uncond")
    ranged = {"kind": "euler", "num_steps": 4, "by_process": {"vp": {"grid": "vp"}}}
    config["samplers"]["RANGED"] = ranged
    table = {"kind": "sampler_parameters", "title": "T", "samplers": ["NEW", "RANGED", "DDIM"]}
    config["tables"] = {"table_9": table | {"models": ["vp_uncond", "ddpm_cosine"]}}
    shown = tables.contents(plan(config), "table_9")["samplers"]
    assert {name: list(by_model) for name, by_model in shown.items()} == {
        "NEW": ["vp_uncond", "ddpm_cosine"],
        "RANGED": ["vp_uncond"],
        "DDIM": ["ddpm_cosine"],
    }


def test_the_table_of_churned_levels_is_of_continuous_models():
    block = {"kind": "heun", "num_steps": 4, "grid": "polynomial", "S_churn": 2.0}
    config = config_with(block, "ddpm_cosine")
    table = {"kind": "stochastic_parameters", "title": "T", "samplers": ["NEW"]}
    config["tables"] = {"table_9": table | {"models": ["vp_uncond"]}}
    plan(config)
    config["tables"]["table_9"]["models"].append("ddpm_cosine")
    with pytest.raises(
        ValueError, match=r"tables\.table_9\.models: 'ddpm_cosine' is no continuous"
    ):
        plan(config)


def test_steps_that_images_do_not_share_have_no_trajectory():
    config = config_with({"kind": "rk45", "grid": "ends"}, "vp_uncond", "processes")
    with pytest.raises(
        ValueError, match=r"figures\.figure_1\.panels: sampler 'NEW' chooses its steps"
    ):
        plan(config)
