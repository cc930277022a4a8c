"""The noise levels that a continuous sampler visits, set up as for sampling, without a network."""

from types import SimpleNamespace

from uncanny.diffusion.processes import continuous
from uncanny.registry import components

# Losses that stand for those of a model where a grid follows from them: of data that are a point.
POINT = {"sigma": [1e-4, 1e-2, 1.0, 1e2, 1e4], "loss": [0.0] * 5, "dim": 1}


def noise_levels(sampler: dict, process: dict) -> tuple:
    """(sigmas [num_steps + 1], path) of a sampler's complete options on a continuous process; of a
    grid that follows from a model's losses the ends alone are right.
    """
    model = SimpleNamespace(
        preconditioning=components.load("preconditioning", process["preconditioning"])()
    )
    names = components.options_of(components.source("processes", "continuous"), "init_sampling")
    start = {name: value for name, value in sampler.items() if name in names}
    _, sigmas, extra = continuous.init_sampling(model, None, losses=POINT, **start)
    return sigmas, extra["path"]
