"""The noise levels that a continuous sampler visits, set up as for sampling, without a network."""

from types import SimpleNamespace

from uncanny.diffusion.processes import continuous
from uncanny.registry import components

# Losses that stand for those of a model where a grid follows from them: of data that are a point.
POINT = {"sigma": [1e-4, 1e-2, 1.0, 1e2, 1e4], "loss": [0.0] * 5, "dim": 1}


def noise_levels(options: dict, process: dict) -> tuple:
    """(sigmas [num_steps + 1], path) of a sampler on a continuous process.

    options: of `init_sampling`. Of a grid that follows from a model's losses the ends alone are
    right.
    """
    model = SimpleNamespace(
        preconditioning=components.load("preconditioning", process["preconditioning"])()
    )
    _, sigmas, extra = continuous.init_sampling(model, None, losses=POINT, **options)
    return sigmas, extra["path"]
