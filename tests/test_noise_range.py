"""A process's own range of noise levels: training, networks, grids and clocks follow; the published ranges stay."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from exact import Gaussian
from resolved import sampler as resolved
from safetensors.torch import save_file
from test_configuration import TINY, changed, plan
from test_external import build, of_edm

from uncanny.datasets import Dataset
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.diffusion import losses, ncsn_levels, noise_range
from uncanny.diffusion.forward import VPClock
from uncanny.diffusion.processes.continuous import continuous, init_sampling
from uncanny.interop.formats import edm
from uncanny.networks import building
from uncanny.runtime import checkpoints, files
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing
from uncanny.study.plan import inputs
from uncanny.tables import Contents, sampler_parameters
from uncanny.training import segments

UNIFORM = torch.tensor([0.0, 0.25, 0.5, 1 - 2**-53], dtype=torch.float64)


def training_levels(family):
    """Noise levels of training at UNIFORM random numbers."""
    from uncanny.diffusion.processes.continuous import LEVELS

    return LEVELS[family.levels](UNIFORM, **family.limits)


class TestPublished:
    def test_the_published_ranges_are_pinned(self):
        vp, ve, edm = (
            continuous(None, preconditioning=k).preconditioning for k in ("vp", "ve", "edm")
        )
        assert (vp.sigma_min, vp.sigma_max) == pytest.approx(
            (0.001000497626681674, 152.1669702839464), rel=1e-14
        )
        assert (ve.sigma_min, ve.sigma_max) == (0.02, 100.0)
        assert (edm.sigma_min, edm.sigma_max) == (0.0, math.inf)
        sigma = torch.tensor([0.5, 10.0]).double()
        # t = 2 ln(1 + s²) / (0.1 + sqrt(0.01 + 39.8 ln(1 + s²))), times 999
        assert vp.c_noise(sigma).tolist() == pytest.approx(
            [144.6691056202793, 675.3689136265791], rel=1e-12
        )

    @pytest.mark.parametrize("kind", ["vp", "sub_vp", "ve"])
    def test_it_is_what_the_functions_default_to(self, kind):
        family = continuous(None, preconditioning=kind)
        assert family.limits == {}
        published = {
            "vp": losses.uniform_time,
            "sub_vp": losses.uniform_sub_vp_time,
            "ve": losses.log_uniform,
        }[kind](UNIFORM)
        assert torch.equal(training_levels(family), published)
        ends = noise_range.published(kind)
        made = family.preconditioning
        assert (made.sigma_min, made.sigma_max) == pytest.approx(ends, rel=1e-10)

    def test_the_identity_has_no_key_for_it(self):
        process = plan(TINY).identity("vp_uncond")["process"]
        assert process == {
            "kind": "continuous", "levels": "matched", "preconditioning": "vp", "weight": "matched",
        }  # fmt: skip

    def test_it_does_not_look_at_the_images(self, monkeypatch):
        monkeypatch.setattr(ncsn_levels, "largest_distance", None)
        assert continuous(None, preconditioning="ve").derive(None) == {}


OWN = [("ve", 0.02, 9.6), ("ve", 0.05, 250.0), ("vp", 0.001, 15.0), ("vp", 0.002, 9.6)]


@pytest.mark.parametrize(("kind", "low", "high"), OWN)
class TestOwnRange:
    def test_training_sees_all_of_it_and_nothing_beyond(self, kind, low, high):
        family = continuous(None, preconditioning=kind, sigma_min=low, sigma_max=high)
        levels = training_levels(family).tolist()
        assert sorted([levels[0], levels[-1]]) == pytest.approx([low, high], rel=1e-6)
        made = family.preconditioning
        assert (made.sigma_min, made.sigma_max) == (low, high)
        if kind == "ve":  # uniform in ln sigma
            assert levels[2] == pytest.approx(math.sqrt(low * high))
        else:  # uniform in the time of its clock
            t = made.clock.sigma_inv(torch.tensor(levels))
            assert t.tolist() == pytest.approx([1, 0.7500025, 0.500005, 1e-5], rel=1e-6)

    def test_the_network_hears_times_and_levels_in_their_published_ranges(self, kind, low, high):
        made = continuous(None, preconditioning=kind, sigma_min=low, sigma_max=high).preconditioning
        heard = made.c_noise(torch.tensor([low, high]).double()).tolist()
        expected = {"vp": [0.00999, 999.0], "ve": [math.log(low / 2), math.log(high / 2)]}[kind]
        assert heard == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("grid", ["polynomial", "exponential", "vp", "ve"])
    def test_grids_start_at_its_largest_level(self, kind, low, high, grid):
        if grid == "vp" and low == 0.05:
            pytest.skip("a VP clock cannot have 0.05 at t = 0.001")
        family = continuous(None, preconditioning=kind, sigma_min=low, sigma_max=high)
        _, sigmas, extra = init_sampling(family, None, num_steps=20, grid={"kind": grid} | (
            {"epsilon_s": 0.001} if grid == "vp" else {"epsilon_s": 0.0} if grid == "ve" else {}
        ), time="geometric")  # fmt: skip
        customary = {"polynomial": 80.0, "exponential": 80.0, "vp": 152.2, "ve": 100.0}[grid]
        own = grid == kind  # a grid of the model's own process has its range, whatever is usual
        assert sigmas[0] == pytest.approx(high if own else min(high, customary), rel=1e-3)
        assert sigmas[-2] >= low * (1 - 1e-9)
        assert extra["path"].time.sigma_max == pytest.approx(float(sigmas[0]))


def test_betas_follow_from_the_range_in_closed_form():
    assert noise_range.vp_betas(*noise_range.published("vp"), 1e-5) == pytest.approx((19.9, 0.1))
    family = continuous(None, preconditioning="vp", sigma_max=15.0)
    clock = family.preconditioning.clock
    # The smallest level of training stays, and with it beta_min; ln(1 + 15²) = beta_d/2 + beta_min
    assert clock.beta_min == pytest.approx(0.1, rel=1e-3)
    assert 0.5 * clock.beta_d + clock.beta_min == pytest.approx(math.log(226))
    sigma = torch.tensor([0.01, 1.0, 15.0]).double()
    assert clock.sigma(clock.sigma_inv(sigma)).tolist() == pytest.approx(sigma.tolist())


def test_a_vp_grid_takes_even_steps_in_the_models_own_time():
    family = continuous(None, preconditioning="vp", sigma_max=15.0)
    grid = {"kind": "vp", "epsilon_s": 0.001}
    _, sigmas, extra = init_sampling(family, None, num_steps=5, grid=grid, time="vp", scaling="vp")
    steps = family.preconditioning.clock.sigma_inv(sigmas[:-1])
    assert steps.tolist() == pytest.approx([1, 0.75025, 0.5005, 0.25075, 0.001])
    path, own = extra["path"].time, family.preconditioning.clock
    assert (path.beta_d, path.beta_min) == pytest.approx((own.beta_d, own.beta_min))


def test_vp_parameters_on_a_ve_model_cover_the_levels_that_it_knows():
    for options, ends in (({}, (0.02, 100.0)), ({"sigma_max": 9.6}, (0.02, 9.6))):
        family = continuous(None, preconditioning="ve", **options)
        grid = {"kind": "vp", "epsilon_s": 0.001}
        _, sigmas, extra = init_sampling(
            family, None, num_steps=9, grid=grid, time="vp", scaling="vp"
        )
        assert (float(sigmas[-2]), float(sigmas[0])) == pytest.approx(ends)
        assert extra["path"].time == VPClock(*noise_range.vp_betas(*ends))


class Ideal(torch.nn.Module):
    """The network F whose denoiser is exact for N(0, 0.5²), from the state and the condition."""

    def __init__(self, family):
        super().__init__()
        self.made, self.unused = family.preconditioning, torch.nn.Parameter(torch.zeros(1))
        table = torch.logspace(math.log10(self.made.sigma_min), math.log10(self.made.sigma_max), 4000, dtype=torch.float64)  # fmt: skip
        self.sigma, self.heard = table, self.made.c_noise(table)

    def forward(self, x, noise, labels):
        # sigma from the noise condition, as a network would learn it
        sigma = np.interp(noise.double().numpy(), self.heard.numpy(), self.sigma.numpy())
        sigma = torch.from_numpy(sigma).reshape(-1, *[1] * (x.ndim - 1))
        clean = x.double() / self.made.c_in(sigma)
        return ((Gaussian(0.5)(clean, sigma) - clean) / self.made.c_out(sigma)).to(x.dtype)


@pytest.mark.parametrize(
    ("kind", "options", "block"),
    [
        ("ve", {"sigma_max": 9.6}, {"kind": "heun", "num_steps": 40, "grid": "polynomial"}),
        ("ve", {"sigma_max": 9.6}, {"kind": "euler", "num_steps": 400, "grid": "vp", "time": "vp", "scaling": "vp"}),
        ("ve", {"sigma_max": 9.6}, {"kind": "song_euler", "num_steps": 400, "grid": {"kind": "ve", "epsilon_s": 0.00001}, "time": "geometric"}),
        ("vp", {"sigma_max": 15.0}, {"kind": "heun", "num_steps": 40, "grid": "polynomial", "time": "vp", "scaling": "vp"}),
        ("vp", {"sigma_max": 15.0, "sigma_min": 0.002}, {"kind": "euler", "num_steps": 400, "grid": "vp", "time": "vp", "scaling": "vp"}),
    ],
)  # fmt: skip
def test_an_exact_network_draws_its_gaussian(kind, options, block):
    family = continuous(None, preconditioning=kind, **options)
    model = drawing.Trained(family, Ideal(family), (1, 6, 6), 0, False)
    images = drawing.draw_images(
        model, resolved("continuous", block), image_seeds(0, 0, 100)
    ).images
    # From N(0, sigma_max²): x(0) = x(T) 0.5 / sqrt(0.25 + sigma_max²), plus the solver's error
    assert images.std() == pytest.approx(0.5, rel=0.05)
    assert images.mean() == pytest.approx(0, abs=0.04)


NETWORK = {"kind": "song_unet", "width": 4, "multipliers": [1], "blocks": 1, "attention": [], "embedding": "fourier"}  # fmt: skip


class TestData:
    def test_the_range_is_the_largest_distance(self, data):
        for kind in ("ve", "vp"):
            result = continuous(None, preconditioning=kind, sigma_max="data").derive(data)
            reach = ncsn_levels.largest_distance(np.asarray(data.train.images[:])) / 127.5
            assert result == {"sigma_max": pytest.approx(reach)}
            assert result["sigma_max"] == pytest.approx(9.6, abs=0.05)

    def test_vectors_have_their_own_units(self, tmp_path):
        gaussian_ring(tmp_path / "ring", n=200, n_test=5)
        ring = Dataset.open(tmp_path / "ring")
        result = continuous(None, preconditioning="ve", sigma_max="data").derive(ring)
        points = np.asarray(ring.train.images[:])
        expected = max(np.linalg.norm(points - p, axis=1).max() for p in points)
        assert result["sigma_max"] == pytest.approx(expected, rel=1e-6)

    def test_it_is_recorded_with_the_model_and_used_for_sampling(self, data, tmp_path):
        config = changed(("processes", "ve", "sigma_max"), "data")
        config["networks"]["ncsnpp"] = NETWORK
        identity = plan(config).identity("ve_cond")
        assert identity["process"]["sigma_max"] == "data"
        record = tmp_path / "m.json"
        segments.run(
            identity=identity, seed=0, epoch=1, dataset=data.folder, previous=None,
            checkpoint=tmp_path / "m.pt", history=record, threads=1,
        )  # fmt: skip
        state = checkpoints.load(tmp_path / "m.pt")
        high = state["derived"]["sigma_max"]
        assert high == pytest.approx(9.6, abs=0.05)
        assert files.read_json(record)["derived"] == state["derived"]
        model = drawing.Trained.of(state, torch.device("cpu"))
        assert model.family.preconditioning.sigma_max == high
        assert model.family.limits == {"sigma_min": 0.02, "sigma_max": high}
        # The table of samplers shows the number once the model has begun training.
        contents = Contents(
            models={"m": identity}, processes={"m": "ve"},
            samplers={"S": {"m": resolved("continuous", {"kind": "heun", "num_steps": 4, "grid": "polynomial"})}},
            trained=[files.read_json(record)],
        )  # fmt: skip
        cells = sampler_parameters.sampler_parameters(contents).set_index("parameter")["S"]
        assert cells["σ_min … σ_max"] == f"0.02 … {high:.6g}"

    def test_a_table_of_such_a_model_waits_for_its_first_record(self):
        config = changed(("processes", "ve", "sigma_max"), "data")
        config["tables"]["table_shown"] = {
            "kind": "sampler_parameters", "title": "T", "models": ["vp_uncond", "ve_cond"], "samplers": ["HEUN"],
        }  # fmt: skip
        assert inputs.of_table(plan(config), "table_shown")["trained"] == [
            "checkpoints/ve_cond/seed-0/epoch-1.json"
        ]
        config["processes"]["ve"].pop("sigma_max")
        assert inputs.of_table(plan(config), "table_shown")["trained"] == []

    def test_without_it_the_network_is_built_and_nothing_else(self):
        process = {"kind": "continuous", "preconditioning": "ve", "sigma_max": "data"}
        identity = {"process": process, "schedule": None, "network": NETWORK, "conditional": False}  # fmt: skip
        assert building.build_network(identity, (1, 8, 8), 0) is not None
        with pytest.raises(ValueError, match="sigma_max='data': expected a number, derived from"):
            building.build_family(identity).preconditioning  # noqa: B018


class TestNumbersAndTheData:
    @pytest.mark.parametrize("kind", ["ve", "vp"])
    def test_far_below_the_data_is_refused(self, data, kind):
        message = (
            r"process\.sigma_max: 2; the largest distance between training images of 'digits.*' is "
            r"9\.6\d* \(pixel values in \[-1, 1\]\); expected at least a quarter of it, 2\.4"
        )
        with pytest.raises(ValueError, match=message):
            continuous(None, preconditioning=kind, sigma_max=2.0).derive(data)

    def test_below_the_data_is_a_warning_and_above_it_nothing(self, data, capsys):
        assert continuous(None, preconditioning="vp", sigma_max=5.0).derive(data) == {}
        assert "sampling starts closer to the mean image than the data reach" in capsys.readouterr().out  # fmt: skip
        assert continuous(None, preconditioning="vp", sigma_max=15.0).derive(data) == {}
        assert not capsys.readouterr().out

    def test_images_nearer_than_sigma_min_are_refused(self, data):
        family = continuous(None, preconditioning="ve", sigma_max="data", sigma_min=20.0)
        with pytest.raises(ValueError, match=r"expected sigma_max above sigma_min: they are 9\.6"):
            family.derive(data)


REFUSED = [
    ("ve", {"sigma_max": 0.02}, r"processes\.ve\.sigma_max: 0\.02; expected sigma_max above sigma_min: they are 0\.02 and 0\.02"),
    ("ve", {"sigma_min": 100.0}, r"processes\.ve\.sigma_min: 100\.0; expected sigma_max above sigma_min"),
    ("ve", {"sigma_min": 5.0, "sigma_max": 4.0}, r"processes\.ve\.sigma_max: 4\.0; expected more than sigma_min, which is 5\.0"),
    ("ve", {"sigma_max": "dta"}, r"processes\.ve\.sigma_max: 'dta' is not float \| data \| None"),
    ("ve", {"sigma_min": "data"}, r"processes\.ve\.sigma_min: 'data' is not float \| None"),
    ("ve", {"sigma_max": -1.0}, r"processes\.ve\.sigma_max: -1\.0; expected a number in"),
    ("ve", {"sigma_max": 9.0, "levels": "lognormal"}, r"processes\.ve\.sigma_max: 9\.0, but levels 'lognormal' .* expected levels matched or log_uniform"),
    ("ve", {"sigma_max": 9.0, "levels": "uniform_time"}, r"levels 'uniform_time' with preconditioning 've' follow from no range"),
    ("vp", {"sigma_min": 0.5, "sigma_max": 15.0}, r"processes\.vp\.sigma_min=0\.5: too large for a VP clock"),
    ("vp", {"preconditioning": "edm", "sigma_max": 80.0}, r"processes\.vp\.sigma_max: 80\.0, but preconditioning 'edm' .*expected no sigma_max, or preconditioning vp or ve"),
    ("vp", {"preconditioning": "edm", "sigma_max": "data"}, r"sigma_max: 'data', but preconditioning 'edm'"),
]  # fmt: skip


@pytest.mark.parametrize(("process", "options", "message"), REFUSED)
def test_ranges_that_cannot_be_are_refused_before_anything_runs(process, options, message):
    config = copy.deepcopy(TINY)
    config["processes"][process] |= options
    with pytest.raises(ValueError, match=message):
        plan(config)


def test_processes_in_phase_space_have_no_such_option():
    config = changed(("processes", "psld"), {"kind": "phase_space", "recipe": "psld", "sigma_max": 9.0})  # fmt: skip
    with pytest.raises(ValueError, match=r"processes\.psld\.sigma_max: unknown option of"):
        plan(config)


@pytest.mark.parametrize(
    ("own", "asked", "message"),
    [
        ({"sigma_max": 15.0}, {"sigma_max": 20.0}, r"samplers\.HEUN\.sigma_max: 20; expected at most 15, processes\.vp\.sigma_max"),
        ({}, {"sigma_max": 200.0}, r"samplers\.HEUN\.sigma_max: 200; expected at most 152\.167, processes\.vp\.sigma_max"),
        ({"sigma_min": 0.005}, {"sigma_min": 0.002}, r"samplers\.HEUN\.sigma_min: 0\.002; expected at least 0\.005, processes\.vp\.sigma_min"),
    ],
)  # fmt: skip
def test_samplers_beyond_the_range_are_refused_before_anything_runs(own, asked, message):
    config = copy.deepcopy(TINY)
    config["processes"]["vp"] |= own
    config["samplers"]["HEUN"] |= asked
    with pytest.raises(ValueError, match=message):
        plan(config)


def test_a_sampler_up_to_the_range_exactly_is_accepted():
    config = copy.deepcopy(TINY)
    config["processes"]["vp"]["sigma_max"] = config["samplers"]["HEUN"]["sigma_max"] = 15.0
    plan(config)
    family = continuous(None, preconditioning="vp", sigma_max=15.0)
    _, sigmas, _ = init_sampling(
        family, None, num_steps=4, grid={"kind": "polynomial"}, sigma_max=15.0
    )
    assert sigmas[0] == pytest.approx(15, rel=1e-12)


def test_weights_of_edm_may_have_the_models_own_range(tmp_path):
    case, _, weights, identity = of_edm("edm_ddpmpp_uncond")
    ours = build("song_unet", case["shape"], 0, **case["options"]).state_dict()
    path = str(tmp_path / "edm.safetensors")

    def read(settings, **process):
        save_file(weights, path, {"edm": json.dumps({"model_type": "SongUNet"} | settings)})
        made = identity | {"process": {"kind": "continuous"} | process}
        return edm.edm(made, case["shape"], ours, path=path)

    mine = {"class": "VEPrecond", "sigma_min": 0.02, "sigma_max": 9.6}
    assert read(mine, preconditioning="ve", sigma_max=9.6).keys() == ours.keys()
    with pytest.raises(ValueError, match=r"sigma_max 9\.6 is not supported; expected 100\.0"):
        read(mine, preconditioning="ve")
    beta_d, beta_min = noise_range.vp_betas(noise_range.published("vp")[0], 15.0, 1e-5)
    theirs = {"class": "VPPrecond", "beta_d": beta_d, "beta_min": beta_min}
    assert read(theirs, preconditioning="vp", sigma_max=15.0).keys() == ours.keys()
    with pytest.raises(ValueError, match=r"beta_d 10\.\d+ is not supported; expected 19\.9"):
        read(theirs, preconditioning="vp")
