"""Ancestral (Markovian) sampler of the discrete model, on the whole chain or a part of it."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from uncanny.diffusion import chain
from uncanny.samplers.steps import Noise

NFE = "num_steps"
ORDER = "1"
NOISE = "True"


def ancestral(
    eps_model: Callable[[Tensor, int], Tensor],
    x: Tensor,
    times: Tensor,
    *,
    noise: Noise,
    gradient: Callable[[Tensor, int], Tensor | None] | None = None,
    variance: Literal["small", "large", "learned"] = "small",
    clip: bool = True,
    guidance_at: Literal["x_t", "mean"] = "x_t",
) -> Tensor:
    """Draw x_next from q(x_next | x, x0) with x0 predicted (Ho et al. 2020, algorithm 2).

    eps_model: predicts the noise; its `alphas_cumprod` is float64 [T].
    x: standard normal [N, ...].
    times: [num_steps + 1], falling, last -1; the betas of a part of the chain follow from it.
    variance: lower (small) or upper (large) bound of a step's variance, or between them as the
    network says (learned), which then has a second output; the last step adds no noise.
    clip: keep the predicted x0 in [-1, 1].
    gradient: gradient(x, t) = scale * grad log p(y | x, t), or None; shifts the mean by variance
    times it (Dhariwal and Nichol 2021, algorithm 1).
    guidance_at: the gradient's argument is the state (x_t) or the unshifted mean of the step.
    Returns float64 [N, ...]. NFE = num_steps.
    """
    # alpha_bar along the part of the chain, 1 at its end; betas of its steps follow from the ratios
    levels = chain.alpha_bars(eps_model.alphas_cumprod, times)
    step = chain.posterior(levels[:-1], levels[1:])
    # beta_tilde_t or beta_t of each step (Ho et al. 2020, section 3.2)
    learned, lower = variance == "learned", chain.clipped_variances(step)
    variances = None if learned else chain.step_variances(step, variance)
    x = x.double()
    for i, t in enumerate(times[:-1].tolist()):
        # Predict x0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t), equation 15
        eps, *share = eps_model(x, t, variance=True) if learned else (eps_model(x, t),)
        x0 = chain.x0_from_eps(x, eps, levels[i])
        # Sigma_t
        bounds = step.beta[i], lower[i]
        spread = chain.learned_log_variance(*share, *bounds).exp() if learned else variances[i]
        # Mean of q(x_t-1 | x_t, x0), equation 7
        mean = step.x0_coef[i] * (x0.clamp(-1, 1) if clip else x0) + step.x_coef[i] * x
        # Guidance shifts the mean by the variance times its gradient
        shift = gradient(x if guidance_at == "x_t" else mean, t) if gradient else None
        x = mean if shift is None else mean + spread * shift
        # Add noise, but not in the last step
        x = x + spread.sqrt() * noise(i, x) if times[i + 1] >= 0 else x
    return x
