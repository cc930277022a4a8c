"""Check that the path KL is the sum of three terms: closed forms against Monte Carlo."""

from typing import Annotated

import numpy as np
import pandas as pd

from uncanny.diffusion.theory import grids
from uncanny.diffusion.theory.decomposition import decompose
from uncanny.diffusion.theory.mixtures import Mixture
from uncanny.diffusion.theory.path_kl import monte_carlo
from uncanny.registry.option_types import Above, NonEmpty, Nonnegative, Positive, PositiveInt, Seed

TARGET = Mixture([[-1.0], [0.5], [1.2]], [0.3, 0.5, 0.2], 0.05)
FREQUENCY = 1.7  # of the error, in units of the noisy data's width


def path_identity(
    *,
    num_steps: NonEmpty[PositiveInt] | None = None,
    strengths: list[Nonnegative] | None = None,
    sigma_min: Positive = 0.01,
    sigma_max: Annotated[Positive, Above("sigma_min")] = 20.0,
    paths: PositiveInt = 20000,
    seed: Seed = 0,
) -> tuple[pd.DataFrame, list[dict]]:
    """One row per schedule, number of steps and strength: the three terms for a one-dimensional
    mixture of three Gaussians, their sum, and the path KL by Monte Carlo with its standard error.

    The score model's error is strength / sigma cos(1.7 x / (1 + sigma^2)^(1/2)). num_steps: default
    12, 30. strengths: default 0, 0.3. paths: Monte Carlo samples per step. No verdicts: if the
    terms add up, `deviation`, in standard errors, is standard normal.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for steps in [12, 30] if num_steps is None else num_steps:
        for schedule, grid in grids.GRIDS.items():
            sigmas = grid(steps, sigma_min, sigma_max)
            for strength in [0.0, 0.3] if strengths is None else strengths:
                cell = {"schedule": schedule, "num_steps": steps, "strength": strength}
                rows.append(cell | _row(sigmas, strength, rng, paths))
    return pd.DataFrame(rows), []


def _row(sigmas: np.ndarray, strength: float, rng: np.random.Generator, paths: int) -> dict:
    terms = decompose(TARGET, sigmas, noise_error(strength, sigmas))
    estimate, spread = monte_carlo(TARGET, sigmas, model(strength), rng, paths)
    names = ("E_I", "E_D", "E_S", "path_kl")
    row = dict(zip(names, map(float, (*terms, terms.path_kl)), strict=True))
    row |= {"monte_carlo": estimate, "standard_error": spread}
    return row | {"deviation": (estimate - row["path_kl"]) / spread}


def model(strength: float):
    """The score model s_theta(x [n, 1], sigma) -> [n, 1]."""

    def score(x: np.ndarray, sigma: float) -> np.ndarray:
        wave = np.cos(FREQUENCY * x / np.sqrt(1 + sigma**2))
        return TARGET.score(x, sigma**2) + strength / sigma * wave

    return score


def noise_error(strength: float, sigmas: np.ndarray) -> np.ndarray:
    """e^2 of the model at each noise level, [N].

    E cos^2(w x / 2) = (1 + E cos(w x)) / 2, and for a mixture with weights p_k, means mu_k and
    variance v, E cos(w x) = sum_k p_k cos(w mu_k) exp(-w^2 v / 2).
    """
    w = 2 * FREQUENCY / np.sqrt(1 + sigmas**2)
    means = np.cos(w[:, None] * TARGET.means[:, 0]) @ TARGET.weights
    return strength**2 * 0.5 * (1 + means * np.exp(-(w**2) * (TARGET.std**2 + sigmas**2) / 2))
