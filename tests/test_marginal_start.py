"""Walks that start from the marginal distribution of x_T: a diagnostic of schedules that leave data in it."""

from types import SimpleNamespace

import pytest
import torch
from exact import EpsModel, Gaussian, unused
from resolved import sampler as resolved

from uncanny.diffusion import schedules
from uncanny.diffusion.processes import discrete
from uncanny.registry import components
from uncanny.runtime import checkpoints, files
from uncanny.runtime.random_streams import image_seeds
from uncanny.samplers.ddim import ddim
from uncanny.sampling import drawing, job
from uncanny.training import segments

CPU = torch.device("cpu")
IDENTITY = {
    "dataset": "digits",
    "process": {"kind": "discrete", "num_levels": 1000},
    "schedule": {"kind": "linear", "scale": 0.25},
    "network": {"kind": "unet", "width": 8, "multipliers": [1], "blocks": 1, "attention": [], "dropout": 0.0},
    "training": {"batch_size": 50, "lr": 0.002, "ema": {"kind": "constant", "beta": 0.9}},
    "conditional": False,
}  # fmt: skip
OPTIONS = {"kind": "ddim", "num_steps": 4, "times": "ddim", "init": "marginal"}
DDIM = resolved("discrete", OPTIONS)
SEEDS = image_seeds(0, 0, 7)


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "epoch-0.pt"
    segments.run(
        identity=IDENTITY, seed=0, epoch=0, dataset=data.folder, previous=None,
        checkpoint=path, history=path.with_suffix(".json"), threads=1,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(("name", "scale"), [("lin025", 0.25), ("lin050", 0.5), ("lin100", 1.0)])
def test_an_exact_walk_from_the_marginal_keeps_the_mean(name, scale):
    """From noise, lin025 ends at 0.3415 instead of 0.4 (see test_samplers)."""
    model = EpsModel(Gaussian(0.5, mean=0.4), schedules.linear(1000, scale=scale))
    mean = torch.full((1, 1), 0.4)
    x, times, more = discrete.init_sampling(
        model, torch.zeros(1, 1), mean, num_steps=1000, times="ddim", init="marginal"
    )
    assert more == {}
    assert float(ddim(model, x, times, noise=unused, clip=False)) == pytest.approx(0.4, abs=1e-6)


def test_the_start_has_the_marginal_distribution():
    betas = schedules.linear(1000, scale=0.25)
    model = EpsModel(Gaussian(), betas)
    originals, latents = torch.randn(2, 3, 1, 4, 4)
    x, times, _ = discrete.init_sampling(model, latents, originals, num_steps=5, init="marginal")
    a = torch.prod(1 - betas)
    wanted = a.sqrt() * originals.double() + (1 - a).sqrt() * latents.double()
    assert times[0] == 999
    assert torch.allclose(x, wanted, atol=1e-12, rtol=0)


def test_noise_is_the_default_and_needs_no_images():
    model = SimpleNamespace(alphas_cumprod=torch.linspace(0.9, 0.1, 10))
    latents = torch.randn(2, 3)
    x, _, _ = discrete.init_sampling(model, latents, num_steps=5)
    assert x is latents
    with pytest.raises(ValueError, match="init: marginal without training images"):
        discrete.init_sampling(model, latents, num_steps=5, init="marginal")


def test_the_config_knows_the_option_and_not_the_images():
    options = components.init_options("discrete")
    assert options["init"][1] == "noise"
    assert set(options) == {"num_steps", "times", "init"}


def test_the_original_of_an_image_is_a_function_of_its_seed():
    assert drawing.chosen([5], 1437) == [drawing.chosen(list(range(9)), 1437)[5]]
    assert len(set(drawing.chosen(list(range(300)), 1437))) > 250


def test_an_image_does_not_depend_on_its_batch(checkpoint, data, monkeypatch):
    model = drawing.Trained.of(checkpoints.load(checkpoint), CPU)
    originals = data.train.images
    together = drawing.draw_images(model, DDIM, SEEDS, originals=originals)
    monkeypatch.setattr(drawing, "BATCH_VALUES", 3 * 64)
    apart = drawing.draw_images(model, DDIM, SEEDS, originals=originals)
    assert torch.allclose(together.images, apart.images, atol=1e-5, rtol=0)
    noise = drawing.draw_images(
        model, resolved("discrete", OPTIONS | {"init": "noise"}), SEEDS, originals=originals
    )
    assert not torch.allclose(together.images, noise.images, atol=0.1)
    assert noise.labels.tolist() == together.labels.tolist()


def test_a_cell_that_starts_from_data_says_so(checkpoint, data, tmp_path):
    arguments = {
        "checkpoint": checkpoint, "identity": IDENTITY, "seed": 0, "sampler": DDIM, "draw": 0,
        "num_images": 6, "samples": tmp_path / "s.npz", "record": tmp_path / "s.json", "threads": 1,
    }  # fmt: skip
    job.run(**arguments, dataset=data.folder)
    record = files.read_json(tmp_path / "s.json")
    assert record["status"] == "ok"
    assert record["sampler"]["init_sampling"]["init"] == "marginal"
    with pytest.raises(ValueError, match="init: marginal without training images"):
        job.run(**arguments)
