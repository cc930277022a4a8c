"""DPM-Solver-2: two evaluations per step, the second in its middle in ln sigma."""

from itertools import pairwise

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.samplers.extrapolation import check, noise_of
from uncanny.samplers.steps import Denoiser, Noise

NFE = "2 * num_steps - 1"  # one in the last step, which ends at sigma = 0
ORDER = "2"
NOISE = "False"


def dpm_2(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
) -> Tensor:
    """y' = y + (sigma' - sigma) eps(y_mid; sigma_mid), sigma_mid^2 = sigma sigma' (Lu et al. 2022,
    DPM-Solver, arXiv 2206.00927, algorithm 1, divided by the scaling).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling. path: plays no part.
    Asks for no noise.
    Returns float64 [N, ...]. NFE = 2 num_steps - 1 if sigmas end in 0, else 2 num_steps.
    """
    check(sigmas, 1)
    y = latents.double() * sigmas[0]
    for sigma, sigma_next in pairwise(sigmas):
        eps = noise_of(denoiser, y, sigma)
        if sigma_next > 0:
            # Half of the step in ln sigma, and the noise predicted there
            middle = (sigma * sigma_next).sqrt()
            eps = noise_of(denoiser, y + (middle - sigma) * eps, middle)
        y = y + (sigma_next - sigma) * eps
    return y
