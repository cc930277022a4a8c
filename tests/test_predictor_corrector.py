"""Predictor-corrector sampling: recorded runs of score_sde, the law of samples, refusals."""

import math

import pytest
import torch
from exact import Counted, Gaussian, Mixture, Replayed, arrays, assert_close, cases, tensor, unused
from test_samplers import song_setting

from uncanny.diffusion import sigma_grids
from uncanny.diffusion.chain import alphas_cumprod
from uncanny.diffusion.forward import Path
from uncanny.runtime.random_streams import ImageStreams
from uncanny.samplers import reverse_steps
from uncanny.samplers.predictor_corrector import predictor_corrector

STORED, RUNS = arrays("samplers"), arrays("predictor_corrector")
PREDICTORS = {"ancestral_sampling": "ancestral"}
CORRECTORS = {"ald": "annealed"}


def options_of(case: dict) -> dict:
    predictor = PREDICTORS.get(case["predictor"], case["predictor"])
    return {
        "predictor": "probability_flow" if case["probability_flow"] else predictor,
        "corrector": CORRECTORS.get(case["corrector"], case["corrector"]),
        "corrector_steps": case["n_corrector_steps"],
        "snr": case["snr"],
        "denoise": case["denoise"],
    }


def setting_of(case: dict):
    """Levels, path and discretisation of a recorded run."""
    low, high = case["sde_params"]
    if case["continuous"]:
        return *song_setting(case["sde"], case["N"], low, high, case["eps"]), "published"
    # A discrete chain of N betas: the levels of its alpha_bar are all that counts
    N = case["N"]
    alpha_bar = alphas_cumprod(torch.linspace(low / N, high / N, N, dtype=torch.float64))
    levels = ((1 - alpha_bar) / alpha_bar).sqrt().flip(0)
    return torch.cat([levels, torch.zeros(1)]), Path(scaling="vp"), "grid"


@pytest.mark.parametrize("case", cases("predictor_corrector"), ids=lambda case: case["id"])
def test_recorded_runs(case, monkeypatch):
    # The reference averages norms over the batch; here image k must not depend on its batch
    of_image = reverse_steps.norm
    monkeypatch.setattr(reverse_steps, "norm", lambda x: of_image(x).mean())
    sigmas, path, discretisation = setting_of(case)
    denoiser, key = Counted(Mixture(STORED, case["gmm"])), f"{case['id']}/noise"
    x = predictor_corrector(
        denoiser,
        tensor(RUNS[f"{case['id']}/prior_noise"]),
        sigmas,
        noise=Replayed(RUNS[key]) if key in RUNS else unused,
        path=path,
        discretisation=discretisation,
        **options_of(case),
    )
    assert_close(x, RUNS[f"{case['id']}/x_final"], case["tol"])
    assert len(denoiser.seen) == case["nfe"]


def test_norms_are_those_of_each_image():
    level = reverse_steps.levels(
        torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64), Path(), "grid"
    )[0]
    x, z = torch.ones(2, 3, dtype=torch.float64), torch.tensor([[1.0, 0, 0], [3.0, 0, 0]]).double()
    moved = reverse_steps.correct(level, Gaussian(), x, z, 0.16, "langevin")
    # score = -x / (s^2 + sigma^2); e = 2 (snr |z| / |score|)^2
    score = -x / (0.25 + 4)
    for k, length in enumerate((1.0, 3.0)):
        e = 2 * (0.16 * length / float(score[k].norm())) ** 2
        assert_close(moved[k], x[k] + e * score[k] + math.sqrt(2 * e) * z[k], 1e-12)


@pytest.mark.parametrize("corrector", ["none", "langevin", "annealed"])
@pytest.mark.parametrize("predictor", ["none", "ancestral"])
def test_noise_is_asked_for_in_order_and_only_where_used(predictor, corrector):
    asked = []

    def noise(step, like):
        asked.append(step)
        return ImageStreams([0]).noise(step, like)

    sigmas = sigma_grids.polynomial(4, 0.02, 80.0)
    options = {"predictor": predictor, "corrector": corrector, "corrector_steps": 2}
    predictor_corrector(Gaussian(), torch.zeros(1, 4), sigmas, noise=noise, **options)
    at_each = 2 * (corrector != "none") + (predictor != "none")
    # The last predictor step has no noise
    assert asked == list(range(4 * at_each - (predictor != "none")))


def test_what_the_published_steps_are_not_defined_for_is_refused():
    latents, options = torch.zeros(1, 4), {"noise": unused, "discretisation": "published"}
    uneven = sigma_grids.polynomial(30, 0.02, 80.0)
    with pytest.raises(ValueError, match=r"discretisation published needs noise levels .* even"):
        predictor_corrector(Gaussian(), latents, uneven, **options)
    even = sigma_grids.polynomial(30, 0.02, 80.0, rho=1)
    with pytest.raises(ValueError, match="discretisation published: expected time vp"):
        predictor_corrector(Gaussian(), latents, even, **options)
    sigmas, path = song_setting("vp", 12, 0.1, 20.0, 1e-3)
    with pytest.raises(
        ValueError, match=r"num_steps=12: .* beta 1.67; expected more than 20 steps"
    ):
        predictor_corrector(Gaussian(), latents, sigmas, path=path, **options)
