"""Score-based models in continuous noise levels: the preconditioned network is a denoiser.

Karras et al. 2022.
"""

from dataclasses import replace
from functools import cached_property
from typing import Annotated, Literal

import torch

from uncanny.diffusion import losses, ncsn_levels, noise_range, sigma_grids
from uncanny.diffusion.forward import Path
from uncanny.diffusion.preconditioning import Preconditioning, denoise
from uncanny.diffusion.processes import Family, shown
from uncanny.registry import components
from uncanny.registry.option_types import Above, Positive, PositiveInt

MODEL_INTERFACE = "denoiser"
LEVEL = "sigma"
NEEDS_SCHEDULE = False
# Options at these values are not in an identity: a published range
LEFT_OUT = {"sigma_max": None, "sigma_min": None}
DERIVED = ("sigma_max",)  # options that may follow from the data

LEVELS = {
    "uniform_time": losses.uniform_time,
    "uniform_sub_vp_time": losses.uniform_sub_vp_time,
    "log_uniform": losses.log_uniform,
    "lognormal": losses.lognormal,
}
WEIGHTS = {"inverse_variance": losses.inverse_variance, "unit_output": losses.unit_output}

# Noise levels and weights with which each preconditioning was published.
MATCHED_LEVELS = {"vp": "uniform_time", "ve": "log_uniform", "edm": "lognormal"}
MATCHED_LEVELS |= {"sub_vp": "uniform_sub_vp_time"}
MATCHED_WEIGHTS = {"vp": "inverse_variance", "ve": "inverse_variance", "edm": "unit_output"}
MATCHED_WEIGHTS |= {"sub_vp": "inverse_variance"}


def continuous(
    schedule,
    *,
    preconditioning: Literal["vp", "sub_vp", "ve", "edm"],
    sigma_max: Annotated[Positive | Literal["data"] | None, Above("sigma_min")] = None,
    sigma_min: Positive | None = None,
    levels: Literal[
        "matched", "uniform_time", "uniform_sub_vp_time", "log_uniform", "lognormal"
    ] = "matched",
    weight: Literal["matched", "inverse_variance", "unit_output"] = "matched",
) -> "Continuous":
    """Build the continuous process; it has no schedule.

    preconditioning: how the network F becomes the denoiser D. sigma_max, sigma_min: range of the
    noise levels of training, for images in [-1, 1], of vp and ve; None: as published with the
    preconditioning; "data": the largest distance between two training images. levels, weight:
    distribution of the noise levels seen in training and weight of the error there; `matched` are
    those published with the preconditioning. Raises ValueError for a range that cannot be.
    """
    process = {"preconditioning": preconditioning, "sigma_max": sigma_max, "sigma_min": sigma_min}
    noise_range.check(process | {"levels": levels}, "process")
    levels = MATCHED_LEVELS[preconditioning] if levels == "matched" else levels
    weight = MATCHED_WEIGHTS[preconditioning] if weight == "matched" else weight
    return Continuous(process, levels, WEIGHTS[weight])


def init_sampling(
    model,
    latents,
    *,
    grid: dict,
    num_steps: PositiveInt | None = None,
    sigma_min: Positive | None = None,
    sigma_max: Annotated[Positive | None, Above("sigma_min")] = None,
    time: Literal["linear", "vp", "ve", "geometric"] = "linear",
    scaling: Literal["none", "vp"] = "none",
    losses: dict | None = None,
):
    """Begin sampling on a grid: (latents, sigmas [num_steps + 1], {"path": σ(t) and s(t)}).

    grid: kind and options of the noise levels; `ends`, without num_steps, for samplers that choose
    their own steps. sigma_min, sigma_max: their range; None: customary for the grid, moved into the
    network's. time, scaling: clock σ(t) and scale s(t) in which the sampler's steps are straight.
    losses: of the model at single noise levels, for grids that follow from them.
    """
    options = dict(grid)
    kind = options.pop("kind")
    network = model.preconditioning
    if components.takes("sigma_grids", kind, "losses"):
        options["losses"] = losses
    if components.takes("sigma_grids", kind, "table"):
        options["table"] = model.levels
    if (num_steps is None) != (kind == "ends"):
        raise ValueError(f"num_steps={num_steps} with grid {kind}; expected a number, or ends")
    # One VP clock for the grid, the range and the path
    clock = {"epsilon_s": options["epsilon_s"]} if kind == "vp" else {}
    supported = (network.sigma_min, network.sigma_max)
    # 1. Range of noise levels; 2. grid; 3. path whose clock covers the same range
    low, high = sigma_grids.sigma_range(
        kind, supported, sigma_min=sigma_min, sigma_max=sigma_max, clock=network.clock, **clock
    )
    sigmas = components.load("sigma_grids", kind)(num_steps, low, high, **options)
    return latents, sigmas, {"path": Path.named(time, scaling, low, high, **clock)}


