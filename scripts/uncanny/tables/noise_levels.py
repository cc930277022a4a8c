"""Noise levels of a continuous sampler, initialised as for sampling, without a network."""

from uncanny.diffusion.processes import continuous

# Stand-in for a model's losses, for grids that follow from them: those of data at one point.
POINT = {"sigma": [1e-4, 1e-2, 1.0, 1e2, 1e4], "loss": [0.0] * 5, "dim": 1}


def noise_levels(options: dict, process: dict) -> tuple:
    """(sigmas [num_steps + 1], path) of a sampler on a continuous process.

    options: of `init_sampling`. Of a grid that follows from a model's losses only the ends are
    right.
    """
    family = continuous.continuous(None, **{k: v for k, v in process.items() if k != "kind"})
    _, sigmas, extra = continuous.init_sampling(family, None, losses=POINT, **options)
    return sigmas, extra["path"]
