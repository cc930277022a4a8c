"""Annealed Langevin dynamics, the sampler of NCSN."""

from collections.abc import Callable

from torch import Tensor

from uncanny.registry.option_types import Positive, PositiveInt
from uncanny.samplers.steps import Noise

NFE = "num_levels * steps_per_level + denoise"
NOISE = "True"


def annealed_langevin(
    score_model: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    steps_per_level: PositiveInt = 5,
    step_size: Positive = 0.0000062,
    denoise: bool = True,
) -> Tensor:
    """Langevin steps at each noise level, largest first (Song and Ermon 2020, algorithm 1).

    x <- x + a score + sqrt(2 a) noise with a = step_size sigma^2 / sigma_L^2.

    x: [N, ...], uniform on [0, 1] in the original. sigmas: [L], falling, without a final 0.
    step_size: length of a step at the last level. denoise: finally x <- x + sigma_L^2 score.
    Noise has the index level * steps_per_level + step.
    Returns float64 [N, ...]. NFE = L * steps_per_level, plus 1 if denoise.
    """
    if steps_per_level < 1 or not step_size > 0:
        raise ValueError(
            f"steps_per_level={steps_per_level}, step_size={step_size}: expected both positive"
        )
    if (sigmas.diff() >= 0).any() or not sigmas[-1] > 0:
        raise ValueError(f"sigmas must fall strictly and end above 0, got {sigmas.tolist()}")
    x = x.double()
    for level, sigma in enumerate(sigmas):
        # The step size keeps the signal-to-noise ratio of a step the same at all levels
        a = step_size * (sigma / sigmas[-1]) ** 2
        for step in range(steps_per_level):
            # Langevin step
            score = score_model(x, sigma)
            # Drift up the density, and noise of variance 2 a
            x = x + a * score + (2 * a).sqrt() * noise(level * steps_per_level + step, x)
    # Denoising by Tweedie's formula: the mean of the clean image
    return x + sigmas[-1] ** 2 * score_model(x, sigmas[-1]) if denoise else x
