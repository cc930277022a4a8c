"""NCSNv2 models: levels by the rules, kept through all segments; exact scores; the range of images."""

import pytest
import torch
from exact import Gaussian, Sources, printed, std_of
from resolved import sampler as resolved

from uncanny.datasets import Dataset
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.diffusion import ncsn_levels
from uncanny.diffusion.processes.annealed import annealed, init_sampling
from uncanny.runtime import checkpoints, files
from uncanny.runtime.random_streams import image_seeds
from uncanny.samplers.annealed_langevin import annealed_langevin
from uncanny.sampling import drawing
from uncanny.training import segments

IDENTITY = {
    "dataset": "digits",
    "process": {"kind": "annealed", "sigma_max": None, "sigma_min": 0.01, "num_levels": None},
    "schedule": None,
    "network": {"kind": "refinenet", "width": 4, "multipliers": [1, 2, 2], "dropout": 0.13},
    "training": {"batch_size": 200, "lr": 0.002, "ema": {"kind": "constant", "beta": 0.9}},
    "conditional": False,
}
LANG = {"kind": "annealed_langevin", "steps_per_level": 1, "step_size": None, "denoise": True}


def segment(data, path, epoch, previous=None, identity=IDENTITY):
    segments.run(
        identity=identity, seed=0, epoch=epoch, dataset=data.folder, previous=previous,
        checkpoint=path, history=path.with_suffix(".json"), threads=1,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """The same training uninterrupted and in two segments."""
    folder = tmp_path_factory.mktemp("run")
    whole = segment(data, folder / "whole.pt", 2)
    first = segment(data, folder / "first.pt", 1)
    return whole, first, segment(data, folder / "second.pt", 2, first)


def test_levels_follow_from_the_training_images(data):
    derived = annealed(None).derive(data)
    assert derived["sigma_max"] == ncsn_levels.largest_distance(data.train.images) / 255
    assert 4 < derived["sigma_max"] < 8  # a diagonal of the cube of 64 pixels is 8
    ratio = ncsn_levels.level_ratio(64)
    assert derived["num_levels"] == ncsn_levels.level_count(derived["sigma_max"], 0.01, ratio)


def test_what_is_given_is_kept(data):
    assert annealed(None, sigma_max=3.0).derive(data)["sigma_max"] == 3.0
    options = {"sigma_max": 50.0, "num_levels": 232}
    assert annealed(None, **options).derive(data) == options
    sigmas = annealed(None, **options).sigmas
    assert sigmas[[0, -1]].tolist() == pytest.approx([50, 0.01])
    assert len(sigmas) == 232


def test_segments_equal_an_uninterrupted_run_and_keep_what_was_derived(runs):
    whole, first, second = map(checkpoints.load, runs)
    assert checkpoints.digest(whole) == checkpoints.digest(second)
    assert whole["derived"] == first["derived"] == second["derived"]
    assert set(whole["derived"]) == {"sigma_max", "num_levels"}
    assert files.read_json(runs[2].with_suffix(".json"))["derived"] == whole["derived"]


def test_later_segments_do_not_look_at_the_data_again(data, runs, tmp_path, monkeypatch):
    def fail(*arguments):
        raise AssertionError("derived twice")

    monkeypatch.setattr(ncsn_levels, "largest_distance", fail)
    again = segment(data, tmp_path / "second.pt", 2, runs[1])
    assert again.read_bytes() == runs[2].read_bytes()


def test_sampling_knows_the_derived_levels(runs):
    state = checkpoints.load(runs[0])
    model = drawing.Trained.of(state, torch.device("cpu"))
    drawn = drawing.draw_images(
        model, resolved("annealed", LANG | {"steps_per_level": 2}), image_seeds(0, 0, 3)
    )
    assert drawn.nfe == 2 * state["derived"]["num_levels"] + 1
    assert drawn.images.shape == (3, 1, 8, 8)


def test_the_walk_starts_uniform_and_by_the_rules():
    family = annealed(None, sigma_max=50.0, num_levels=232)
    latents = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    x, sigmas, arguments = init_sampling(family, latents)
    assert torch.equal(sigmas, family.sigmas)
    assert arguments == {"steps_per_level": 5, "step_size": pytest.approx(6.19e-6, abs=1e-8)}
    assert x.dtype == torch.float64
    assert torch.histc(x, 10, 0, 1).tolist() == pytest.approx([2000] * 10, rel=0.1)
    _, _, arguments = init_sampling(family, latents, steps_per_level=3, step_size=0.00001)
    assert arguments == {"steps_per_level": 3, "step_size": 0.00001}


@pytest.mark.parametrize(("denoise", "expected"), [(True, "0.533437"), (False, "0.533651")])
def test_exact_std_along_the_levels_of_the_family(denoise, expected):
    family, sources = annealed(None, sigma_max=50.0, num_levels=232), Sources(1160)
    _, sigmas, arguments = init_sampling(family, torch.zeros(1, 1), step_size=0.0000062)
    x = annealed_langevin(
        Gaussian().score, sources.start((1 / 12) ** 0.5), sigmas,
        noise=sources.noise, denoise=denoise, **arguments,
    )  # fmt: skip
    assert std_of(x) == printed(expected)


class Ideal(torch.nn.Module):
    """The network whose score is exact for data N(0.4, 0.3²) in [0, 1]; sees ln sigma."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, noise, labels):
        sigma = noise.exp()
        score = Gaussian(0.3, 0.4).score(x.double(), sigma.double())
        return (score * sigma.reshape(-1, 1, 1, 1)).to(x.dtype)


def test_an_ideal_network_has_the_least_loss_and_draws_its_data():
    """Both in the units of [0, 1]: least loss is mean s²/(s² + sigma²) for data of deviation s."""
    family, network = annealed(None, sigma_max=5.0, num_levels=80), Ideal()
    generator = torch.Generator().manual_seed(0)
    x0 = 2 * (0.4 + 0.3 * torch.randn(4000, 1, 4, 4, generator=generator)) - 1
    expected = float((0.3**2 / (0.3**2 + family.sigmas**2)).mean())
    # ‖s + z/sigma‖² sigma² of the ideal score: the share of the noise that nobody can tell
    assert family.loss(network, x0, None, generator).mean() == pytest.approx(expected, rel=0.03)

    model = drawing.Trained(family, network, (1, 8, 8), 0, False)
    options = resolved("annealed", LANG | {"steps_per_level": 5})
    images = drawing.draw_images(model, options, image_seeds(0, 0, 60)).images
    assert images.mean() == pytest.approx(-0.2, abs=0.03)
    assert images.std() == pytest.approx(0.6, rel=0.1)


def test_finish_maps_to_the_range_of_the_data_and_hides_nothing():
    x = torch.tensor([[0.0, 0.5, 1.0, float("inf")]])
    assert annealed(None).finish(x).tolist() == [[-1, 0, 1, float("inf")]]


def test_labels_are_refused(data):
    family, labels = annealed(None, sigma_max=5.0, num_levels=9), torch.ones(2, 10)
    with pytest.raises(ValueError, match="unconditional"):
        family.bind(Ideal(), labels)
    with pytest.raises(ValueError, match="unconditional"):
        family.loss(Ideal(), torch.zeros(2, 1, 4, 4), labels, torch.Generator())


def test_levels_must_be_known_and_data_must_be_images(tmp_path):
    with pytest.raises(ValueError, match="sigma_max=None, num_levels=None: expected numbers"):
        annealed(None).sigmas  # noqa: B018
    gaussian_ring(tmp_path / "ring", n=10, n_test=5)
    with pytest.raises(ValueError, match="ring: vectors"):
        annealed(None).derive(Dataset.open(tmp_path / "ring"))
