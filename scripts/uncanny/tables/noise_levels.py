"""The noise levels that a continuous sampler visits, set up as for sampling, without a network."""

from types import SimpleNamespace

from uncanny import components
from uncanny.families import continuous


def noise_levels(sampler: dict, process: dict) -> tuple:
    """(sigmas [num_steps + 1], path) of a sampler's complete options on a continuous process."""
    model = SimpleNamespace(
        preconditioning=components.load("preconditioning", process["preconditioning"])()
    )
    names = components.options_of(components.source("families", "continuous"), "start")
    start = {name: value for name, value in sampler.items() if name in names}
    _, sigmas, extra = continuous.start(model, None, **start)
    return sigmas, extra["path"]
