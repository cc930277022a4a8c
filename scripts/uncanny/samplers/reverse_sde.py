"""Sampler of the reverse diffusion, by an exponential integrator: it knows no clock."""

from itertools import pairwise

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.samplers.steps import Denoiser, Noise

NFE = "num_steps"
ORDER = "1"
NOISE = "True"


def reverse_sde(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
) -> Tensor:
    """y_{k+1} = y_k + Delta_k s(y_k, sigma_k) + sqrt(Delta_k) n_k, Delta_k = sigma_k^2 -
    sigma_{k+1}^2: the reverse diffusion step of variance-exploding models (Song et al. 2021,
    algorithm 2, without corrector). An ancestral step adds less noise: dpmpp with order 1, eta 1.

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling; a last step to 0 adds no
    noise: it gives the denoised image. path: must not scale the image; its clock plays no part.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    if path.scaling != "none":
        raise ValueError(f"reverse_sde: scaling {path.scaling!r}; expected none")
    if len(sigmas) < 2 or (sigmas.diff() >= 0).any() or sigmas[-1] < 0:
        raise ValueError(f"sigmas must fall strictly and end at >= 0, got {sigmas.tolist()}")
    # Start at N(0, sigma_0^2), of which the image is a small part
    y = latents.double() * sigmas[0]
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        # Delta_k s(y, sigma_k), with the score s = (D - y) / sigma_k^2
        removed = 1 - (sigma_next / sigma) ** 2
        y = y + removed * (denoiser(y, sigma) - y)
        # Noise of variance Delta_k, so that the variance falls to sigma_k+1^2 and no lower
        if sigma_next > 0:
            y = y + sigma * removed.sqrt() * noise(i, y)
    return y
