"""Predictor-corrector sampling of the reverse SDE (Song et al. 2021)."""

from typing import Literal

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import Positive, PositiveInt
from uncanny.samplers.reverse_steps import correct, levels, predict
from uncanny.samplers.steps import Denoiser, Noise

# Corrector steps come before the predictor, at the same noise level
NFE = "num_steps * ((predictor != 'none') + (corrector != 'none') * corrector_steps)"
ORDER = "1"
NOISE = "corrector != 'none' or predictor != 'probability_flow'"


def predictor_corrector(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    predictor: Literal[
        "reverse_diffusion", "ancestral", "probability_flow", "none"
    ] = "reverse_diffusion",
    corrector: Literal["langevin", "annealed", "none"] = "langevin",
    corrector_steps: PositiveInt = 1,
    snr: Positive = 0.16,
    discretisation: Literal["grid", "published"] = "grid",
    denoise: bool = True,
) -> Tensor:
    """Langevin steps at each noise level, then a step to the next one (Song et al. 2021, algorithms
    1 to 5, in the order of their code: corrector first).

    latents: standard normal [N, ...]; the vp scaling starts at N(0, 1), none at N(0, sigmas[0]^2).
    sigmas: [num_steps + 1], falling. path: the vp scaling has steps of the VP-SDE, none of the VE.
    predictor, corrector, discretisation: see `reverse_steps`. snr: of a corrector step.
    denoise: the noise of the last predictor step is left out.
    Returns float64 [N, ...]. NFE = num_steps (1 + corrector_steps), less what is `none`.
    """
    steps = levels(sigmas, path, discretisation)
    corrections = corrector_steps if corrector != "none" else 0
    draws = corrections + (predictor != "none")  # of noise at each level, the predictor's last
    x = latents.double() * (1 if path.scaling == "vp" else sigmas[0])
    for i, level in enumerate(steps):
        for k in range(corrections):
            x = correct(level, denoiser, x, noise(i * draws + k, x), snr, corrector)
        if predictor != "none":
            x, spread = predict(level, denoiser, x, predictor)
            if spread > 0 and not (denoise and i + 1 == len(steps)):
                x = x + spread * noise(i * draws + corrections, x)
    return x
