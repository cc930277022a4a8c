"""UniPC: a multistep predictor, and a corrector that uses the predictor's next evaluation."""

import math
from typing import Annotated, Literal

from torch import Tensor

from uncanny.diffusion.forward import SIGMA_PATH, Path
from uncanny.registry.option_types import NotAbove
from uncanny.samplers.extrapolation import exponential_moments, lambdas, orders, weighted, weights
from uncanny.samplers.steps import Denoiser, Noise

NFE = "num_steps"  # the corrector of a step shares the evaluation of the next one
ORDER = "order + 1"  # the corrector adds one
NOISE = "False"


def unipc(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path = SIGMA_PATH,
    order: Annotated[Literal[1, 2, 3], NotAbove("num_steps")] = 2,
    variant: Literal["bh1", "bh2"] = "bh2",
    lower_order_final: bool = True,
) -> Tensor:
    """UniP-p, then UniC-p with the denoiser at the predicted state (Zhao et al. 2023, UniPC, arXiv
    2302.04867, algorithms 1 and 2, in their form for a denoiser).

    latents: standard normal [N, ...]. sigmas: [num_steps + 1], falling. path: plays no part.
    order: p. variant: B(h) = h (bh1) or 1 - e^-h (bh2), which weights a single difference.
    lower_order_final: see `extrapolation.orders`. Asks for no noise.
    Returns float64 [N, ...]. NFE = num_steps: the last step is not corrected.
    """
    lam, y = lambdas(sigmas, order), latents.double() * sigmas[0]
    D = [denoiser(y, sigmas[0])]  # D_i, D_i-1, ...
    for i, p in enumerate(orders(sigmas, order, lower_order_final)):
        h = lam[i + 1] - lam[i]
        # First order, then differences to the earlier D at nodes r_k = (lambda_i-k - lambda_i) / h
        base = math.exp(-h) * y - math.expm1(-h) * D[0]
        nodes = [(lam[i - k] - lam[i]) / h for k in range(1, p)]
        slopes = [(D[k] - D[0]) / r for k, r in enumerate(nodes, start=1)]
        y = base + _weighted_slopes(slopes, nodes, h, variant)
        if i + 1 < len(lam) - 1:
            # Corrector: the new D is one more node, at 1
            D = [denoiser(y, sigmas[i + 1]), *D[:order]]
            y = base + _weighted_slopes([*slopes, D[0] - D[1]], [*nodes, 1.0], h, variant)
    return y


def _weighted_slopes(slopes: list[Tensor], nodes: list[float], h: float, variant: str):
    """Sum of weights times slopes, exact for polynomials in lambda; B(h) / 2 times a single one."""
    if not slopes:
        return 0
    if len(slopes) == 1:
        return (h if variant == "bh1" else -math.expm1(-h)) / 2 * slopes[0]
    # (D(r) - D_i) / r of a polynomial has powers r^(j-1), whose integrals are those of r^j
    return weighted(slopes, weights(nodes, exponential_moments(h, len(nodes) + 1)[1:]))
