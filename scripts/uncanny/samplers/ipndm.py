"""iPNDM: steps of DDIM along an Adams-Bashforth combination of predicted noise."""

from typing import Annotated, Literal

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import NotAbove
from uncanny.samplers.extrapolation import check, noise_of, weighted
from uncanny.samplers.steps import Denoiser, Noise

NFE = "num_steps"
ORDER = "min(order, 2)"  # on uneven grids
NOISE = "False"

# Adams-Bashforth coefficients of evenly spaced evaluations, newest first
COEFFICIENTS = {
    1: [1.0],
    2: [3 / 2, -1 / 2],
    3: [23 / 12, -16 / 12, 5 / 12],
    4: [55 / 24, -59 / 24, 37 / 24, -9 / 24],
}


def ipndm(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    order: Annotated[Literal[1, 2, 3, 4], NotAbove("num_steps")] = 4,
) -> Tensor:
    """y' = y + (sigma' - sigma) sum_j c_j eps_j with the c of even steps, whatever the grid (Liu et
    al. 2022, PNDM, equation 12, starting with lower orders as in Zhang and Chen 2023, DEIS).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling. path: plays no part.
    order: evaluations combined; more than second order only where steps in sigma are even.
    Asks for no noise. Returns float64 [N, ...]. NFE = num_steps.
    """
    check(sigmas, order)
    y, eps = latents.double() * sigmas[0], []
    for i in range(len(sigmas) - 1):
        eps = [noise_of(denoiser, y, sigmas[i]), *eps[: order - 1]]
        y = y + (sigmas[i + 1] - sigmas[i]) * weighted(eps, COEFFICIENTS[len(eps)])
    return y
