"""Randomness as an argument: seeded generators, no global state.

Training draws come from `generator(seed, "noise", step)`; images from one stream per image, so that
image k is the same image in every batch. That stream is a function of sampling seed, training seed
and k: all models, samplers, guidances and epochs of one training seed have common random numbers
(latents, labels, noise), which makes their differences sharp; training seeds are independent.
"""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from uncanny.runtime.hardware import sent

IMAGES_PER_DRAW = 1_000_000
# Draws from one training seed to the next. 6949e6 = 0.618 * 2^32 (modulo 2^32), the golden section,
# keeps their ranges apart: those of 40 training seeds with 40 draws each do not meet.
DRAWS_PER_TRAINING_SEED = 6949
WORTH_THREADS = 2**16  # numbers of a step, 2 ms of one core: fewer are generated faster without


def seed_of(*key: int | str) -> int:
    """A seed below 2^64 that is a pure function of the key: the start of its SHA-256."""
    for entry in key:
        if not isinstance(entry, int | str) or isinstance(entry, bool):
            raise ValueError(f"key {key!r} of a seed: {entry!r} is neither an integer nor a string")
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def generator(*key: int | str) -> torch.Generator:
    """CPU generator seeded from the key; torch's takes the lowest 32 bits of a seed."""
    return torch.Generator().manual_seed(seed_of(*key))


def image_seeds(draw: int, first: int, count: int, training_seed: int = 0) -> list[int]:
    """Seeds of images first .. first + count - 1 of a draw: (6949 training_seed + draw) * 1 000 000
    + index. The default, 0, gives the seeds that EDM's command line would be passed.

    Raises ValueError where they would run into the seeds of the next draw.
    """
    numbers = {"draw": draw, "first": first, "count": count, "training_seed": training_seed}
    if min(numbers.values()) < 0:
        listed = ", ".join(f"{name}={value}" for name, value in numbers.items())
        raise ValueError(f"{listed}: none may be negative")
    if first + count > IMAGES_PER_DRAW:
        raise ValueError(f"{first + count} images: a draw has at most {IMAGES_PER_DRAW}")
    start = (DRAWS_PER_TRAINING_SEED * training_seed + draw) * IMAGES_PER_DRAW
    return list(range(start + first, start + first + count))


def chosen(seeds: Iterable[int], count: int) -> list[int]:
    """Index, below count, of the dataset's image that each image starts from, by its seed alone."""
    return [int(torch.randint(count, (), generator=generator(s, "original"))) for s in seeds]


class ImageStreams:
    """One random stream per image of a batch, to be used in the order of the methods below.

    seeds: one non-negative integer per image, taken modulo 2^32 as in the EDM command line.
    Numbers are generated on the CPU, hence the same for every device, and for any number of
    threads, since a stream belongs to one of them at a time. RuntimeError for another order.
    """

    def __init__(self, seeds: Iterable[int]):
        self._generators = [torch.Generator().manual_seed(seed % 2**32) for seed in seeds]
        self._position = 0
        self._pool = None
        self._ahead = None  # noise of the next step, and the work on it

    def latents(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal latents, float32 [N, *shape]."""
        self._next(1, "latents")
        out = torch.empty((len(self._generators), *shape))
        _fill(out.unbind(), self._generators)
        return out

    def class_labels(self, num_classes: int) -> Tensor:
        """A uniform class for each image, int64 [N]."""
        self._next(2, "class labels")
        return torch.stack([torch.randint(num_classes, (), generator=g) for g in self._generators])

    def noise(self, step: int, like: Tensor) -> Tensor:
        """Fresh standard normal noise like `like` [N, ...], generated in float64 by as many threads
        as torch has. For an accelerator, that of the next step is generated while it computes, so
        memory holds two steps, and all steps need the same shape (else RuntimeError).

        step: not used, as each stream continues; it is the interface of recorded noise.
        """
        self._position = 3
        noise, work = self._ahead or self._begin(like)
        if noise.shape != like.shape:
            shapes = f"{tuple(noise.shape)}, then {tuple(like.shape)}"
            raise RuntimeError(f"noise of shape {shapes}; expected one shape for all steps")
        for part in work:
            part.result()
        self._ahead = self._begin(like) if like.device.type != "cpu" else None
        return sent(noise, like.device).to(like.dtype)

    def _begin(self, like: Tensor) -> tuple[Tensor, list[Future]]:
        """Noise of a step, and the work in threads after which it is complete."""
        device, threads = like.device.type, torch.get_num_threads()
        out = torch.empty(like.shape, dtype=torch.float64, pin_memory=device == "cuda")
        images = out.unbind()
        if device == "cpu" and (threads == 1 or like.numel() < WORTH_THREADS):
            _fill(images, self._generators)
            return out, []
        self._pool = self._pool or ThreadPoolExecutor(threads)
        # Image k, and so its stream, is filled by thread k mod threads.
        parts = (slice(first, None, threads) for first in range(threads))
        return out, [self._pool.submit(_fill, images[p], self._generators[p]) for p in parts]

    def _next(self, position: int, name: str) -> None:
        if self._position >= position:
            raise RuntimeError(f"{name} come once, in the order latents, class labels, noise")
        self._position = position


def _fill(images: Iterable[Tensor], generators: Iterable[torch.Generator]) -> None:
    for image, stream in zip(images, generators, strict=True):
        image.normal_(generator=stream)
