"""The lanes of figure 1, and the traces that they are drawn from."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from exact import EpsModel, Gaussian
from matplotlib.colors import to_hex
from resolved import sampler as resolved

from uncanny.datasets import to_model
from uncanny.diffusion import schedules
from uncanny.diffusion.processes import continuous, discrete
from uncanny.figures import saving
from uncanny.figures.figure_data import FigureData, Trace, read
from uncanny.figures.processes import COLORS, FORMULAS, facts, processes
from uncanny.sampling import drawing, trajectories

RAMP = np.linspace(0, 255, 16).astype(np.uint8).reshape(1, 4, 4)
CHECKS = np.indices((4, 4)).sum(axis=0, dtype=np.uint8)[None] % 2 * 255  # the most contrast
TRAINING = np.stack([np.full((1, 4, 4), 200, np.uint8), RAMP, CHECKS, RAMP])
HEUN_OPTIONS = {"kind": "heun", "num_steps": 18, "grid": "polynomial"}
HEUN = resolved("continuous", HEUN_OPTIONS)
DDIM = resolved("discrete", {"kind": "ddim", "num_steps": 20, "times": "ddim"})


class Exact(torch.nn.Module):
    """Stands for a network: the family binds the closed-form answer instead."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))


def model_of(family, answer):
    family.bind = lambda network, labels: answer
    return drawing.Trained(family, Exact(), (1, 4, 4), 0, False)


def diffusion():
    family = continuous.continuous(None, preconditioning="vp")
    answer = Gaussian(0.5)
    answer.preconditioning = family.preconditioning
    return model_of(family, answer)


def chain():
    betas = schedules.linear(1000)
    return model_of(discrete.Discrete(betas), EpsModel(Gaussian(0.5), betas))


KINDS = {diffusion: "continuous", chain: "discrete"}


class TestTraces:
    @pytest.mark.parametrize(("model", "options"), [(diffusion, HEUN), (chain, DDIM)])
    def test_levels_and_ends(self, model, options):
        result = trajectories.trace(model(), KINDS[model], options, TRAINING, shrinks=True)
        sigma = result["sigma"]
        assert (len(sigma), sigma[0]) == (9, 0)
        assert (np.diff(sigma) > 0).all()
        assert result["alpha_bar"] == pytest.approx(1 / (1 + sigma**2))
        assert result["forward"].shape == result["backward"].shape == (9, 1, 4, 4)
        assert result["forward"][0] == pytest.approx(CHECKS / 127.5 - 1, abs=0.01)

    @pytest.mark.parametrize(("model", "options"), [(diffusion, HEUN), (chain, DDIM)])
    def test_way_out_ends_in_the_image_that_is_drawn(self, model, options):
        result = trajectories.trace(model(), KINDS[model], options, TRAINING, shrinks=True)
        drawn = drawing.draw_images(model(), options, range(trajectories.CANDIDATES)).images.numpy()
        real = to_model(TRAINING).double().numpy()
        distances = np.square(drawn[:, None] - real).sum(axis=(2, 3, 4)).min(axis=1)
        assert result["backward"][0] == pytest.approx(drawn[distances.argmin()])

    def test_images_are_chosen_among_parts_as_among_all(self, monkeypatch):
        images = torch.rand(5, 1, 4, 4, dtype=torch.float64) * 2 - 1
        images[3] = to_model(RAMP) + 0.01
        assert trajectories._most_real(images, TRAINING) == 3
        monkeypatch.setattr(trajectories, "AT_ONCE", 1)
        assert trajectories._most_real(images, TRAINING) == 3
        assert trajectories._most_contrast(TRAINING).equal(to_model(CHECKS).double())

    def test_way_out_is_the_walk_itself(self):
        """Under the exact denoiser a state is the latent, scaled by the spread of its level."""
        result = trajectories.trace(
            diffusion(),
            "continuous",
            resolved("continuous", HEUN_OPTIONS | {"num_steps": 200}),
            TRAINING,
            shrinks=True,
        )
        spread = np.sqrt((0.25 + result["sigma"] ** 2) / (1 + result["sigma"] ** 2))
        ratio = result["backward"] / result["backward"][-1]
        expected = spread / spread[-1]
        assert ratio == pytest.approx(
            np.broadcast_to(expected[:, None, None, None], ratio.shape), rel=1e-3
        )

    def test_way_in_is_one_path_of_growing_noise(self):
        sigma = torch.tensor([0.0, 0.1, 0.5, 1, 2, 5, 20, 50, 80], dtype=torch.float64)
        noise = trajectories._noise(sigma, torch.zeros(1, 40, 40)).numpy()
        assert noise.std(axis=(1, 2, 3)) == pytest.approx(sigma.numpy(), rel=0.1)
        steps = np.diff(noise, axis=0).reshape(8, -1)
        apart = np.corrcoef(steps) - np.eye(8)
        assert np.abs(apart).max() < 0.12

    def test_a_process_that_does_not_shrink_the_image_has_no_alpha_bar(self):
        result = trajectories.trace(diffusion(), "continuous", HEUN, TRAINING, shrinks=False)
        assert np.isnan(result["alpha_bar"]).all()

    def test_levels_are_in_the_units_of_the_images(self):
        """A family that sees images in [0, 1] has noise levels of half the size."""
        family = SimpleNamespace(finish=lambda x: 2 * x - 1)
        sigma, x = trajectories._unscaled(family, "annealed", 0.5, torch.tensor([0.0, 0.25, 1.0]))
        assert (sigma, x.tolist()) == (1.0, [-1, -0.5, 1])

    def test_lanes_are_named_by_their_family(self):
        assert (
            trajectories.trace(chain(), "discrete", DDIM, TRAINING, shrinks=True)["lane"] == "DDPM"
        )
        assert (
            trajectories.trace(diffusion(), "continuous", HEUN, TRAINING, shrinks=True)["lane"]
            == "SDE"
        )


