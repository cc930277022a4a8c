"""Noise that the stochastic samplers add before each step, and the levels where they add it."""

import pandas as pd

from uncanny.registry.option_types import PositiveInt
from uncanny.samplers.steps import churn_factors
from uncanny.tables import Contents, Sampling, paper
from uncanny.tables.noise_levels import noise_levels

NEEDS = "config"
SHOWS = (("models",), ("samplers",))


def stochastic_parameters(
    contents: Contents, *, published_steps: PositiveInt = 256
) -> pd.DataFrame:
    """One row per sampler and process that adds noise.

    published_steps: the paper's number of steps; the column for it has the S_churn that adds as
    much per step as this study's, for comparison with the printed one.
    """
    samplings = [s for s in contents.samplings() if s.sampler["options"].get("S_churn")]
    if not samplings:
        raise ValueError("stochastic_parameters: no sampler with S_churn above 0 to be shown")
    return pd.DataFrame([_row(sampling, published_steps) for sampling in samplings])


def _row(sampling: Sampling, published_steps: int) -> dict:
    options = sampling.sampler["options"] | sampling.sampler["init_sampling"]
    churn = {name: options[name] for name in ("S_churn", "S_tmin", "S_tmax")}
    per_step = options["S_churn"] / options["num_steps"]
    sigmas, _ = noise_levels(sampling.sampler["init_sampling"], sampling.process)
    gammas = churn_factors(sigmas, *churn.values())
    process = sampling.process["preconditioning"]
    return {
        "sampler": sampling.label,
        "process": sampling.process_label,
        **churn,
        "S_noise": options["S_noise"],
        "steps N": options["num_steps"],
        "gamma per step": max(gammas),
        "steps with noise": sum(factor > 0 for factor in gammas),
        f"S_churn for {published_steps} steps": per_step * published_steps,
        "S_churn, S_tmin, S_tmax, S_noise of the paper": paper.stochastic(sampling.name, process),
    }
