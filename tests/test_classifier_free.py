"""Classifier-free guidance: closed forms, evaluations, intervals, training without classes."""

import math

import pytest
import torch
import yaml
from exact import Mixture, arrays, assert_close, tensor, unused
from test_configuration import ROOT, changed, plan

from uncanny.diffusion import chain, schedules, sigma_grids
from uncanny.diffusion.forward import per_image
from uncanny.diffusion.processes import discrete
from uncanny.diffusion.sigma_view import SigmaDenoiser
from uncanny.guidance import guidances
from uncanny.runtime.random_streams import ImageStreams
from uncanny.samplers.ddim import ddim
from uncanny.samplers.heun import heun
from uncanny.samplers.rk45 import rk45
from uncanny.sampling import drawing
from uncanny.training import loop

STORED = arrays("samplers")
X = torch.cat([tensor(STORED["latents"]), -0.7 * tensor(STORED["latents"])])
LABELS = torch.nn.functional.one_hot(torch.arange(8) % 3, 3)
TIMES = schedules.ddim_times(1000, 10)


class Two:
    """Classes N(-1, 1/4) and N(1, 1/4) of equal weight, in one dimension: D of all, and of each."""

    def __init__(self, labels):
        self.labels = labels  # [N], -1 or 1

    def __call__(self, x, sigma, rows=None, unconditional=False):
        sigma = per_image(torch.as_tensor(sigma, dtype=x.dtype), x)
        variance = 0.25 + sigma**2
        # E[class | x] = tanh(x / variance); each class: D = m + (x - m) / 4 / variance
        own = (self.labels if rows is None else self.labels[rows])[:, None]
        mean = torch.tanh(x / variance) if unconditional else own
        return mean + (x - mean) * 0.25 / variance


class Eps:
    """eps(x, t) of a denoiser with classes, for the discrete process."""

    def __init__(self, denoiser):
        self.denoiser, self.labels = denoiser, denoiser.labels
        self.alphas_cumprod = chain.alphas_cumprod(schedules.linear(1000))

    def __call__(self, x, t, rows=None, unconditional=False):
        a = discrete.alpha_bar_at(self.alphas_cumprod, t)
        s, spread = per_image(a.sqrt(), x), per_image((1 - a).sqrt(), x)
        D = self.denoiser(x / s, ((1 - a) / a).sqrt(), rows=rows, unconditional=unconditional)
        return (x - s * D) / spread


class OfMixture:
    """The stored mixture, with and without classes."""

    labels = LABELS

    def __call__(self, x, sigma, rows=None, unconditional=False):
        labels = None if unconditional else LABELS if rows is None else LABELS[rows]
        return Mixture(STORED, "gmm_a", labels)(x, sigma)


def guided(model, level, **options):
    guidance = guidances.classifier_free({}, **options)
    counted = drawing.Counted(model, len(model.labels))
    return guidance.bind(counted, None, None, None, level=level), counted


# --- What guidance does --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["continuous", "discrete", "through sigma"])
def test_accuracy_rises_with_the_scale(kind):
    labels = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(500)
    latents = ImageStreams(range(1000)).latents((1,)).double()
    accuracy = []
    for scale in (0.0, 1.0, 2.0, 4.0):
        if kind == "discrete":
            model, _ = guided(Eps(Two(labels)), "t", scale=scale)
            times = schedules.ddim_times(1000, 100)  # near the data, steps of 10 of 1000 are coarse
            x = ddim(model, latents, times, noise=unused, clip=False)
        else:
            source = Two(labels) if kind == "continuous" else SigmaDenoiser(Eps(Two(labels)))
            model, _ = guided(source, "sigma" if kind == "continuous" else "t", scale=scale)
            x = heun(model, latents, sigma_grids.polynomial(10, 0.02, 80.0), noise=unused)
        accuracy.append(float((x[:, 0] * labels > 0).double().mean()))
    assert accuracy[0] == pytest.approx(0.5, abs=0.05)  # chance
    # P(N(1, 1/4) > 0), to discretisation and the error of a thousand images
    assert accuracy[1] == pytest.approx(0.5 * (1 + math.erf(2 / math.sqrt(2))), abs=0.02)
    assert accuracy == sorted(accuracy)
    assert accuracy[3] > accuracy[1]


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0])
def test_the_guided_score_is_that_of_the_data_and_scale_times_that_of_the_class(scale):
    sigma, x = torch.tensor(0.7, dtype=torch.float64), X.clone().requires_grad_()
    model, _ = guided(OfMixture(), "sigma", scale=scale)
    # ln p(c | x) = ln p(x | c) - ln p(x) + const
    of_class, of_all = (Mixture(STORED, "gmm_a", labels) for labels in (LABELS, None))

    def log_p(mixture):
        flat, variance = x.flatten(1), mixture.stds**2 + sigma**2
        distance = ((flat[:, None] - mixture.means) ** 2).sum(dim=2)
        terms = mixture.weights.log() - flat.shape[1] / 2 * variance.log() - distance / 2 / variance
        return terms.logsumexp(dim=1)

    whole = log_p(of_all) + scale * (log_p(of_class) - log_p(of_all))
    (expected,) = torch.autograd.grad(whole.sum(), x)
    assert_close((model(X, sigma) - X) / sigma**2, expected, 1e-11)