class Continuous(Family):
    """D(x; σ) = c_skip x + c_out F(c_in x; c_noise), trained on λ(σ) ‖D(x0 + σ n; σ) − x0‖²."""

    init_sampling = staticmethod(init_sampling)
    level = LEVEL

    def __init__(self, process: dict, levels: str, weight):
        self.process, self.levels, self.weight = process, levels, weight

    def derive(self, data) -> dict:
        """sigma_max where it is to follow from the data; one that is set is compared with them.

        Raises ValueError for a range that does not suit the data.
        """
        sigma_max = self.process["sigma_max"]
        if sigma_max is None:
            return {}
        # Technique 1 of NCSNv2; stored images have levels 0..255, the process -1..1.
        reach = ncsn_levels.largest_distance(data.train.images)
        reach /= 127.5 if data.kind == "image" else 1
        if sigma_max != noise_range.DATA:
            noise_range.check_reach(sigma_max, reach, data.name)
            return {}
        noise_range.check(self.process | {"sigma_max": reach}, data.name)
        return {"sigma_max": reach}

    @cached_property
    def preconditioning(self) -> Preconditioning:
        """How F becomes D; ValueError where the range of noise levels is not known yet."""
        constants = noise_range.constants(self.process)
        made = components.load("preconditioning", self.process["preconditioning"])(**constants)
        if not constants:
            return made
        # Exactly these ends, which the clock has to rounding
        low, high = noise_range.ends(self.process)
        return replace(made, sigma_min=low, sigma_max=high)

    @cached_property
    def limits(self) -> dict[str, float]:
        """Arguments of the distribution of noise levels that the process's own range sets."""
        if not noise_range.is_own(self.process):
            return {}
        if self.levels == "uniform_time":
            return noise_range.constants(self.process)
        supported = self.preconditioning
        return {"sigma_min": supported.sigma_min, "sigma_max": supported.sigma_max}

    def loss(self, network, x0, labels, generator) -> torch.Tensor:
        """Weighted denoising error; x0 [N, ...], labels one-hot [N, K] or None → [N]."""
        draw = torch.randn if self.levels == "lognormal" else torch.rand
        # 1. Noise levels
        base = draw(len(x0), generator=generator, device=x0.device, dtype=torch.float64)
        sigma = LEVELS[self.levels](base, **self.limits)
        # 2. Noise
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)

        # 3. λ(σ) ‖D(x0 + σ n; σ) − x0‖²
        def denoiser(x, sigma):
            return denoise(network, self.preconditioning, x, sigma, labels)

        return losses.denoising_loss(denoiser, x0, sigma, noise, self.weight(sigma))

    def bind(self, network, labels) -> "Denoiser":
        return Denoiser(network, labels, self.preconditioning)


class Denoiser:
    """D(x; σ) of a trained network: float64 outside, the network's precision inside."""

    def __init__(self, network, labels, preconditioning: Preconditioning):
        self.network, self.labels, self.preconditioning = network, labels, preconditioning

    def __call__(self, x: torch.Tensor, sigma, rows=None, unconditional=False) -> torch.Tensor:
        """D of x [N, ...]. sigma: [] or [N]. rows: indices [N] of the images of the batch that x
        holds, None for all. unconditional: without their classes.
        """
        labels = shown(self.labels, rows, unconditional)
        # D = c_skip x + c_out F(c_in x; c_noise)
        return denoise(self.network, self.preconditioning, x, sigma, labels)
