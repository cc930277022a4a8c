"""What the stochastic samplers add before each step, and where it acts."""

import pandas as pd

from uncanny.registry.option_types import PositiveInt
from uncanny.samplers.steps import churn_factors
from uncanny.tables import Contents, Walk, paper
from uncanny.tables.noise_levels import noise_levels

NEEDS = "config"
SHOWS = (("models",), ("samplers",))


def stochastic_parameters(
    contents: Contents, *, published_steps: PositiveInt = 256
) -> pd.DataFrame:
    """One row per sampler and process that adds noise.

    published_steps: the paper's number of steps; with it the S_churn that adds as much per step as
    that of this study is given, to be compared with the printed one.
    """
    walks = [walk for walk in contents.walks() if walk.sampler["options"].get("S_churn")]
    if not walks:
        raise ValueError("stochastic_parameters: no sampler with S_churn above 0 to be shown")
    return pd.DataFrame([_row(walk, published_steps) for walk in walks])


def _row(walk: Walk, published_steps: int) -> dict:
    options = walk.sampler["options"] | walk.sampler["init_sampling"]
    churn = {name: options[name] for name in ("S_churn", "S_tmin", "S_tmax")}
    per_step = options["S_churn"] / options["num_steps"]
    sigmas, _ = noise_levels(walk.sampler["init_sampling"], walk.process)
    gammas = churn_factors(sigmas, *churn.values())
    process = walk.process["preconditioning"]
    return {
        "sampler": walk.label,
        "process": walk.process_label,
        **churn,
        "S_noise": options["S_noise"],
        "steps N": options["num_steps"],
        "gamma per step": max(gammas),
        "steps with noise": sum(factor > 0 for factor in gammas),
        f"S_churn for {published_steps} steps": per_step * published_steps,
        "S_churn, S_tmin, S_tmax, S_noise of the paper": paper.stochastic(walk.name, process),
    }
