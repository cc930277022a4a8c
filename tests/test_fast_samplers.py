"""Samplers of denoisers and of discrete models: recorded runs, order, cost and law of each.

`reference_runs.py` made the recorded runs with the public programs diffusers and k-diffusion.
"""

import itertools
import math

import pytest
import torch
from exact import (
    EpsModel,
    Gaussian,
    Mixture,
    Replayed,
    Sources,
    arrays,
    assert_close,
    std_of,
    tensor,
    unused,
)
from resolved import sampler as resolved

from uncanny.diffusion import schedules, sigma_grids
from uncanny.diffusion.forward import Path
from uncanny.diffusion.processes import continuous, discrete
from uncanny.registry import components
from uncanny.runtime.random_streams import ImageStreams
from uncanny.samplers import nfe

STORED, RUNS = arrays("samplers"), arrays("solvers")
LATENTS = tensor(STORED["latents"])[:1]
RESULTS = dict(zip(RUNS["names"].tolist(), RUNS["x"], strict=True))


def options_of(kind: str, text: str) -> dict:
    """Options of a recorded run: "2 heun 1.0 True" and the like."""
    names = {"dpmpp": ["order", "solver_type", "eta", "lower_order_final"]}
    names |= {"unipc": ["order", "variant", "lower_order_final"]}
    names |= {"deis": ["order", "lower_order_final"], "dpm_2": []}
    words = [{"True": True, "False": False}.get(word, word) for word in text.split()]
    options = dict(zip(names.get(kind, ["order"]), words, strict=False))
    numbers = {"order": int, "eta": float}
    result = {key: numbers.get(key, lambda v: v)(value) for key, value in options.items()}
    # The samplers of k-diffusion are not reduced before a last step above 0
    return result | ({"lower_order_final": False} if kind == "dpmpp" and len(words) == 3 else {})


@pytest.mark.parametrize("name", RESULTS)
def test_runs_of_the_public_programs(name):
    kind, text, grid, _ = name.split("/")
    options = options_of(kind, text)
    noise = Replayed(RUNS["noise"]) if options.get("eta") else unused
    sampler, sigmas = components.load("samplers", kind), tensor(RUNS[f"sigmas/{grid}"])
    x = sampler(Mixture(STORED, "gmm_a"), LATENTS, sigmas, noise=noise, **options)
    assert x.dtype == torch.float64
    assert_close(x[0], RESULTS[name], 1e-9)


def test_the_first_order_with_all_noise_is_the_ancestral_step():
    problem = Mixture(STORED, "gmm_a"), LATENTS, tensor([10.0, 3.0, 1.0, 0.2, 0.0])
    noise = Replayed(RUNS["noise"])
    dpmpp = components.load("samplers", "dpmpp")(*problem, noise=noise, order=1, eta=1.0)
    predictor = components.load("samplers", "predictor_corrector")
    steps = predictor(*problem, noise=noise, predictor="ancestral", corrector="none")
    assert_close(dpmpp, steps, 1e-12)


# --- Order of convergence ------------------------------------------------------------------------

# Options whose order, log2 of the error's ratio when steps are halved, is the declared one. UniPC-p
# gains one order by its corrector; 3M with the published weight of its second difference is of
# order 2
ORDERS = """
dpm_2
dpmpp order=1
dpmpp order=2
dpmpp order=2 solver_type=heun
dpmpp order=3
dpmpp order=3 curvature=whole
unipc order=1 variant=bh1
unipc order=1 variant=bh2
unipc order=2 variant=bh1
unipc order=2 variant=bh2
unipc order=3 variant=bh1
unipc order=3 variant=bh2
deis order=1
deis order=2
deis order=3
deis order=3 variable=sigma
deis order=3 variable=time
deis order=4 variable=sigma
lms order=1
lms order=2
lms order=3
lms order=4
ipndm order=1
ipndm order=2
ipndm order=4
""".strip().splitlines()


def parsed(words: list[str]) -> dict:
    pairs = (word.split("=") for word in words)
    return {key: int(value) if value.isdigit() else value for key, value in pairs}


