"""Losses by noise level, samples of one checkpoint in many ways, and the grid that follows from them."""

import numpy as np
import pytest
import torch
from exact import Gaussian as GaussianDenoiser
from resolved import sampler as resolved

from uncanny.datasets import Dataset
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.diffusion import sigma_grids
from uncanny.diffusion.theory import laws, leading_order, measured, perturbations
from uncanny.diffusion.theory.targets import Gaussian
from uncanny.evaluation import denoising_losses, extractors, features
from uncanny.evaluation.extractors.vectors import vectors
from uncanny.experiments import sampler_comparison
from uncanny.runtime import checkpoints, files
from uncanny.samplers.reverse_sde import reverse_sde
from uncanny.training import segments

NETWORK = {
    "kind": "mlp", "width": 16, "hidden": 1, "embedding": "positional", "fourier_scale": 16.0, "dropout": 0.0,
}  # fmt: skip
IDENTITY = {
    "dataset": "ring", "schedule": None, "network": NETWORK, "conditional": False,
    "process": {"kind": "continuous", "preconditioning": "edm", "levels": "matched", "weight": "matched"},
    "training": {"batch_size": 32, "lr": 0.001, "ema": {"kind": "constant", "beta": 0.9, "warmup": True}},
}  # fmt: skip
OPTIONS = {"split": "test", "items": 100, "levels": 12, "sigma_min": 0.002, "sigma_max": 80.0}
NAMES = {"model": "ring_edm", "dataset": "ring"}


