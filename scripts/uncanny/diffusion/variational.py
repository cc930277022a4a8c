"""The variational bound of a discrete process in bits per dimension (Ho et al. 2020, equation 5).

-log2 p(x0) <= L_T + ... + L_1 + L_0: of the prior, of every step, and of 256 grey values from x_1.
"""

import math

import torch
from torch import Tensor

from uncanny.diffusion.chain import (
    clipped_variances,
    learned_log_variance,
    posterior,
    x0_from_eps,
)
from uncanny.diffusion.forward import per_image
from uncanny.diffusion.losses import pixel_mean

HALF_BIN = 1 / 255  # of grey values in [-1, 1]
LEAST = 1e-12  # of probabilities, whose logarithms are taken


def terms(
    x0: Tensor, x: Tensor, t: Tensor, eps: Tensor, alphas_cumprod: Tensor, share: Tensor | None
) -> Tensor:
    """L_t of images x0 [N, ...] in [-1, 1] at x = x_t, in bits per dimension, float64 [N].

    t: int64 [N]. eps: predicted noise. alphas_cumprod: float64 [T], on the device of x. share: the
    network's second output, which chooses the variance between its bounds; None: the lower bound.
    Nichol and Dhariwal (2021), section 2 and their code: the predicted image is not clipped.
    """
    x0, x, eps = x0.double(), x.double(), eps.double()
    # The steps of the whole chain, from t = T - 1 down to the clean image
    levels, row = alphas_cumprod.flip(0), len(alphas_cumprod) - 1 - t
    step = posterior(levels, torch.cat([levels[1:], levels.new_ones(1)]))
    lower, beta = clipped_variances(step)[row], step.beta[row]
    share = -torch.ones_like(x) if share is None else share.double()
    log_variance = learned_log_variance(share, beta, lower)
    # Means of q(x_t-1 | x_t, x0) and of the model, equation 7 of Ho et al. (2020)
    alpha_bar = per_image(levels[row], x)
    predicted = x0_from_eps(x, eps, alpha_bar)
    x0_coef, x_coef = (per_image(c[row], x) for c in (step.x0_coef, step.x_coef))
    mean, wanted = x0_coef * predicted + x_coef * x, x0_coef * x0 + x_coef * x
    kl = normal_kl(wanted, per_image(lower.log(), x), mean, log_variance)
    decoder = -grey_log_likelihood(x0, mean, log_variance / 2)
    in_nats = torch.where(t == 0, pixel_mean(decoder), pixel_mean(kl))
    return in_nats / math.log(2)


def prior_term(x0: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """L_T, the distance of x_T from standard normal noise, in bits per dimension [N]."""
    last = alphas_cumprod[-1].to(x0.dtype)
    zero = torch.zeros_like(x0)
    kl = normal_kl(last.sqrt() * x0, (1 - last).log(), zero, zero)
    return pixel_mean(kl) / math.log(2)


def normal_kl(mean: Tensor, log_variance: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(mean2, variance2)) of each entry, in nats."""
    # (ln v2 - ln v1 + v1 / v2 + (m1 - m2)^2 / v2 - 1) / 2
    gap = log_variance - log_variance2
    return 0.5 * (gap.exp() + (mean - mean2) ** 2 * (-log_variance2).exp() - gap - 1)


def grey_log_likelihood(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """ln P of each grey value x in [-1, 1] under N(mean, std^2) in 256 bins, the outer ones open.

    Ho et al. (2020), equation 13, with the approximation of the normal distribution of their code.
    """
    above = _normal_cdf((x - mean + HALF_BIN) * (-log_std).exp())
    below = _normal_cdf((x - mean - HALF_BIN) * (-log_std).exp())
    inner = torch.where(x > 0.999, 1 - below, above - below)
    return torch.where(x < -0.999, above, inner).clamp(min=LEAST).log()


def _normal_cdf(z: Tensor) -> Tensor:
    # tanh approximation
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
