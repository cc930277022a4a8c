"""Parts that the samplers of an augmented state are made of: integration, its end, a corrector."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.diffusion.forward import per_image
from uncanny.samplers.steps import Noise

SHARES = {"sde": 1.0, "ode": 0.5}  # of the score in the drift of reverse time

# One step: z at t_cur, t_cur, t_next -> z at t_next.
Step = Callable[[Tensor, float, float], Tensor]


def integrate(
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
    """z at the last of the times [S + 1], which fall; a step that ends at 0 is one Euler step
    without noise.

    step(z, t_cur, t_next) gives z at t_next. correct(z, t): after every step that ends above 0.
    constrain(z, t_next, t_cur): at the start (t_cur None) and after every step. denoise_drift:
    "sde", or "ode" with half the score, in the step to 0.
    """
    if len(times) < 2 or (times.diff() >= 0).any() or times[-1] < 0 or times[0] > 1:
        raise ValueError(f"times must fall strictly within [0, 1], got {times.tolist()}")
    z, steps = z.double(), times.tolist()
    z = constrain(z, steps[0], None) if constrain else z
    for t_cur, t_next in itertools.pairwise(steps):
        if t_next == 0:
            z = denoise(model, z, t_cur, gradient, denoise_drift)
        else:
            # Predictor, then corrector at the new time
            z = step(z, t_cur, t_next)
            z = correct(z, t_next) if correct else z
        z = constrain(z, t_next, t_cur) if constrain else z
    return z


def denoise(model, z: Tensor, t: float, gradient, drift: str) -> Tensor:
    """One Euler step of length t from t to 0, without noise."""
    # h = t, for the step ends at 0; the ODE's drift has half the score
    score = guided_score(model, z, t, gradient)
    return z + t * model.process.reverse(z, score, t, SHARES[drift])


def guided_score(model, z: Tensor, t: float, gradient: Callable | None) -> Tensor:
    """Score, with the gradient of guidance: grad log p(z) + scale * grad log p(y | z)."""
    score = model(z, t)
    return score if gradient is None else score + gradient(z, t)


def numbered(noise: Noise) -> Callable[[Tensor], Tensor]:
    """Noise for samplers that ask more than once in a step: draws are counted as they are asked."""
    numbers = itertools.count()
    return lambda like: noise(next(numbers), like)


def langevin(model, draw: Callable[[Tensor], Tensor], gradient, kind: str, snr: float):
    """The corrector of a kind: None, or z + d C s + sqrt(2 d C) noise with C = Sigma_inf.

    d is such that the drift is `snr` times the noise, image by image, as in the corrector of Song
    et al. (2021, algorithm 4). Raises ValueError where the score of a component is not known.
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
    # Sigma_inf as preconditioner: position and momentum move at rates that suit their spreads
    law = process.recipe.Sigma_inf
    root = torch.linalg.cholesky(law)

    def correct(z: Tensor, t: float) -> Tensor:
        # C s and sqrt(C) noise
        drift, added = apply(law, guided_score(model, z, t, gradient)), apply(root, draw(z))
        # Step size d = 2 (snr |sqrt(C) noise| / |C s|)^2
        size = 2 * (snr * _norm(added) / _norm(drift)) ** 2
        return z + per_image(size, z) * drift + per_image((2 * size).sqrt(), z) * added

    return correct


def _norm(z: Tensor) -> Tensor:
    return z.flatten(1).norm(dim=1)
