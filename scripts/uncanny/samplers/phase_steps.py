"""Parts that the samplers of an augmented state are made of: the descent, its end, a corrector."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.diffusion.forward import per_image
from uncanny.samplers.steps import Noise

SHARES = {"sde": 1.0, "ode": 0.5}  # of the score in the drift of reverse time

# A step of the walk: z at t, t, the time after it -> z at the time after it.
Step = Callable[[Tensor, float, float], Tensor]


def descend(
    step: Step,
    model,
    z: Tensor,
    times: Tensor,
    *,
    gradient: Callable | None,
    constrain: Callable | None,
    correct: Callable[[Tensor, float], Tensor] | None,
    denoise_drift: str,
) -> Tensor:
    """z along times [S + 1], which fall; a step that ends at 0 is one Euler step without noise.

    correct(z, t): after every other step. constrain(z, t, before): at the start (before None) and
    after every step. denoise_drift: "sde", or "ode" with half the score, in the step to 0.
    """
    if len(times) < 2 or (times.diff() >= 0).any() or times[-1] < 0 or times[0] > 1:
        raise ValueError(f"times must fall strictly within [0, 1], got {times.tolist()}")
    z, steps = z.double(), times.tolist()
    z = constrain(z, steps[0], None) if constrain else z
    for t, after in itertools.pairwise(steps):
        if after == 0:
            z = denoise(model, z, t, gradient, denoise_drift)
        else:
            z = step(z, t, after)
            z = correct(z, after) if correct else z
        z = constrain(z, after, t) if constrain else z
    return z


def denoise(model, z: Tensor, t: float, gradient, drift: str) -> Tensor:
    """One Euler step of length t from t to 0, without noise."""
    return z + t * model.process.reverse(z, pull(model, z, t, gradient), t, SHARES[drift])


def pull(model, z: Tensor, t: float, gradient: Callable | None) -> Tensor:
    """Score, and what guidance adds to it."""
    score = model(z, t)
    return score if gradient is None else score + gradient(z, t)


def numbered(noise: Noise) -> Callable[[Tensor], Tensor]:
    """Noise for samplers that ask more than once in a step: draws are counted as they are asked."""
    numbers = itertools.count()
    return lambda like: noise(next(numbers), like)


def langevin(model, draw: Callable[[Tensor], Tensor], gradient, kind: str, snr: float):
    """The corrector of a kind: None, or z + d C s + sqrt(2 d C) noise with C = Sigma_inf.

    d is such that the push is `snr` times the noise, image by image, as in the corrector of Song et
    al. (2021, algorithm 4). Raises ValueError where the score of a component is not known.
    """
    if kind == "none":
        return None
    process = model.process
    if len(process.predicted) < process.size:
        raise ValueError(
            f"corrector {kind}: a model in mode {process.mode} knows the score of one component; "
            "expected corrector: none, or noise in all components (gamma > 0)"
        )
    if not snr > 0:
        raise ValueError(f"snr={snr:g}: expected a positive signal-to-noise ratio")
    law = process.recipe.Sigma_inf
    root = torch.linalg.cholesky(law)

    def correct(z: Tensor, t: float) -> Tensor:
        push, added = apply(law, pull(model, z, t, gradient)), apply(root, draw(z))
        size = 2 * (snr * _norm(added) / _norm(push)) ** 2
        return z + per_image(size, z) * push + per_image((2 * size).sqrt(), z) * added

    return correct


def _norm(z: Tensor) -> Tensor:
    return z.flatten(1).norm(dim=1)