def sampler(grid, kind="reverse_sde", num_steps=5):
    return resolved("continuous", {"kind": kind, "num_steps": num_steps, "grid": grid})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ring, checkpoints of an untrained and a trained model, their losses."""
    folder = tmp_path_factory.mktemp("ring")
    gaussian_ring(folder / "ring", num_modes=4, dim=3, n=64, n_test=120)
    previous = None
    for epoch in (0, 2):
        path = folder / f"epoch-{epoch}.pt"
        segments.run(
            identity=IDENTITY, seed=0, epoch=epoch, dataset=folder / "ring", previous=previous,
            checkpoint=path, history=path.with_suffix(".json"), threads=1,
        )  # fmt: skip
        previous = path if epoch else None
    for epoch in (0, 2):
        measure(folder, epoch)
    return folder


def measure(folder, epoch, **changes):
    options = {
        **{"checkpoint": folder / f"epoch-{epoch}.pt", "best": folder / "epoch-2.pt", "seed": 0},
        **{"identity": IDENTITY, "dataset": folder / "ring", "options": OPTIONS, "names": NAMES},
        **{"output": folder / f"losses-{epoch}.json", "threads": 1},
    }
    denoising_losses.run(**(options | changes))
    return files.read_json(options["output"])


class TestLosses:
    def test_an_untrained_model_predicts_what_its_preconditioning_says(self, folder):
        """F = 0: D = c_skip x, whose loss is known for data of a known second moment."""
        result = files.read_json(folder / "losses-0.json")
        sigma = np.array(result["sigma"])
        skip = 0.25 / (sigma**2 + 0.25)
        expected = (1 - skip) ** 2 * result["second_moment"] + 3 * (skip * sigma) ** 2
        np.testing.assert_allclose(result["loss"], expected, rtol=0.15)
        assert (result["levels"], result["weight"]) == ("lognormal", "unit_output")
        assert (result["dim"], result["n"], result["epoch"], result["step"]) == (3, 100, 0, 0)

    def test_the_best_denoiser_of_a_known_mixture_is_exact(self, folder):
        result = files.read_json(folder / "losses-2.json")
        assert result["against"] == "exact denoiser"
        loss, mmse, distance = (np.array(result[name]) for name in ("loss", "mmse", "distance"))
        assert (mmse <= loss * 1.02).all()
        np.testing.assert_allclose(loss, mmse + distance, rtol=0.15)
        assert mmse[-1] == pytest.approx(result["second_moment"], rel=0.05)

    def test_without_a_known_law_another_checkpoint_stands_for_it(self, folder, tmp_path):
        data = Dataset.open(folder / "ring")
        plain = Dataset(**{**data.__dict__, "parameters": {}})
        ideal, against = denoising_losses._ideal(
            plain, folder / "epoch-2.pt", IDENTITY, 0, None, torch.device("cpu")
        )
        assert against == "epoch 2"
        x = torch.ones(2, 3, dtype=torch.float64)
        assert ideal(slice(0, 2))(x, 1.0).shape == (2, 3)

    def test_noise_is_the_same_for_every_checkpoint_and_batch(self, folder, monkeypatch):
        before = files.read_json(folder / "losses-2.json")
        monkeypatch.setattr("uncanny.sampling.drawing.BATCH_VALUES", 21)
        again = measure(folder, 2)
        np.testing.assert_allclose(again["loss"], before["loss"], rtol=1e-4)

    def test_what_cannot_be_measured_is_named(self, folder, tmp_path):
        state = checkpoints.load(folder / "epoch-2.pt")
        path = tmp_path / "epoch-2.pt"
        checkpoints.save(
            path, state | {"status": "diverged", "reason": "loss not finite at step 3"}
        )
        with pytest.raises(ValueError, match=r"epoch-2\.pt: the model diverged: loss not finite"):
            measure(folder, 2, checkpoint=path)


RECORD = {"sigma": np.geomspace(0.002, 80, 60).tolist(), "dim": 1}


class TestDerivedGrid:
    def grid(self, std, num_steps=18, **options):
        lam = np.array(RECORD["sigma"]) ** 2
        loss = (std**2 * lam / (std**2 + lam)).tolist()
        record = RECORD | {"loss": loss}
        return sigma_grids.derived(num_steps, 0.002, 80.0, losses=record, **options).numpy()

    def test_a_point_gives_the_exponential_grid(self):
        result = self.grid(1e-6, even_share=0.0)
        assert result[-1] == 0
        np.testing.assert_allclose(
            result[:-1], sigma_grids.exponential(18, 0.002, 80.0)[:-1], rtol=1e-3
        )

    def test_broad_data_give_steps_that_are_even_in_the_noisy_width(self):
        result = self.grid(0.5, even_share=0.0)[:-1]
        steps = np.diff(np.log(0.25 + result**2))
        np.testing.assert_allclose(steps, steps.mean(), rtol=0.03)

    def test_a_share_of_even_steps_bounds_the_longest(self):
        step = -np.diff(np.log(self.grid(0.5, even_share=0.5)[:-1]))
        assert step.max() <= np.log(80 / 0.002) / (0.5 * 17) * 1.01

    def test_mistakes_are_named(self):
        with pytest.raises(
            ValueError, match="grid derived: no losses; expected those of the model's checkpoint"
        ):
            sigma_grids.derived(5, 0.002, 80.0)
        with pytest.raises(ValueError, match=r"losses are measured from sigma 0\.002 to 80; the"):
            sigma_grids.derived(5, 0.001, 80.0, losses=RECORD | {"loss": [1e-9] * 60})
        with pytest.raises(ValueError, match="num_steps=1: a grid"):
            sigma_grids.derived(1, 0.002, 80.0, losses=RECORD | {"loss": [1e-9] * 60})


class TestReverseSde:
    def test_moments_are_those_of_the_exact_law(self):
        """Recorded noise, one at a time: the squares of its weights are the variance."""
        sigmas = sigma_grids.exponential(12, 0.002, 80.0)[:-1]
        std, basis = 0.3, torch.eye(12, dtype=torch.float64)
        noise = lambda i, like: basis[:, i + 1 : i + 2]  # noqa: E731
        x = reverse_sde(GaussianDenoiser(std), basis[:, :1], sigmas, noise=noise)
        slope, offset = perturbations.affine_score(
            "gain", np.array(0.0), np.array([std**2]), sigmas.numpy() ** 2
        )
        law = laws.output_law(sigmas.numpy(), laws.step_maps("sde", sigmas.numpy(), slope, offset))
        assert float((x**2).sum()) == pytest.approx(float(law.variance[0]), rel=1e-12)

    def test_the_last_step_to_zero_denoises(self):
        sigmas = torch.tensor([5.0, 1.0, 0.0], dtype=torch.float64)
        model = GaussianDenoiser(0.3)
        first = reverse_sde(model, torch.ones(1, 2), sigmas[:2], noise=lambda i, like: 0 * like)
        whole = reverse_sde(model, torch.ones(1, 2), sigmas, noise=lambda i, like: 0 * like)
        assert torch.equal(whole, model(first, sigmas[1]))

    def test_only_the_grid_counts_not_the_clock(self):
        from uncanny.diffusion.forward import Path

        sigmas = sigma_grids.polynomial(6, 0.02, 80.0)
        images = [
            reverse_sde(GaussianDenoiser(), torch.ones(1, 2), sigmas, noise=lambda i, like: like * 0 + i,
                        path=Path.named(time, "none", 0.02, 80.0))
            for time in ("linear", "ve")
        ]  # fmt: skip
        assert torch.equal(*images)
        with pytest.raises(ValueError, match="scaling 'vp'; expected none"):
            reverse_sde(
                GaussianDenoiser(),
                torch.ones(1, 2),
                sigmas,
                noise=None,
                path=Path.named("vp", "vp", 0.02, 80.0),
            )


@pytest.fixture(scope="module")
def record(folder):
    state = vectors(Dataset.open(folder / "ring"))
    extractors.save(folder / "values.pt", state)
    network = extractors.Extractor(state)
    real = Dataset.open(folder / "ring").test.images
    features.save(
        folder / "real.npz", features.extract(network, real, 50), {"extractor": network.id}
    )
    samplers = {f"sde_{grid}": sampler(grid) for grid in ("polynomial", "exponential", "derived")}
    samplers["heun_polynomial"] = sampler("polynomial", "heun", 3)
    sampler_comparison.run(
        checkpoint=folder / "epoch-2.pt", identity=IDENTITY, seed=0, losses=folder / "losses-2.json",
        samplers=samplers, extent={"sampling_seeds": [0, 2], "num_images": 30},
        metric={"kind": "sliced_w2", "projections": 8, "seed": 1}, extractor=folder / "values.pt",
        reference=folder / "real.npz", names=NAMES | {"metric": "w2"}, output=folder / "c.json", threads=1,
    )  # fmt: skip
    return files.read_json(folder / "c.json")


class TestComparing:
    def test_every_sampler_with_every_draw(self, record):
        keys = [(row["sampler"], row["draw"]) for row in record["scores"]]
        assert len(keys) == len(set(keys)) == 8
        by_sampler = {row["sampler"]: row for row in record["scores"]}
        assert by_sampler["sde_derived"]["solver"] == "sde"
        assert by_sampler["heun_polynomial"]["nfe"] == 5
        assert by_sampler["sde_polynomial"]["rho"] == 7.0
        assert (record["epoch"], record["step"], record["metric"]) == (2, 4, "w2")
        assert all(row["value"] > 0 and row["se"] > 0 for row in record["scores"])

    def test_nodes_are_those_of_the_walk(self, record, folder):
        rows = {row["sampler"]: row["nodes"] for row in record["scores"]}
        assert rows["sde_polynomial"] == sigma_grids.polynomial(5, 0.002, 80.0)[:-1].tolist()
        result = files.read_json(folder / "losses-2.json")
        sigma, density = measured.own_density(result["sigma"], result["loss"], 3, (0.002, 80.0))
        assert len(rows["sde_derived"]) == 5
        assert np.isfinite(density).all()
        assert sigma[0] == pytest.approx(0.002)


def test_the_density_of_a_gaussian_is_the_exact_one():
    target, sigma = Gaussian([0.3], [2]), np.geomspace(0.002, 80, 60)
    loss = 2 * 0.09 * sigma**2 / (0.09 + sigma**2)
    fine, density = measured.own_density(sigma, loss, 2, (0.01, 50.0))
    explained = leading_order.exact_explained_noise(target, np.zeros((1, len(fine))), fine)
    exact = leading_order.cost_density(explained, fine)
    np.testing.assert_allclose(density, exact, atol=0.03)
