"""Inpainting in the augmented state: known pixels are drawn from the kernel at every step.

After a step to time t the known pixels of z are replaced by a draw of N(Phi(t) (x0, 0), Sigma_t),
position and momentum together, so that the rest is denoised beside them (arXiv 2303.01748,
section 5.3).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from uncanny.datasets import to_model
from uncanny.diffusion.augmented_state import apply
from uncanny.runtime.random_streams import ImageStreams, chosen, generator, seed_of


@dataclass(frozen=True)
class Inpainting:
    """What is removed from images, and how the rest is held. See `guidances.inpainting`."""

    mask: str
    paste: bool = True
    legacy_time: bool = False

    BENDS = "constrain"
    ids = {}  # noqa: RUF012 (of classifiers: it asks none)
    split = "test"

    def bound_to(self, family, options: dict, account: bool, originals) -> tuple:
        """What binds a batch to this guidance, and no account. See `guidances.Guidance`."""
        if family.guided_as != "phase_space":
            raise ValueError(f"{type(family).__name__}: walks of this family cannot be inpainted")
        return partial(self.bind, originals=originals), None

    def bind(self, model, times: Tensor, labels, seeds: list[int], *, originals) -> "Inpainted":
        """The walk of one batch; originals: images as they are stored, of which each seed takes
        one.
        """
        if originals is None:
            raise ValueError("inpainting starts from test images, and none were given")
        images = to_model(originals[chosen(seeds, len(originals))])
        known = masks(self.mask, seeds, tuple(images.shape[1:]))
        noise = ImageStreams(seed_of(seed, "inpainting") for seed in seeds).noise
        options = {"paste": self.paste, "legacy_time": self.legacy_time}
        return Inpainted(model, times, images, known, noise, **options)

    def beside(self, originals, seeds: list[int]) -> dict[str, np.ndarray]:
        """What is stored beside the images: originals as they are stored, and `known`, true where
        a pixel was kept; [n, ...] each.
        """
        images = np.stack([originals[row] for row in chosen(seeds, len(originals))])
        return {"originals": images, "known": masks(self.mask, seeds, images.shape[1:]).numpy()}


class Inpainted:
    """One batch: the model as the sampler sees it, and what holds the known pixels.

    images: [N, C, ...] in the model's range. known: bool of the same shape, true where a pixel is
    known. noise: noise(step, like), asked once per step and at the start.
    """

    def __init__(self, model, times, images, known, noise, *, paste=True, legacy_time=False):
        if known.shape != images.shape:
            raise ValueError(
                f"mask of shape {tuple(known.shape)}: expected {tuple(images.shape)}, as the images"
            )
        self.model, self.process = model, replace(model.process, objective="hsm")
        self.images, self.known, self.noise = images, known, noise
        self.last, self.paste, self.legacy_time = float(times[-1]), paste, legacy_time
        self._step = 0

    @property
    def arguments(self) -> dict:
        """What the sampler is given."""
        return {"constrain": self.constrain}

    def __call__(self, z: Tensor, t: float) -> Tensor:
        return self.model(z, t)

    def constrain(self, z: Tensor, t: float, before: float | None) -> Tensor:
        """z at time t with the known pixels put in; before: where the step began, None at the
        start.
        """
        size = self.process.size
        repeats = [1, size] + [1] * (z.ndim - 2)
        known = self.known.to(z.device).repeat(repeats)
        return torch.where(known, self._held(z, t, before), z)

    def _held(self, z: Tensor, t: float, before: float | None) -> Tensor:
        """Position and momentum of the known pixels at t; without noise at the walk's end."""
        x0 = self.images.to(z.device, z.dtype)
        if t == self.last and before is not None:
            mean = self._mean(z, x0, before if t == 0 else t)
            return torch.cat([x0, mean[:, x0.shape[1] :]], dim=1) if self.paste else mean
        time = before if self.legacy_time and before is not None else t
        eps, self._step = self.noise(self._step, z), self._step + 1
        return self.process.perturb(x0, torch.tensor(time, dtype=torch.float64), eps)

    def _mean(self, z: Tensor, x0: Tensor, t: float) -> Tensor:
        rest = torch.zeros_like(z[:, x0.shape[1] :])
        return apply(self.process.flow(t), torch.cat([x0, rest], dim=1))


# --- Masks ---------------------------------------------------------------------------------------


def masks(kind: str, seeds: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """True where a pixel is known, bool [N, *shape]; functions of the seeds.

    kind: what is removed: "digit", the pixels under a handwritten digit, enlarged without
    interpolation; "centre", the middle half of every axis of the image; "right", the right half.
    """
    seeds = list(seeds)
    if kind == "digit":
        if len(shape) != 3:
            raise ValueError(f"mask digit for shape {shape}: expected images (C, H, W)")
        return ~_digits(seeds, shape[1:])[:, None].expand(-1, *shape)
    removed = torch.ones(shape, dtype=torch.bool)
    for axis, length in enumerate(shape):
        if len(shape) > 1 and axis == 0:  # channels
            continue
        first, last = (length // 4, length - length // 4) if kind == "centre" else (0, length)
        if kind == "right" and axis == len(shape) - 1:
            first = length // 2
        place = torch.arange(length).reshape(-1, *[1] * (len(shape) - 1 - axis))
        removed &= (place >= first) & (place < last)
    return ~removed.expand(len(seeds), *shape)


def _digits(seeds: list[int], size: tuple[int, ...]) -> Tensor:
    """One digit of scikit-learn's per seed, bool [N, H, W]: strokes of at least half the ink."""
    from sklearn.datasets import load_digits

    strokes = np.asarray(load_digits().images) >= 8  # [1797, 8, 8], ink from 0 to 16
    rows = [int(torch.randint(len(strokes), (), generator=generator(s, "mask"))) for s in seeds]
    places = [torch.arange(n) * 8 // n for n in size]
    return torch.from_numpy(strokes[rows])[:, places[0]][:, :, places[1]]
