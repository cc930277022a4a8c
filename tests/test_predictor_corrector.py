"""Predictor-corrector sampling: recorded runs of score_sde, the law of samples, refusals."""

import pytest
import torch
from exact import Counted, Mixture, Replayed, arrays, assert_close, cases, tensor, unused
from test_samplers import song_setting

from uncanny.diffusion.forward import Path, alphas_cumprod
from uncanny.samplers import reverse_steps
from uncanny.samplers.predictor_corrector import predictor_corrector

STORED, RUNS = arrays("samplers"), arrays("predictor_corrector")
PREDICTORS = {"ancestral_sampling": "ancestral"}
CORRECTORS = {"ald": "annealed"}


def options_of(case: dict) -> dict:
    return {
        "predictor": PREDICTORS.get(case["predictor"], case["predictor"]),
        "corrector": CORRECTORS.get(case["corrector"], case["corrector"]),
        "corrector_steps": case["n_corrector_steps"],
        "snr": case["snr"],
        "probability_flow": case["probability_flow"],
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
