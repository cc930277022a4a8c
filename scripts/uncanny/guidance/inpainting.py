"""Inpainting in the augmented state: known pixels are sampled from the kernel at every step.

After a step to time t the known pixels of z are replaced by a sample of N(Phi(t) (x0, 0), Sigma_t),
position and momentum together, so that the unknown pixels are denoised consistently with them
(arXiv 2303.01748, section 5.3).
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
    """Removed part of images, and how the known pixels are kept. See `guidances.inpainting`."""

    mask: str
    paste: bool = True
    legacy_time: bool = False

    GUIDED_ARGUMENT = "constrain"
    ids = {}  # noqa: RUF012 (of classifiers: none is used)
    split = "test"

    def bound_to(self, family, options: dict, with_statistics: bool, originals) -> tuple:
        """Return (function that guides a batch, no statistics). See `guidances.Guidance`."""
        if family.guided_as != "phase_space":
            raise ValueError(f"{type(family).__name__}: this family cannot be inpainted")
        return partial(self.bind, originals=originals), None

    def bind(self, model, times: Tensor, labels, seeds: list[int], *, originals) -> "Inpainted":
        """Inpaint one batch; originals: images as they are stored, one of them per seed."""
        if originals is None:
            raise ValueError("inpainting: no test images; expected those of the model's dataset")
        images = to_model(originals[chosen(seeds, len(originals))])
        known = masks(self.mask, seeds, tuple(images.shape[1:]))
        noise = ImageStreams(seed_of(seed, "inpainting") for seed in seeds).noise
        options = {"paste": self.paste, "legacy_time": self.legacy_time}
        return Inpainted(model, times, images, known, noise, **options)

    def extras(self, originals, seeds: list[int]) -> dict[str, np.ndarray]:
        """Arrays stored with the samples, [n, ...] each: `originals` as they are stored, and
        `known`, true where a pixel was kept.
        """
        images = np.stack([originals[row] for row in chosen(seeds, len(originals))])
        return {"originals": images, "known": masks(self.mask, seeds, images.shape[1:]).numpy()}


class Inpainted:
    """Inpainting of one batch: the model, and the function that puts the known pixels back.

    images: [N, C, ...] in the model's range. known: bool of the same shape, true where a pixel is
    known. noise: noise(step, like), called once per step and at the start.
    """

    def __init__(self, model, times, images, known, noise, *, paste=True, legacy_time=False):
        if known.shape != images.shape:
            raise ValueError(
                f"mask of shape {tuple(known.shape)}: expected {tuple(images.shape)}, as the images"
            )

        # The known pixels follow the kernel with the initial momentum integrated out, Sigma_0 =
        # diag(0, kappa M), even for a network trained with dsm: an image alone has no momentum.
        self.model, self.process = model, replace(model.process, objective="hsm")
        self.images, self.known, self.noise = images, known, noise
        self.last, self.paste, self.legacy_time = float(times[-1]), paste, legacy_time
        self._step = 0

    @property
    def arguments(self) -> dict:
        """Further arguments of the sampler."""
        return {"constrain": self.constrain}

    def __call__(self, z: Tensor, t: float) -> Tensor:
        return self.model(z, t)

    def constrain(self, z: Tensor, t: float, t_previous: float | None) -> Tensor:
        """Put the known pixels into z [N, d C, ...] at time t.

        t_previous: where the step began, None at the start of sampling.
        """
        # Copied to the device once
        self.known, self.images = self.known.to(z.device), self.images.to(z.device, z.dtype)
        # z <- known z^k + (1 - known) z, in every component of the state alike
        size = self.process.size
        repeats = [1, size] + [1] * (z.ndim - 2)
        known = self.known.repeat(repeats)
        return torch.where(known, self._known_state(z, t, t_previous), z)

    def _known_state(self, z: Tensor, t: float, t_previous: float | None) -> Tensor:
        """Position and momentum of the known pixels at t; without noise after the last step."""
        x0 = self.images
        if t == self.last and t_previous is not None:
            # The last step adds no noise: the mean there; after denoising to 0 that of the last
            # noisy time, which the denoised state stands for.
            mean = self._mean(z, x0, t_previous if t == 0 else t)
            return torch.cat([x0, mean[:, x0.shape[1] :]], dim=1) if self.paste else mean
        # z^k = Phi(t) (x0, 0) + L(t) eps, at the time that the state has reached; the code of PSLD
        # takes the time at which the step began.
        time = t_previous if self.legacy_time and t_previous is not None else t
        eps, self._step = self.noise(self._step, z), self._step + 1
        return self.process.perturb(x0, torch.tensor(time, dtype=torch.float64), eps)

    def _mean(self, z: Tensor, x0: Tensor, t: float) -> Tensor:
        """Phi(t) (x0, 0)."""
        rest = torch.zeros_like(z[:, x0.shape[1] :])
        return apply(self.process.flow(t), torch.cat([x0, rest], dim=1))


# --- Masks ---------------------------------------------------------------------------------------


def masks(kind: str, seeds: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Masks of known pixels, bool [N, *shape]; they follow from the seeds.

    kind: part that is removed: "digit", the pixels under a handwritten digit, enlarged without
    interpolation; "centre", the middle half of every axis of the image; "right", the right half.
    Raises ValueError for a digit on data that are no images.
    """
    seeds = list(seeds)
    if kind == "digit":
        if len(shape) != 3:
            raise ValueError(f"mask digit for shape {shape}: expected images (C, H, W)")
        return ~_digits(seeds, shape[1:])[:, None].expand(-1, *shape)
    removed = torch.ones(shape, dtype=torch.bool)
    for axis, length in enumerate(shape):
        if len(shape) > 1 and axis == 0:  # channels: a pixel is known in all of them or in none
            continue
        first, last = (length // 4, length - length // 4) if kind == "centre" else (0, length)
        if kind == "right" and axis == len(shape) - 1:
            first = length // 2
        position = torch.arange(length).reshape(-1, *[1] * (len(shape) - 1 - axis))
        # A box: the product of intervals on all axes
        removed &= (position >= first) & (position < last)
    return ~removed.expand(len(seeds), *shape)


def _digits(seeds: list[int], size: tuple[int, ...]) -> Tensor:
    """One digit of scikit-learn's per seed, bool [N, H, W]: strokes of at least half the ink."""
    from sklearn.datasets import load_digits

    strokes = np.asarray(load_digits().images) >= 8  # [1797, 8, 8], ink from 0 to 16
    rows = [int(torch.randint(len(strokes), (), generator=generator(s, "mask"))) for s in seeds]
    # Nearest pixel of the 8x8 digit for each pixel of the image
    nearest = [torch.arange(n) * 8 // n for n in size]
    return torch.from_numpy(strokes[rows])[:, nearest[0]][:, :, nearest[1]]
