"""NCSNv2: score matching at geometric noise levels, for annealed Langevin dynamics.

Song & Ermon 2020. The score network sees images in [0, 1]; no class labels.
"""

import math
from typing import Annotated

import torch

from uncanny.diffusion import losses, ncsn_levels, schedules
from uncanny.diffusion.forward import one_per_image, per_image
from uncanny.diffusion.processes import Family
from uncanny.registry.option_types import Above, Positive, PositiveInt, TwoOrMore
from uncanny.runtime.hardware import constant

MODEL_INTERFACE = "score_model"
NEEDS_SCHEDULE = False
DERIVED = ("sigma_max", "num_levels")  # options that may follow from the data


def annealed(
    schedule,
    *,
    sigma_max: Annotated[Positive | None, Above("sigma_min")] = None,
    sigma_min: Positive = 0.01,
    num_levels: TwoOrMore | None = None,
) -> "Annealed":
    """Build the annealed process; it has no schedule.

    sigma_max, sigma_min: largest and smallest noise level, for images in [0, 1]. num_levels: of a
    geometric sequence between them. None: by the rules of NCSNv2, from the training images.
    """
    return Annealed(sigma_max, sigma_min, num_levels)


def init_sampling(
    model, latents, *, steps_per_level: PositiveInt = 5, step_size: Positive | None = None
):
    """Begin sampling with uniform noise: (x in [0, 1], sigmas [L], sampler's arguments).

    latents: standard normal. steps_per_level: Langevin steps at each noise level. step_size: at the
    last level; None: by the rule of NCSNv2, for the ratio of the levels and the steps per level.
    """
    if step_size is None:
        ratio = float(model.sigmas[0] / model.sigmas[1])
        # Technique 4
        step_size, _ = ncsn_levels.step_size(float(model.sigmas[-1]), ratio, steps_per_level)
    # The distribution function of a normal number is uniform on [0, 1].
    x = torch.special.ndtr(latents.double())
    return x, model.sigmas, {"steps_per_level": steps_per_level, "step_size": step_size}


class Annealed(Family):
    """s(x, sigma) = f(x) / sigma on images in [0, 1], trained with weight sigma²."""

    init_sampling = staticmethod(init_sampling)

    def __init__(self, sigma_max: float | None, sigma_min: float, num_levels: int | None):
        self.sigma_max, self.sigma_min, self.num_levels = sigma_max, sigma_min, num_levels

    def derive(self, data) -> dict:
        """sigma_max and num_levels where they are None, by the rules of `ncsn_levels`.

        Raises ValueError where the data are no images.
        """
        if data.kind != "image":
            raise ValueError(f"{data.name}: {data.kind}s; the annealed process needs images")
        high, count = self.sigma_max, self.num_levels
        if high is None:
            # Technique 1; stored images have levels 0..255, the process 0..1.
            high = ncsn_levels.largest_distance(data.train.images) / 255
        if count is None:
            # Technique 2
            ratio = ncsn_levels.level_ratio(math.prod(data.shape))
            count = ncsn_levels.level_count(high, self.sigma_min, ratio)
        return {"sigma_max": high, "num_levels": count}

    @property
    def sigmas(self) -> torch.Tensor:
        """Noise levels [L], falling, float64; ValueError where they are not known yet."""
        if self.sigma_max is None or self.num_levels is None:
            values = f"sigma_max={self.sigma_max}, num_levels={self.num_levels}"
            raise ValueError(f"{values}: expected numbers, set or derived from the dataset")
        return schedules.geometric(
            self.num_levels, sigma_begin=self.sigma_max, sigma_end=self.sigma_min
        )

    def loss(self, network, x0, labels, generator) -> torch.Tensor:
        """Weighted score matching at i ~ U{1..L}; x0 [N, ...] in [-1, 1], labels None → [N]."""
        _refuse(labels)
        sigmas = constant(self.sigmas, x0.device)
        i = torch.randint(len(sigmas), (len(x0),), generator=generator, device=x0.device)
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        # sigma² ‖s(x0 + sigma n, sigma) + n / sigma‖², with images moved from [-1, 1] to [0, 1]
        sigma = sigmas[i].to(x0.dtype)
        return losses.anneal_dsm(lambda x, s: _score(network, x, s), (x0 + 1) / 2, sigma, noise)

    def bind(self, network, labels) -> "ScoreModel":
        _refuse(labels)
        return ScoreModel(network, self.sigmas)

    def finish(self, x):
        """Convert [0, 1] to [-1, 1]."""
        # No clipping: images of all families are clipped when they are stored.
        return 2 * x - 1


class ScoreModel:
    """s(x, sigma) of a trained network: float64 outside, the network's precision inside.

    sigmas: the noise levels it was trained at, float64 [L], falling.
    """

    def __init__(self, network, sigmas: torch.Tensor):
        self.network = network
        parameter = next(network.parameters())
        self.dtype, self.sigmas = parameter.dtype, sigmas.to(parameter.device)

    def __call__(self, x: torch.Tensor, sigma) -> torch.Tensor:
        level = one_per_image(sigma, x, self.dtype)
        return _score(self.network, x.to(self.dtype), level).to(x.dtype)


def _score(network, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """s(x, sigma) = f(x) / sigma; sigma [N]. The noise condition of a network is ln sigma."""
    # `refinenet` ignores the condition; other networks may use it.
    # s(x, sigma) = f(x) / sigma (Song & Ermon 2020, technique 3)
    return network(x, sigma.log(), None) / per_image(sigma, x)


def _refuse(labels) -> None:
    if labels is not None:
        raise ValueError("the annealed process is unconditional; expected conditional: false")
