"""Euler sampler of Song et al. (2021) in their own time: probability-flow ODE or reverse SDE."""

from torch import Tensor

from uncanny.diffusion.forward import Path
from uncanny.samplers import steps
from uncanny.samplers.steps import Denoiser, Noise

NFE = "num_steps"
ORDER = "1"
NOISE = "stochastic"


def song_euler(
    denoiser: Denoiser,
    latents: Tensor,
    sigmas: Tensor,
    *,
    noise: Noise,
    path: Path,
    stochastic: bool = False,
) -> Tensor:
    """N steps of length 1/N at times spread evenly from 1 to epsilon; no jump to sigma = 0.

    Song et al. (2021), equation 13 (ODE), or equation 6 by Euler-Maruyama steps if stochastic, of
    which the last adds no noise.
    latents: standard normal [N, ...]; the vp scaling starts at N(0, 1), none at N(0, sigmas[0]^2).
    sigmas: [num_steps + 1], even in the time of the path; the final 0 is not visited.
    path: VP clock and scaling (with the grid vp), or geometric clock without scaling (grid ve).
    Returns float64 [N, ...]. NFE = num_steps.
    """
    # t_i = 1 - i h', down to epsilon; a step has length 1 / N all the same, as published
    t = steps.even_times(sigmas, path, "song_euler")
    h = t[0] / len(t)
    x = latents.double() * (1.0 if path.scaling == "vp" else sigmas[0])
    for i in range(len(t)):
        # Slope of the ODE, equation 13
        d = steps.slope(denoiser, x, t[i], path)
        if not stochastic:
            x = x - h * d  # Euler step
            continue
        # Euler-Maruyama step of the reverse SDE, equation 6
        drift, diffusion = _sde(t[i], path)
        # The score counts twice as much as in the ODE: d = f x - g^2 score / 2, but the SDE has
        # f x - g^2 score = 2 d - f x
        x = x - h * (2 * d - drift * x)
        x = x + diffusion * h.sqrt() * noise(i, x) if i < len(t) - 1 else x
    return x


def _sde(t: Tensor, path: Path) -> tuple[Tensor, Tensor]:
    """f = s'/s and g = s sqrt(2 sigma sigma') of the forward SDE dx = f x dt + g dw."""
    # x = s (x0 + sigma n) has dE[x]/dt = f E[x] and, for x0 = 0, d(s sigma)^2/dt = 2 f (s sigma)^2
    # + g^2, from which g^2 = s^2 d(sigma^2)/dt
    s = path.scale(t)
    return path.scale_deriv(t) / s, s * (2 * path.sigma(t) * path.sigma_deriv(t)).sqrt()