def trace(model="vp", lane="SDE", seed=0, epoch=30, count=5):
    sigma = np.linspace(0, 4, count)
    alpha_bar = 1 / (1 + sigma**2)
    rng = np.random.default_rng(seed)
    ways = [rng.uniform(-1.2, 1.2, (count, 1, 4, 4)) for _ in range(2)]
    return Trace(model, seed, "HEUN", epoch, lane, "noise level", *ways, sigma, alpha_bar)


def draw(*result, panels=None):
    models = {t.model: {} for t in result}
    panels = panels or [{"models": [name], "samplers": ["HEUN"]} for name in models]
    return processes(FigureData(models=models, traces=list(result)), panels)


class TestLanes:
    def test_images_are_those_of_the_trace(self):
        one = trace()
        figure, drawn = draw(one)
        shown = [np.asarray(artist.get_array()) for artist in figure.axes[0].images]
        both = np.concatenate([one.forward, one.backward])[:, 0]
        for image, expected in zip(shown, both, strict=True):
            assert image == pytest.approx(np.floor(np.clip(127.5 * expected + 128, 0, 255)))
        assert drawn["sigma"].tolist() == [*one.sigma, *one.sigma]
        assert drawn["sha256"].is_unique

    def test_lanes_have_their_colours_and_numbers(self):
        figure, _ = draw(trace("n", "NCSN"), trace("d", "DDPM"), trace("s", "SDE"))
        for ax, lane in zip(figure.axes, ("NCSN", "DDPM", "SDE"), strict=True):
            texts = {text.get_text(): text for text in ax.texts}
            assert to_hex(texts[lane].get_color()) == COLORS[lane]
            assert {"forward", "backward", "4", "0.059"} <= set(texts)

    def test_a_lane_has_the_formula_of_its_process(self):
        variance_kept, exploding = trace("s"), replace(trace("e"), alpha_bar=np.full(5, np.nan))
        figure, drawn = draw(variance_kept, exploding)
        first, second = ({text.get_text() for text in ax.texts} for ax in figure.axes)
        assert FORMULAS["SDE", True] in first and FORMULAS["SDE", False] in second
        assert trajectories.CANDIDATES == 8
        assert "first eight images" in " ".join(drawn.attrs["facts"])

    def test_last_epoch_and_first_seed(self):
        _, drawn = draw(trace(seed=1), trace(seed=0), trace(epoch=10))
        assert drawn[["seed", "epoch"]].drop_duplicates().values.tolist() == [[0, 30]]

    def test_refusals(self):
        panel = {"models": ["vp", "ve"], "samplers": ["HEUN"]}
        with pytest.raises(
            ValueError, match="expected one model with one sampler in a panel, got 2 curves"
        ):
            draw(trace(), panels=[panel])
        with pytest.raises(ValueError, match="no trace of ve with HEUN"):
            draw(trace(), panels=[panel | {"models": ["ve"]}])

    def test_files(self, tmp_path):
        one = trace()
        path = tmp_path / "traces/vp/seed-0/HEUN/epoch-30.npz"
        path.parent.mkdir(parents=True)
        arrays = {key: getattr(one, key) for key in ("forward", "backward", "sigma", "alpha_bar")}
        np.savez(path, **arrays, lane=one.lane, axis=one.axis)
        (same,) = read({"traces": [path]})["traces"]
        for name, result in (("a", one), ("b", same)):
            figure, drawn = draw(result)
            saving.save(figure, drawn, tmp_path / name)
        assert facts(pd.read_csv(tmp_path / "a.csv")) == drawn.attrs["facts"]
        for suffix in ("pdf", "png", "csv"):
            assert (tmp_path / f"a.{suffix}").read_bytes() == (
                tmp_path / f"b.{suffix}"
            ).read_bytes()