def test_scale_one_is_the_conditional_model_itself():
    model, counted = guided(OfMixture(), "sigma", scale=1.0)
    sigma = torch.tensor(0.7, dtype=torch.float64)
    assert torch.equal(model(X, sigma), OfMixture()(X, sigma))
    assert counted.nfe == 1


# --- Where it acts, and what that costs ----------------------------------------------------------


def test_evaluations_are_two_within_the_interval_and_one_outside():
    sigmas = sigma_grids.polynomial(9, 0.02, 80.0)
    inside = [float(s) for s in sigmas[:-1] if 0.3 < s <= 5]
    model, counted = guided(OfMixture(), "sigma", scale=2.0, sigma_min=0.3, sigma_max=5.0)
    heun(model, X, sigmas, noise=unused)
    # Heun evaluates each level but the first and 0 twice
    assert counted.nfe == 17 + 2 * len(inside)
    assert 0 < len(inside) < 8


def test_outside_the_interval_the_prediction_is_that_of_the_class():
    model, _ = guided(OfMixture(), "sigma", scale=2.0, sigma_min=0.3, sigma_max=5.0)
    always, _ = guided(OfMixture(), "sigma", scale=2.0)
    for sigma, acts in ((0.3, False), (0.31, True), (5.0, True), (5.1, False)):
        level = torch.tensor(sigma, dtype=torch.float64)
        expected = always if acts else OfMixture()
        assert torch.equal(model(X, level), expected(X, level)), sigma


def test_images_at_levels_of_their_own_are_guided_each():
    model, counted = guided(OfMixture(), "sigma", scale=2.0, sigma_min=0.3, sigma_max=5.0)
    sigma = torch.tensor([0.1, 0.5, 0.3, 4.0, 6.0, 5.0], dtype=torch.float64)
    rows = torch.tensor([7, 1, 2, 5, 4, 0])
    result = model(X[rows], sigma, rows=rows)
    assert counted.states == 6 + 3
    always, _ = guided(OfMixture(), "sigma", scale=2.0)
    expected = OfMixture()(X[rows], sigma, rows=rows)
    acts = torch.tensor([1, 3, 5])
    expected[acts] = always(X[rows], sigma, rows=rows)[acts]
    assert_close(result, expected, 1e-12)


def test_an_adaptive_sampler_follows_each_image():
    sigmas = torch.tensor([80.0, 0.02, 0.0], dtype=torch.float64)
    model, _ = guided(OfMixture(), "sigma", scale=2.0, sigma_min=0.3, sigma_max=5.0)
    x = rk45(model, X, sigmas, noise=unused, tol=1e-4)
    steps = heun(model, X, sigma_grids.polynomial(300, 0.02, 80.0), noise=unused)
    assert_close(x, steps, 0.02)  # the slope jumps at the ends of the interval


@pytest.mark.parametrize("through_sigma", [False, True])
def test_the_interval_of_a_discrete_model_is_one_of_times(through_sigma):
    eps = Eps(OfMixture())
    model, counted = guided(eps, "t", scale=2.0, t_min=100, t_max=500)
    expected = sum(100 < t <= 500 for t in TIMES[:-1].tolist())
    if through_sigma:
        view = SigmaDenoiser(eps)
        model, counted = guided(view, "t", scale=2.0, t_min=100, t_max=500)
        for t in TIMES[:-1].tolist():
            model(X, view.levels[t])
    else:
        ddim(model, X, TIMES, noise=unused)
    assert counted.nfe == 10 + expected
    assert 0 < expected < 10


def test_further_outputs_of_the_model_are_those_with_the_class():
    class Pair(OfMixture):
        def __call__(self, x, sigma, rows=None, unconditional=False, variance=False):
            result = super().__call__(x, sigma, rows, unconditional)
            return (result, 7.0 + unconditional) if variance else result

    model, _ = guided(Pair(), "sigma", scale=2.0)
    sigma = torch.tensor(0.7, dtype=torch.float64)
    prediction, variance = model(X, sigma, variance=True)
    assert torch.equal(prediction, model(X, sigma))
    assert variance == 7.0


def test_what_the_library_is_asked_for_wrongly():
    with pytest.raises(ValueError, match="sigma_max is 1; expected more than 2"):
        guidances.classifier_free({}, sigma_min=2, sigma_max=1)
    with pytest.raises(ValueError, match="scale is inf; expected a finite number"):
        guidances.classifier_free({}, scale=math.inf)
    model = OfMixture()
    model.labels = None
    with pytest.raises(ValueError, match="the model is shown no class; expected a conditional one"):
        guidances.classifier_free({}).bind(model, None, None, None, level="sigma")


