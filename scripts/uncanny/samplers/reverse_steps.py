"""Steps of the reverse SDE that predictor-corrector samplers are made of (Song et al. 2021)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from uncanny.diffusion.forward import GeometricClock, Path, VPClock, per_image
from uncanny.samplers.steps import Denoiser, even_times, times


@dataclass(frozen=True)
class Level:
    """A noise level and the step from it to the next one; 0-dimensional tensors.

    sigma, scale: of the state x = scale (x0 + sigma n). kept, added: variance of the signal that
    the forward step keeps, and of the noise that it adds: 1 - beta and beta with the vp scaling, 1
    and sigma_i^2 - sigma_i+1^2 without. posterior: share of `added` in an ancestral step's noise.
    """

    sigma: Tensor
    scale: Tensor
    kept: Tensor
    added: Tensor
    posterior: Tensor

    @property
    def std(self) -> Tensor:
        """Standard deviation of the noise in the state."""
        return self.scale * self.sigma

    def score(self, denoiser: Denoiser, x: Tensor) -> Tensor:
        """grad log p(x) = (scale D(x / scale; sigma) - x) / std^2."""
        return (self.scale * denoiser(x / self.scale, self.sigma) - x) / self.std**2


def levels(sigmas: Tensor, path: Path, discretisation: str) -> list[Level]:
    """The level of each step. Raises ValueError for sigmas [N + 1] that do not fall.

    discretisation: `grid`, steps lead from level to level; `published`, they are the N steps of the
    SDE from t = 1 to 0, while the score is taken at the levels, which are even in time and may end
    a little above 0 (code of Song et al. 2021).
    """
    t = times(sigmas, path)[:-1]
    if discretisation == "published":
        t = even_times(sigmas, path, "discretisation published")
        variances = _published(path, len(t))
    elif path.scaling == "vp":
        # 1 - beta = alpha_bar / alpha_bar_next, with alpha_bar = 1 / (1 + sigma^2)
        kept = (1 + sigmas[1:] ** 2) / (1 + sigmas[:-1] ** 2)
        variances = kept, 1 - kept, torch.ones_like(kept)
    else:
        variances = _exploding(sigmas)
    rows = sigmas[:-1], path.scale(t), *variances
    return [Level(*row) for row in zip(*rows, strict=True)]


def _published(path: Path, N: int) -> tuple[Tensor, Tensor, Tensor]:
    """kept, added and posterior of the SDE's N steps."""
    t = torch.linspace(1, 0, N, dtype=torch.float64)
    if isinstance(path.time, VPClock) and path.scaling == "vp":
        # beta_i = beta(t_i) / N
        beta = (path.time.beta_min + path.time.beta_d * t) / N
        if beta[0] >= 1:
            raise ValueError(
                f"num_steps={N}: a step would have beta {float(beta[0]):.3g}; expected more than "
                f"{math.floor(N * beta[0])} steps with discretisation published"
            )
        return 1 - beta, beta, torch.ones_like(beta)
    if isinstance(path.time, GeometricClock) and path.scaling == "none":
        return _exploding(torch.cat([path.sigma(t), t.new_zeros(1)]))
    raise ValueError(
        "discretisation published: expected time vp with scaling vp, or time geometric with "
        "scaling none"
    )


def _exploding(sigmas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    now, after = sigmas[:-1] ** 2, sigmas[1:] ** 2
    return torch.ones_like(now), now - after, after / now


def predict(level: Level, denoiser: Denoiser, x: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Mean of the state after a step, and the standard deviation of its noise.

    `reverse_diffusion`: x - f + G^2 score, the forward step reversed (Song et al. 2021, equation
    46). `probability_flow`: the same with half of the score, without noise. `ancestral`: the mean
    and the variance of DDPM (equation 4), or of the posterior of the VE-SDE (equation 47).
    """
    score = level.score(denoiser, x)
    if kind == "ancestral":
        mean = (x + level.added * score) / level.kept.sqrt()
        return mean, (level.added * level.posterior).sqrt()
    flow = kind == "probability_flow"
    mean = (2 - level.kept.sqrt()) * x + (0.5 if flow else 1.0) * level.added * score
    return mean, (0 if flow else 1) * level.added.sqrt()


def correct(level: Level, denoiser: Denoiser, x: Tensor, z: Tensor, snr, kind: str) -> Tensor:
    """x + e score + sqrt(2 e) z.

    `langevin`: e = 2 kept (snr |z| / |score|)^2, image by image (Song et al. 2021, algorithms 4 and
    5). `annealed`: e = 2 kept (snr std)^2.
    """
    score = level.score(denoiser, x)
    ratio = level.std if kind == "annealed" else norm(z) / norm(score)
    size = per_image(2 * level.kept * (snr * ratio) ** 2, x)
    return x + size * score + (2 * size).sqrt() * z


def norm(x: Tensor) -> Tensor:
    """Euclidean norm of each image, [N]."""
    return x.flatten(1).norm(dim=1)
