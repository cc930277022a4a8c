"""Discrete models that predict v or learn their variance: recorded losses and runs, conversions."""

import math

import pytest
import torch
from exact import EpsModel, Gaussian, Mixture, Replayed, arrays, assert_close, tensor
from test_configuration import changed, plan

from uncanny.diffusion import chain, forward, losses, schedules, variational
from uncanny.diffusion.processes.discrete import Discrete
from uncanny.diffusion.sigma_view import SigmaDenoiser
from uncanny.networks import building
from uncanny.runtime.random_streams import generator
from uncanny.samplers.ancestral import ancestral

LOSSES, RUNS, SAMPLERS = (arrays(name) for name in ("losses", "learned_variance", "samplers"))
IMAGES = tensor(LOSSES["images"])
LINEAR = schedules.linear(1000)


class Known(torch.nn.Module):
    """A network with the outputs of a function of (x, t)."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.scale = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x, t, labels=None):
        return self.scale * self.function(x, t.long())


def bound(function, betas=LINEAR, **options):
    """The model of a discrete process with a known network."""
    return Discrete(betas, **options).bind(Known(function).requires_grad_(False), None)


def with_share(eps):
    """eps and the second output of the recorded runs, sin(3 x)."""
    return lambda x, t: torch.cat([eps(x, t), torch.sin(3 * x)], dim=1)


def toy(eps):
    return lambda x, t: 0.9 * eps(x, t) + 0.05


# --- Learned variance ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_recorded_terms_and_hybrid_loss(name):
    model = EpsModel(Mixture(LOSSES, "gmm"), getattr(schedules, name)(1000))
    stored = {key: tensor(LOSSES[f"ddpm/{name}_T1000/{key}"]) for key in ("t", "noise", "x_t")}
    t, x = stored["t"], stored["x_t"]
    eps = toy(model)(x, t)
    terms = variational.terms(IMAGES, x, t, eps, model.alphas_cumprod, torch.sin(3 * x))
    result = {key: RUNS[f"ddpm/{name}_T1000/{key}"] for key in ("hybrid/vb", "hybrid/loss", "rescaled_kl/loss")}  # fmt: skip
    assert_close(terms, result["hybrid/vb"], 1e-9)  # times T / 1000 = 1
    assert_close(1000 * terms, result["rescaled_kl/loss"], 1e-9)
    simple = losses.prediction_loss(toy(model), IMAGES, t, stored["noise"], model.alphas_cumprod)
    assert_close(simple + terms, result["hybrid/loss"], 1e-9)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_the_loss_of_the_process_is_hybrid_and_its_bound_trains_the_variance_alone(prediction):
    family = Discrete(LINEAR, prediction, learns_variance=True)
    model = EpsModel(Mixture(LOSSES, "gmm"), LINEAR)

    def predicted(x, t):
        eps = toy(model)(x, t)
        a = forward.per_image(model.alphas_cumprod[t], x)
        return eps if prediction == "eps" else (eps - (1 - a).sqrt() * x) / a.sqrt()

    class Half(Known):
        def forward(self, x, t, labels=None):  # only the first output has a weight
            return torch.cat([self.scale * predicted(x, t.long()), torch.sin(3 * x)], dim=1)

    plain = Discrete(LINEAR, prediction)
    simple, network = Known(predicted), Half(None)
    loss = family.loss(network, IMAGES, None, generator("a"))
    without = plain.loss(simple, IMAGES, None, generator("a"))
    # The same draws: what is left is the bound at their times
    draws = generator("a")
    t = torch.randint(1000, (len(IMAGES),), generator=draws)
    noise = torch.randn(IMAGES.shape, generator=draws, dtype=IMAGES.dtype)
    x = chain.diffuse(IMAGES, noise, model.alphas_cumprod[t])
    terms = variational.terms(IMAGES, x, t, toy(model)(x, t), model.alphas_cumprod, torch.sin(3 * x))  # fmt: skip
    assert_close((loss - without).detach(), terms, 1e-8)
    loss.sum().backward()
    without.sum().backward()
    assert_close(network.scale.grad, simple.scale.grad, 1e-12)


def test_a_recorded_run_with_learned_variance():
    name = "diffusion/ddpm-learnedrange-50"
    exact = EpsModel(Mixture(SAMPLERS, "gmm_a"), LINEAR)
    model = bound(with_share(exact), learns_variance=True)
    times = torch.cat([tensor(RUNS[f"{name}/model_timesteps"]), torch.tensor([-1])])
    latents = tensor(SAMPLERS["latents"])[:2]
    noise = Replayed(RUNS[f"{name}/noise"])
    x = ancestral(model, latents, times, noise=noise, variance="learned")
    assert_close(x, RUNS[f"{name}/x_final"], 1e-9)


@pytest.mark.parametrize(("share", "variance"), [(-1.0, "small"), (1.0, "large")])
def test_the_ends_of_the_range_are_the_bounds(share, variance):
    exact = EpsModel(Mixture(SAMPLERS, "gmm_a"), LINEAR)

    def network(x, t):
        return torch.cat([exact(x, t), torch.full_like(x, share)], dim=1)

    times, noise = schedules.ancestral_times(1000, 7), tensor(RUNS["diffusion/ddpm-learnedrange-50/noise"])  # fmt: skip
    latents = tensor(SAMPLERS["latents"])[:2]
    model = bound(network, learns_variance=True)
    learned = ancestral(model, latents, times, noise=lambda i, like: noise[i], variance="learned")
    fixed = ancestral(exact, latents, times, noise=lambda i, like: noise[i], variance=variance)
    assert_close(learned, fixed, 1e-12)


def test_a_network_has_a_second_output_for_the_variance():
    identity = {
        "process": {"kind": "discrete", "num_levels": 100, "variance": "learned_range"},
        "schedule": {"kind": "linear", "scale": 1.0},
        "network": {"kind": "unet", "width": 8, "multipliers": [1], "blocks": 1, "attention": []},
        "conditional": False,
    }
    network = building.build_network(identity, (3, 8, 8), 0)
    family = building.build_family(identity)
    model = family.bind(network, None)
    eps, share = model(torch.zeros(2, 3, 8, 8), 3, variance=True)
    assert eps.shape == share.shape == (2, 3, 8, 8)
    assert model(torch.zeros(2, 3, 8, 8), 3).shape == (2, 3, 8, 8)


# --- The bound -----------------------------------------------------------------------------------


def test_probabilities_of_grey_values_add_up_to_one():
    grey = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    for mean, std in ((0.1, 0.3), (-1.2, 0.05), (0.9, 2.0)):
        log_p = variational.grey_log_likelihood(
            grey, torch.tensor(mean), torch.tensor(std, dtype=torch.float64).log()
        )
        assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-9)


def test_the_bound_of_gaussian_data_in_closed_form():
    """L_T + .. + L_1 is the information on x0 in the least noisy state, and the distance of every
    reverse step of variance beta_tilde from the true one, which has the same mean.
    """
    std, model = 0.5, EpsModel(Gaussian(0.5), schedules.linear(250))
    a = model.alphas_cumprod
    draws = torch.Generator().manual_seed(0)
    x0 = std * torch.randn(500, 8, generator=draws, dtype=torch.float64)
    bits = variational.prior_term(x0, a)
    for t in range(1, len(a)):
        times = torch.full((len(x0),), t)
        x = chain.diffuse(x0, torch.randn(x0.shape, generator=draws, dtype=torch.float64), a[t])
        bits = bits + variational.terms(x0, x, times, model(x, times), a, None)
    # Var(x0 | x_t), and of the true reverse step: beta_tilde + x0_coef^2 Var(x0 | x_t)
    unknown = 1 / (1 / std**2 + a / (1 - a))
    step = chain.posterior(a[1:], a[:-1])
    ratio = 1 + step.x0_coef**2 * unknown[1:] / step.variance
    last = a[-1] * std**2 + 1 - a[-1]
    in_nats = (std**2 / unknown[0]).log() + (ratio - 1 - ratio.log()).sum() + last - 1 - last.log()
    assert float(bits.mean()) == pytest.approx(float(in_nats) / 2 / math.log(2), abs=0.05)


# --- Prediction of v -----------------------------------------------------------------------------


def test_v_and_eps_are_two_forms_of_one_prediction():
    x0, noise = torch.randn(2, 5, 3, 4, 4, generator=generator("v"), dtype=torch.float64)
    a = torch.tensor([1e-9, 0.01, 0.5, 0.99, 1 - 1e-9], dtype=torch.float64)
    x = chain.diffuse(x0, noise, a)
    v = chain.v_of(x0, noise, a)
    assert_close(chain.eps_from_v(x, v, a), noise, 1e-13)
    # x0 = sqrt(a) x - sqrt(1 - a) v, also where the signal is gone
    s, n = forward.per_image(a.sqrt(), x), forward.per_image((1 - a).sqrt(), x)
    assert_close(s * x - n * v, x0, 1e-13)


def of_v(exact):
    """The exact v of a model of the noise."""

    def v(x, t):
        a = forward.per_image(exact.alphas_cumprod[t], x)
        return (exact(x, t) - (1 - a).sqrt() * x) / a.sqrt()

    return v


def test_a_model_of_v_is_sampled_as_the_model_of_the_noise():
    exact = EpsModel(Mixture(SAMPLERS, "gmm_a"), LINEAR)
    model = bound(of_v(exact), prediction="v")
    x = tensor(SAMPLERS["latents"])
    for t in (0, 3, 500, 999):
        assert_close(model(x, t), exact(x, t), 1e-11)
        rows = torch.full((len(x),), float(t))
        assert_close(model(x, rows), exact(x, t), 1e-11)


def test_a_model_of_the_image_is_sampled_as_the_model_of_the_noise():
    exact = EpsModel(Mixture(SAMPLERS, "gmm_a"), LINEAR)

    def image(x, t):
        a = forward.per_image(exact.alphas_cumprod[t], x)
        return (x - (1 - a).sqrt() * exact(x, t)) / a.sqrt()

    model, x = bound(image, prediction="x0"), tensor(SAMPLERS["latents"])
    for t in (0, 3, 500, 999):
        assert_close(model(x, t), exact(x, t), 1e-11)
        assert_close(model(x, torch.full((len(x),), float(t))), exact(x, t), 1e-11)


def test_the_loss_of_the_image_is_that_of_eps_over_the_signal_to_noise_ratio():
    exact = EpsModel(Mixture(LOSSES, "gmm"), LINEAR)
    t, noise = (tensor(LOSSES[f"ddpm/linear_T1000/{key}"]) for key in ("t", "noise"))
    a = exact.alphas_cumprod

    def image(x, t):
        return chain.x0_from_eps(x, exact(x, t), forward.per_image(a[t], x))

    of_eps = losses.prediction_loss(exact, IMAGES, t, noise, a)
    result = losses.prediction_loss(image, IMAGES, t, noise, a, "x0")
    assert_close(result, of_eps * (1 - a[t]) / a[t], 1e-9)


def test_between_times_of_training_the_noise_level_is_that_of_the_view():
    view = SigmaDenoiser(bound(lambda x, t: torch.zeros_like(x), prediction="v"))
    x = tensor(SAMPLERS["latents"])
    # v = 0: x0 = sqrt(alpha_bar) x_t = y / (1 + sigma^2), at any sigma
    for sigma in (0.02, 0.5, 3.3, 40.0):
        level = torch.tensor(sigma, dtype=torch.float64)
        assert_close(view(x * sigma, level), x * sigma / (1 + sigma**2), 1e-9)


def test_the_loss_of_v_is_that_of_eps_over_alpha_bar():
    exact = EpsModel(Mixture(LOSSES, "gmm"), LINEAR)
    t, noise = (tensor(LOSSES[f"ddpm/linear_T1000/{key}"]) for key in ("t", "noise"))
    a = exact.alphas_cumprod
    of_eps = losses.prediction_loss(exact, IMAGES, t, noise, a)
    result = losses.prediction_loss(of_v(exact), IMAGES, t, noise, a, "v")
    assert_close(result, of_eps / a[t], 1e-9)
    # SNR + 1 times the error of the predicted image
    x = chain.diffuse(IMAGES, noise, a[t])
    shaped = forward.per_image(a[t], x)
    error = losses.pixel_mean((chain.x0_from_eps(x, exact(x, t), shaped) - IMAGES) ** 2)
    assert_close(result, (a[t] / (1 - a[t]) + 1) * error, 1e-9)


# --- The config ----------------------------------------------------------------------------------


def test_usual_options_are_not_part_of_an_identity():
    before = plan(changed(("study",), "tiny"))
    options = {"prediction": "eps", "variance": "fixed"}
    process = before.config["processes"]["ddpm"]
    written = plan(changed(("processes", "ddpm"), process | options))
    assert written.identity("ddpm_cosine") == before.identity("ddpm_cosine")
    assert before.identity("ddpm_cosine")["process"] == {"kind": "discrete", "num_levels": 1000}
    other = plan(changed(("processes", "ddpm", "prediction"), "v"))
    assert other.identity("ddpm_cosine")["process"]["prediction"] == "v"


def test_a_learned_variance_needs_a_model_that_has_learned_one():
    config = changed(("samplers", "MARK", "variance"), "learned")
    with pytest.raises(
        ValueError, match=r"samplers\.MARK\.variance: learned, for model 'ddpm_cosine'"
    ):
        plan(config)
    config["processes"]["ddpm"]["variance"] = "learned_range"
    assert plan(config)
    with pytest.raises(ValueError, match=r"prediction: 'x1' is not one of eps, v, x0"):
        plan(changed(("processes", "ddpm", "prediction"), "x1"))