# --- Training without classes --------------------------------------------------------------------


def test_a_share_of_the_labels_is_dropped():
    seen = []
    loss = loop.label_dropout(lambda network, x0, labels, draws: seen.append(labels), 0.25)
    labels = torch.nn.functional.one_hot(torch.arange(4000) % 10, 10).float()
    draws = torch.Generator().manual_seed(0)
    loss(None, torch.zeros(4000, 1), labels, draws)
    kept = seen[0].sum(dim=1)
    assert float(kept.mean()) == pytest.approx(0.75, abs=0.03)
    assert torch.equal(seen[0][kept > 0], labels[kept > 0])
    loss(None, torch.zeros(4000, 1), None, draws)
    assert seen[1] is None


# --- The config ----------------------------------------------------------------------------------

CONDITIONAL = ("models", "ve_cond")


def config(model="ve_cond", sampler="HEUN", share=0.1, **options):
    """The tiny study with classifier-free guidance of one model."""
    made = changed(("guidances", "CFG"), {"kind": "classifier_free", "scale": 2.0} | options)
    made["training"]["adam"]["label_dropout"] = share
    identity = made["models"]["ddpm_cosine"]["identity"]
    made["models"]["ddpm_cond"] = {"identity": identity | {"conditional": True}}
    made["figures"]["figure_6"] = {
        "kind": "curves",
        "metric": "is2",
        "panels": [{"models": [model], "samplers": [sampler], "guidances": ["none", "CFG"]}],
    }
    return made


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sigma_min": 0.3, "sigma_max": 5.0},
        {"model": "ddpm_cond", "sampler": "DDIM", "t_min": 100, "t_max": 999},
        {"model": "ddpm_cond", "sampler": "HEUN", "t_max": 500, "sigma_max": 7.0},
    ],
)
def test_both_families_and_their_samplers_are_guided(options):
    study = plan(config(**options))
    assert study.guidance_argument("CFG") is None
    assert study.identity(options.get("model", "ve_cond"))["training"]["label_dropout"] == 0.1


MISTAKES = [
    ({"share": 0}, r"'CFG' with model 've_cond', which is never trained without its class; "
     r"expected a training\.adam\.label_dropout above 0"),
    ({"model": "vp_uncond"}, r"model 'vp_uncond', which is not class-conditional; expected conditional: true"),
    ({"model": "ncsnv2", "sampler": "LANG"}, r"model 'ncsnv2', whose process is annealed; expected continuous"),
    ({"sigma_min": 3.0, "sigma_max": 1.0}, r"guidances\.CFG\.sigma_max: 1\.0; expected more than sigma_min"),
    ({"sigma_max": 101.0}, r"guidances\.CFG\.sigma_max: 101; expected at most 100: model 've_cond' is not"),
    ({"sigma_min": 0.01}, r"guidances\.CFG\.sigma_min: 0\.01; expected at least 0\.02"),
    ({"t_max": 500}, r"an interval of t, but the noise of model 've_cond' is sigma; expected sigma_min or sigma_max"),
    ({"model": "ddpm_cond", "sampler": "DDIM", "sigma_max": 5.0}, r"an interval of sigma, but the noise of model 'ddpm_cond' is t"),
    ({"model": "ddpm_cond", "sampler": "DDIM", "t_max": 1000}, r"t_max: 1000; expected at most 999"),
    ({"scale": -1.0}, r"guidances\.CFG\.scale: -1\.0; expected a number in \[0"),
    ({"share": 1.0}, r"training\.adam\.label_dropout: 1\.0 is greater than or equal to the maximum"),
    ({"classifier": "noisy"}, r"guidances\.CFG\.classifier: unknown option"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_mistakes_are_found_when_the_config_is_read(options, message):
    with pytest.raises(ValueError, match=message):
        plan(config(**options))


def test_both_families_of_the_study_of_guidance_have_the_same_interval():
    study = plan(yaml.safe_load((ROOT / "config/guidance.yaml").read_text()))
    interval = study.guidance("I3")
    assert (interval["sigma_min"], interval["sigma_max"]) == (0.28, 2.9)
    a = chain.alphas_cumprod(schedules.linear(1000))
    sigma = ((1 - a) / a).sqrt()
    ends = [float(sigma[interval[end]]) for end in ("t_min", "t_max")]
    assert ends == pytest.approx([0.28, 2.9], rel=0.02)


def test_a_recipe_without_label_dropout_leaves_identities_as_they_were():
    study, before = plan(config(share=0, model="vp_uncond", sampler="HEUN") | {"figures": changed(("study",), "tiny")["figures"]}), plan(changed(("study",), "tiny"))  # fmt: skip
    for model in before.config["models"]:
        assert study.identity(model) == before.identity(model)
    # The class of an unconditional model is never shown
    assert plan(config()).identity("vp_uncond") == before.identity("vp_uncond")
