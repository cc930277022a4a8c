"""DDIM: the implicit (non-Markovian) sampler of the discrete model."""

from collections.abc import Callable

from torch import Tensor

from uncanny.diffusion.chain import alpha_bars, eps_from_x0, x0_from_eps
from uncanny.registry.option_types import Fraction
from uncanny.samplers.steps import Noise

NFE = "num_steps"
ORDER = "1"
NOISE = "eta > 0"


def ddim(
    eps_model: Callable[[Tensor, int], Tensor],
    x: Tensor,
    times: Tensor,
    *,
    noise: Noise,
    gradient: Callable[[Tensor, int], Tensor | None] | None = None,
    eta: Fraction = 0.0,
    clip: bool = True,
    reclip: bool = False,
) -> Tensor:
    """Step from alpha_bar a to a_next along the predicted noise, with fresh noise of spread s.

    x_next = sqrt(a_next) x0 + sqrt(1 - a_next - s^2) eps + s noise,
    s = eta sqrt((1 - a / a_next) (1 - a_next) / (1 - a))
    (Song et al. 2021, DDIM, equations 12 and 16).

    eps_model: predicts the noise; its `alphas_cumprod` is float64 [T].
    x: standard normal [N, ...].
    times: [num_steps + 1], falling, last -1.
    eta: 0 (deterministic) to 1 (as random as ancestral sampling).
    clip: keep the predicted x0 in [-1, 1] and let eps agree with it.
    gradient: gradient(x, t) = scale * grad log p(y | x, t), or None; shifts eps by -sqrt(1 - a)
    times it (Dhariwal and Nichol 2021, algorithm 2).
    reclip: clip once more after that shift.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta={eta}: expected 0 <= eta <= 1")
    levels = alpha_bars(eps_model.alphas_cumprod, times)
    spreads = _spreads(levels[:-1], levels[1:], eta)
    x = x.double()
    for i, t in enumerate(times[:-1].tolist()):
        a, a_next = levels[i], levels[i + 1]
        # Predict x0, and eps such that both agree with x
        x0, eps = _estimates(x, eps_model(x, t), a, clip)
        # Guidance: eps_hat = eps - sqrt(1 - a) * gradient
        shift = gradient(x, t) if gradient else None
        if shift is not None:
            x0, eps = _estimates(x, eps - (1 - a).sqrt() * shift, a, reclip)
        # Step to a_next, equation 12
        x = a_next.sqrt() * x0 + (1 - a_next - spreads[i] ** 2).sqrt() * eps
        # Fresh noise of spread s, equation 16; none if eta = 0
        x = x + spreads[i] * noise(i, x) if spreads[i] > 0 else x
    return x


def _spreads(alpha_bar: Tensor, alpha_bar_next: Tensor, eta: float) -> Tensor:
    """s of each step, [S]; 0 at the last one."""
    # Equation 16 with alpha_bar for the paper's alpha; eta = 1 is the posterior variance of DDPM
    added = (1 - alpha_bar / alpha_bar_next) * (1 - alpha_bar_next) / (1 - alpha_bar)
    return eta * added.sqrt()


def _estimates(x: Tensor, eps: Tensor, alpha_bar: Tensor, clip: bool) -> tuple[Tensor, Tensor]:
    """Clean image and noise that agree with x and with each other."""
    x0 = x0_from_eps(x, eps, alpha_bar)
    if not clip:
        return x0, eps
    # eps = (x - sqrt(a) x0) / sqrt(1 - a), so that x is the same as before clipping
    x0 = x0.clamp(-1, 1)
    return x0, eps_from_x0(x, x0, alpha_bar)