def order_error(kind: str, options: dict, grid: str, num_steps: int) -> float:
    """Error in the standard deviation at the last level, for Gaussian data."""
    ends = (0.5, 4.0) if grid == "even" else (0.05, 160.0)
    rho = 1.0 if grid == "even" else 7.0
    sigmas = sigma_grids.polynomial(num_steps + 1, *ends, rho=rho)[:-1]
    if components.takes("samplers", kind, "lower_order_final"):
        options = options | {"lower_order_final": False}
    if options.get("variable") == "time":
        options = options | {"path": Path.named("vp", "vp", *ends)}
    sampler = components.load("samplers", kind)
    x = sampler(Gaussian(), Sources(0).start(), sigmas, noise=unused, **options)
    # std(sigma) = std(sigma_0) sqrt((sigma^2 + s^2) / (sigma_0^2 + s^2))
    exact = ends[1] * math.sqrt((ends[0] ** 2 + 0.25) / (ends[1] ** 2 + 0.25))
    return abs(std_of(x) - exact)


def check_order(kind: str, options: dict, grid: str, order: int):
    errors = [order_error(kind, options, grid, n) for n in (128, 256, 512)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("row", ORDERS)
def test_order_of_convergence_is_the_declared_one(row):
    kind, *words = row.split()
    block = resolved("continuous", {"kind": kind, "num_steps": 8, "grid": "vp"} | parsed(words))
    check_order(kind, parsed(words), "polynomial", nfe.order(block))


def test_ipndm_has_the_order_of_its_name_on_even_steps():
    check_order("ipndm", {"order": 3}, "even", 3)


# --- Cost, law and independence of every sampler -------------------------------------------------

# Every sampler of denoisers and of discrete models: options, and how near the standard deviation
# comes to that of N(0.3, 0.5^2) in 100 steps
TABLE = [
    ("euler", {}, 0.03),
    ("euler", {"S_churn": 10.0}, 0.03),
    ("heun", {}, 0.005),
    ("heun", {"S_churn": 10.0}, 0.01),
    ("dpm_2", {}, 0.005),
    *[("dpmpp", {"order": order}, 0.02 if order == 1 else 0.005) for order in (1, 2, 3)],
    ("dpmpp", {"order": 3, "curvature": "whole"}, 0.005),
    ("dpmpp", {"order": 2, "eta": 1.0}, 0.01),
    ("dpmpp", {"order": 3, "eta": 1.0}, 0.01),
    *[("unipc", {"order": o, "variant": v}, 0.005) for o in (1, 2, 3) for v in ("bh1", "bh2")],
    *[("deis", {"variable": v}, 0.005) for v in ("log_sigma", "sigma", "time")],
    ("deis", {"variable": "time", "time": "vp", "scaling": "vp"}, 0.005),
    ("ipndm", {}, 0.005),
    ("lms", {}, 0.005),
    ("lms", {"time": "vp", "scaling": "vp"}, 0.03),
    ("reverse_sde", {}, 0.035),
    ("song_euler", {"grid": "vp", "time": "vp", "scaling": "vp"}, 0.03),
    ("song_euler", {"grid": "vp", "time": "vp", "scaling": "vp", "stochastic": True}, 0.03),
    ("predictor_corrector", {}, 0.05),
    ("predictor_corrector", {"predictor": "ancestral"}, 0.03),
    ("predictor_corrector", {"predictor": "ancestral", "corrector": "none"}, 0.03),
    ("predictor_corrector", {"corrector_steps": 2, "grid": "exponential"}, 0.05),
    ("predictor_corrector", {"corrector": "annealed", "snr": 0.1, "predictor": "ancestral"}, 0.03),
    ("predictor_corrector", {"predictor": "none", "corrector_steps": 30}, 0.05),
    ("predictor_corrector", {"corrector": "none", "predictor": "probability_flow"}, 0.11),
    ("predictor_corrector", {"grid": "vp", "time": "vp", "scaling": "vp"}, 0.03),
    (
        "predictor_corrector",
        {"grid": "vp", "time": "vp", "scaling": "vp", "discretisation": "published"},
        0.05,
    ),
    ("rk45", {"grid": "ends", "num_steps": None}, 0.005),
    ("rk45", {"grid": "ends", "num_steps": None, "time": "vp", "scaling": "vp"}, 0.005),
    ("ddim", {"times": "ddim"}, 0.03),
    ("ddim", {"times": "quad", "eta": 1.0}, 0.03),
    ("ancestral", {}, 0.03),
]
ROWS = [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in TABLE]


class Counted:
    """A model of N(0.3, 0.5^2) that counts evaluated images and offers all that samplers ask for."""

    preconditioning = continuous.continuous(None, preconditioning="edm").preconditioning

    def __init__(self, interface: str):
        self.model, self.states = Gaussian(0.5, 0.3), 0
        if interface == "eps_model":
            self.model = EpsModel(self.model, schedules.linear(1000))
            self.alphas_cumprod = self.model.alphas_cumprod

    def __call__(self, x, level, rows=None):
        self.states += len(x)
        return self.model(x, level)


def draw(kind: str, options: dict, seeds, size: int, asked: list | None = None):
    """Samples [n, size] of a complete block, the counted model and the block. asked: gets the steps
    that asked for noise.
    """
    interface = components.signature("samplers", kind).first
    process = {"denoiser": "continuous", "eps_model": "discrete"}[interface]
    grid = {"grid": {"kind": "polynomial"}} if interface == "denoiser" else {"clip": False}
    block = resolved(process, {"kind": kind, "num_steps": 100} | grid | options)
    model, streams = Counted(interface), ImageStreams(seeds)
    family = {"continuous": continuous, "discrete": discrete}[process]
    x, levels, extra = family.init_sampling(
        model, streams.latents((size,)), **block["init_sampling"]
    )

    def noise(step, like):
        (asked if asked is not None else []).append(step)
        return streams.noise(step, like)

    sampler = components.load("samplers", kind)
    x = sampler(model, x, levels, noise=noise, **(block["options"] | extra))
    return x, model, block


@pytest.mark.parametrize(("kind", "options", "margin"), ROWS)
def test_samples_have_the_law_of_the_data_at_the_declared_cost(kind, options, margin):
    asked = []
    x, model, block = draw(kind, options, range(4), 5000, asked)
    assert x.dtype == torch.float64
    # 20,000 values: standard errors of mean and standard deviation are 0.0035 and 0.0025
    assert float(x.mean()) == pytest.approx(0.3, abs=0.012)
    assert float(x.std()) == pytest.approx(0.5, abs=margin + 0.005)
    declared = nfe.nfe(block, {"num_levels": 1000})
    assert declared in (None, model.states / 4)
    assert nfe.is_stochastic(block) == bool(asked)
    if declared:
        longer = dict(block["init_sampling"], num_steps=101)
        cost = nfe.nfe(block | {"init_sampling": longer}, {"num_levels": 1000}) - declared
        assert nfe.nfe_per_step(block) == cost > 0


@pytest.mark.parametrize(("kind", "options", "margin"), ROWS)
def test_image_k_does_not_depend_on_the_batch(kind, options, margin):
    short = {"num_steps": 25} | options
    together, alone = draw(kind, short, [5, 3, 8], 7)[0], draw(kind, short, [3], 7)[0]
    assert torch.isfinite(together).all()
    # An adaptive step follows the error, which is summed over the pixels in another order
    assert_close(together[1:2], alone, 1e-9 if kind == "rk45" else 0)


def test_every_sampler_has_a_row():
    kinds = components.kinds("samplers")
    wanted = {
        k for k in kinds if components.signature("samplers", k).first in ("denoiser", "eps_model")
    }
    assert {kind for kind, *_ in TABLE} == wanted


def test_every_sampler_declares_its_noise_and_its_order():
    kinds = components.kinds("samplers")
    assert [k for k in kinds if components.constant("samplers", k, "NOISE", None) is None] == []
    without = [k for k in kinds if components.constant("samplers", k, "ORDER", None) is None]
    assert without == ["annealed_langevin"]  # solves no differential equation


@pytest.mark.parametrize("kind", ["dpmpp", "unipc", "deis", "ipndm", "lms"])
def test_an_order_above_the_number_of_steps_is_refused(kind):
    sigmas = torch.tensor([10.0, 1.0, 0.0], dtype=torch.float64)
    with pytest.raises(ValueError, match="order=3: expected at most the number of steps, 2"):
        components.load("samplers", kind)(
            Gaussian(), torch.ones(1, 2), sigmas, noise=unused, order=3
        )
    with pytest.raises(ValueError, match=r"S\.order: 3; expected at most num_steps, which is 2"):
        resolved("continuous", {"kind": kind, "num_steps": 2, "grid": "vp", "order": 3})


@pytest.mark.parametrize("kind", ["dpmpp", "unipc", "deis", "ipndm", "dpm_2"])
def test_exponential_integrators_are_the_same_in_every_scaling(kind):
    sigmas = sigma_grids.polynomial(6, 0.02, 80.0)
    paths = [Path.named(time, s, 0.02, 80.0) for time, s in (("linear", "none"), ("vp", "vp"))]
    sampler, latents = components.load("samplers", kind), torch.ones(1, 2)
    first, second = (sampler(Gaussian(), latents, sigmas, noise=unused, path=p) for p in paths)
    assert torch.equal(first, second)
