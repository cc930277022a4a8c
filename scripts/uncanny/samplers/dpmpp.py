"""DPM-Solver++, multistep: the exponential integrator of the denoiser, in the ODE or the SDE."""

import math
from typing import Annotated, Literal

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import Fraction, NotAbove
from uncanny.samplers.extrapolation import exponential_moments, lambdas, orders
from uncanny.samplers.steps import Denoiser, Noise

NFE = "num_steps"
ORDER = "3 if order == 3 and curvature == 'whole' else min(order, 2)"  # of the ODE
NOISE = "eta > 0"


def dpmpp(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    order: Annotated[Literal[1, 2, 3], NotAbove("num_steps")] = 2,
    eta: Fraction = 0.0,
    solver_type: Literal["midpoint", "heun"] = "midpoint",
    curvature: Literal["published", "whole"] = "published",
    lower_order_final: bool = True,
) -> Tensor:
    """y' = e^-H y + (1 - e^-H) D_i + differences of earlier D, H = (1 + eta) h (Lu et al. 2022,
    DPM-Solver++, arXiv 2211.01095, algorithm 2 for 2M, section 5 for the SDE).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling. path: plays no part.
    order: 2 is 2M, 3 is 3M. eta: 0, the ODE, to 1, the SDE. solver_type: weight of 2M's difference.
    curvature: 3M's second difference with half its weight, as in the public programs, which leaves
    order 2, or with the whole of it, which gives order 3. lower_order_final: see `orders`.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    lam, y, D = lambdas(sigmas, order), latents.double() * sigmas[0], []
    for i, p in enumerate(orders(sigmas, order, lower_order_final)):
        D = [denoiser(y, sigmas[i]), *D[: order - 1]]  # D_i, D_i-1, D_i-2
        h = lam[i + 1] - lam[i]
        y = math.exp(-(1 + eta) * h) * y - math.expm1(-(1 + eta) * h) * D[0]
        if p > 1:
            y = y + _differences(D, lam[i - p + 1 : i + 1][::-1], h, eta, solver_type, curvature)
        # Noise that is left of what the step added, of variance sigma'^2 (1 - e^(-2 eta h))
        spread = float(sigmas[i + 1]) * math.sqrt(-math.expm1(-2 * eta * h)) if eta else 0.0
        y = y + spread * noise(i, y) if spread else y
    return y


def _differences(D: list[Tensor], lam: list[float], h: float, eta: float, solver_type, curvature):
    """What divided differences of D at lam, newest first, add to a step of length h."""
    _, I_1, I_2 = exponential_moments((1 + eta) * h, 3)
    first = [(D[k] - D[k + 1]) * (h / (lam[k] - lam[k + 1])) for k in range(len(lam) - 1)]
    if len(first) == 1:
        return (I_1 if solver_type == "heun" else -math.expm1(-(1 + eta) * h) / 2) * first[0]
    # D at s h into the step is D_i + D1 s + D2 s^2; the published phi_3 is -I_2 / 2
    D2 = (first[0] - first[1]) * (h / (lam[0] - lam[2]))
    D1 = first[0] + (lam[0] - lam[1]) / h * D2
    return I_1 * D1 + (I_2 if curvature == "whole" else I_2 / 2) * D2
