"""Tests of the training objectives and of their noise levels."""

import pytest
import torch
from exact import EpsModel, Mixture, arrays, assert_close, tensor

from uncanny.diffusion import chain, losses, schedules
from uncanny.diffusion.forward import GeometricClock, Path, VPClock, per_image

STORED = arrays("losses")
IMAGES = tensor(STORED["images"])
LABELS = tensor(STORED["class_labels_onehot"])
PIXELS = IMAGES[0].numel()

LEVELS = {
    "vp": (losses.uniform_time, losses.inverse_variance),
    "ve": (losses.log_uniform, losses.inverse_variance),
    "edm": (losses.lognormal, losses.unit_output),
    "edm_cls": (losses.lognormal, losses.unit_output),
}


class Toy:
    """a D + b with trainable a and b."""

    def __init__(self, model):
        self.model = model
        self.a = tensor(STORED["toy/a"]).requires_grad_()
        self.b = tensor(STORED["toy/b"]).requires_grad_()

    def __call__(self, x, level):
        return self.a * self.model(x, level) + self.b


def off_by_a_tenth(model):
    """0.9 times a prediction plus 0.05."""
    return lambda x, level: 0.9 * model(x, level) + 0.05


@pytest.mark.parametrize("name", LEVELS)
def test_denoising_loss_and_its_gradients(name):
    distribution, weight = LEVELS[name]
    sigma = distribution(tensor(STORED[f"edm/{name}/draw_level"]).flatten())
    noise = tensor(STORED[f"edm/{name}/draw_noise"])
    toy = Toy(Mixture(STORED, "gmm", LABELS if name == "edm_cls" else None))
    loss = losses.denoising_loss(toy, IMAGES, sigma, noise, weight(sigma))
    assert loss.shape == (len(IMAGES),)
    total = loss.mean() * PIXELS
    total.backward()
    assert_close(total.detach(), STORED[f"edm/{name}/loss_sum_over_batch"], 1e-9)
    assert_close(toy.a.grad, STORED[f"edm/{name}/grad_a"], 1e-9)
    assert_close(toy.b.grad, STORED[f"edm/{name}/grad_b"], 1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_eps_loss(name):
    model = EpsModel(Mixture(STORED, "gmm"), getattr(schedules, name)(1000))
    case = {k: tensor(STORED[f"ddpm/{name}_T1000/{k}"]) for k in ("t", "noise", "x_t", "mse")}
    bars = model.alphas_cumprod
    x = chain.diffuse(IMAGES, case["noise"], bars[case["t"]])
    loss = losses.prediction_loss(off_by_a_tenth(model), IMAGES, case["t"], case["noise"], bars)
    assert_close(x, case["x_t"], 1e-12)
    assert_close(loss, case["mse"], 1e-9)


@pytest.mark.parametrize("power", [0, 2])
def test_annealed_score_matching(power):
    data = Mixture(STORED, "gmm")

    def score(x, sigma):
        """The mixture lives in [-1, 1], the samples in [0, 1]."""
        x, sigma = 2 * x - 1, per_image(sigma, x)
        return (0.9 * data(x, 2 * sigma) - x + 0.05) / (2 * sigma**2)

    samples, noise = tensor(STORED["ncsnv2/samples"]), tensor(STORED["ncsnv2/noise"])
    sigma = tensor(STORED["ncsnv2/sigmas"])[tensor(STORED["ncsnv2/labels"])]
    loss = losses.anneal_dsm(score, samples, sigma, noise, power=power)
    expected = STORED[f"ncsnv2/anneal_power{power}/per_sample"]
    assert_close(loss * PIXELS / 2, expected, 1e-9)


def test_continuous_vp_objective_is_the_denoising_loss():
    model, path = Mixture(STORED, "gmm"), Path(VPClock(19.9, 0.1), "vp")
    t = tensor(STORED["sde/vp_continuous/draw_u"]) * (1 - 1e-5) + 1e-5
    noise, sigma = tensor(STORED["sde/vp_continuous/draw_z"]), path.sigma(t)

    def denoiser(x, sigma):
        level = per_image(sigma, x)
        eps = (x - model(x, sigma)) / level
        return x - level * (0.9 * eps + 0.05)

    loss = losses.denoising_loss(denoiser, IMAGES, sigma, noise, losses.inverse_variance(sigma))
    assert_close(loss.mean(), STORED["sde/vp_continuous/loss_lw0_mean1"], 1e-9)


@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_ve_objectives_are_score_matching(kind):
    data = off_by_a_tenth(Mixture(STORED, "gmm"))
    if kind == "continuous":
        t = tensor(STORED["sde/ve_continuous/draw_u"]) * (1 - 1e-5) + 1e-5
        sigma, expected = GeometricClock(0.01, 50.0).sigma(t), "loss_lw0_mean1"
    else:
        levels = schedules.geometric(1000, sigma_begin=50.0, sigma_end=0.01)
        sigma, expected = levels[tensor(STORED["sde/ve_discrete/labels"])], "loss_mean1"
    noise = tensor(STORED[f"sde/ve_{kind}/draw_z"])

    def score(x, sigma):
        return (data(x, sigma) - x) / per_image(sigma, x) ** 2

    loss = losses.anneal_dsm(score, IMAGES, sigma, noise)
    assert_close(loss.mean(), STORED[f"sde/ve_{kind}/{expected}"], 1e-9)


def test_discrete_vp_objective_is_the_eps_loss():
    betas = torch.linspace(0.1 / 1000, 20.0 / 1000, 1000, dtype=torch.float64)
    model = EpsModel(Mixture(STORED, "gmm"), betas)
    t, noise = tensor(STORED["sde/vp_discrete/labels"]), tensor(STORED["sde/vp_discrete/draw_z"])
    loss = losses.prediction_loss(off_by_a_tenth(model), IMAGES, t, noise, model.alphas_cumprod)
    assert_close(loss.mean(), STORED["sde/vp_discrete/loss_mean1"], 1e-9)


@pytest.mark.parametrize("draw", [0.0, 0.25, 1.0])
def test_ends_of_the_uniform_noise_levels(draw):
    uniform = torch.tensor([draw], dtype=torch.float64)
    t = torch.tensor([1 + draw * (1e-5 - 1)], dtype=torch.float64)
    assert_close(losses.uniform_time(uniform), VPClock().sigma(t), 1e-12)
    assert_close(losses.log_uniform(uniform), [0.02 * 5000**draw], 1e-12)


def test_noise_levels_are_computed_in_float64():
    draws = torch.full((3,), 0.5, dtype=torch.float32)
    for distribution, _ in LEVELS.values():
        assert distribution(draws).dtype == torch.float64


@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (5, 7)])
def test_predicting_nothing_scores_one(shape):
    generator = torch.Generator().manual_seed(3)
    x0, noise = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    expected = noise.square().flatten(1).mean(1)
    sigma, t = torch.tensor([0.1, 1, 2, 30, 90.0]), torch.arange(5)
    bars = chain.alphas_cumprod(schedules.linear(1000))
    weight = losses.inverse_variance(sigma)
    result = [
        losses.prediction_loss(lambda x, t: torch.zeros_like(x), x0, t, noise, bars),
        losses.anneal_dsm(lambda x, sigma: torch.zeros_like(x), x0, sigma, noise),
        losses.denoising_loss(lambda x, sigma: x, x0, sigma, noise, weight),
    ]
    for loss in result:
        assert_close(loss, expected, 1e-6)


def test_losses_keep_the_precision_of_the_images():
    x0, noise = torch.zeros(2, 4), torch.ones(2, 4)
    sigma = torch.tensor([1.0, 2.0], dtype=torch.float64)
    bars = chain.alphas_cumprod(schedules.linear(1000))
    result = [
        losses.denoising_loss(lambda x, s: x, x0, sigma, noise, sigma**-2),
        losses.anneal_dsm(lambda x, s: x, x0, sigma, noise),
        losses.prediction_loss(lambda x, t: x, x0, torch.tensor([0, 9]), noise, bars),
    ]
    assert [loss.dtype for loss in result] == [torch.float32] * 3
