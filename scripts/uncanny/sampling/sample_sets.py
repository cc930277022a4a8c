"""Sets of samples: drawn, timed and in the form in which they are stored."""

from dataclasses import dataclass, field

import numpy as np
import torch

from uncanny.datasets import to_uint8
from uncanny.runtime import hardware, precision
from uncanny.runtime.resume_state import ResumeState
from uncanny.sampling import drawing


@dataclass(frozen=True)
class Samples:
    """A set as it is stored: images [n, ...], labels int64 [n]; facts, what its record says of it;
    extras, arrays [n, ...] that a guidance adds. No images where the status in facts is not `ok`.
    """

    images: np.ndarray
    labels: np.ndarray
    facts: dict
    extras: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def diverged(cls, shape: tuple[int, ...], reason: str, **facts) -> "Samples":
        """An empty set, marked."""
        facts |= {"status": "diverged", "reason": reason}
        return cls(np.zeros((0, *shape), np.uint8), np.zeros(0, np.int64), facts)


def draw_set(
    model: drawing.Trained,
    sampler: dict,
    seeds: list[int],
    guidance=None,
    *,
    originals=None,
    losses=None,
    resume: ResumeState | None = None,
) -> Samples:
    """Draw a set, timed; diverged where an image is not finite. Arguments: as draw_images."""
    inputs = {"originals": originals, "losses": losses, "resume": resume}
    generated = drawing.draw_images(model, sampler, seeds, guidance, **inputs)
    timing = _timing(generated, model, sampler)
    facts = {"timing": timing, "nfe": generated.nfe}
    lost = int((~torch.isfinite(generated.images)).flatten(1).any(dim=1).sum())
    if lost:
        reason = f"{lost} of {len(generated.images)} images are not finite"
        return Samples.diverged(model.shape, reason, **facts)
    if generated.deciles is not None:
        facts["guidance_deciles"] = generated.deciles
    truncated = sampler["init_sampling"].get("pixels") == "truncate"
    images = stored(generated.images, truncated=truncated)
    extras = guidance.extras(originals, seeds) if hasattr(guidance, "extras") else {}
    return Samples(images, generated.labels.numpy(), facts | {"status": "ok"}, extras)


def stored(images: torch.Tensor, *, truncated: bool = False) -> np.ndarray:
    """As images are kept: uint8 [n, C, H, W]; vectors float32 [n, D].

    truncated: 255 (x + 1) / 2 without its fraction, not rounded.
    """
    # to_uint8 is floor(127.5 x + 128), rounding; at x - 1/255 it is floor(127.5 (x + 1)).
    if images.ndim != 4:
        return images.float().numpy()
    return to_uint8(images - 1 / 255 if truncated else images).numpy()


def _timing(generated: drawing.Generated, model: drawing.Trained, sampler: dict) -> dict:
    count, seconds = len(generated.images), generated.seconds
    return {
        "seconds": round(seconds, 4),
        "ms_per_nfe": round(1000 * seconds / (count * generated.nfe), 5),
        "batch_size": generated.batch_size,
        "precision": precision.computed(sampler["precision"], model.device),
        "device": hardware.describe(model.device),
        "peak_memory_mb": round(hardware.peak_memory_mb(model.device), 1),
    }
