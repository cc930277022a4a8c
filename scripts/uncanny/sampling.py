"""From a checkpoint to images: batches, seeds, counting of network evaluations, and the files that
hold the result.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch

from uncanny import checkpoints, components, files, hardware, segments
from uncanny.datasets import to_uint8
from uncanny.random_streams import ImageStreams, image_seeds

BATCH_VALUES = 2**21  # numbers in one batch of states: 682 images of 3×32×32


class Counted:
    """A model that a sampler walks with, and how often it was evaluated per image."""

    def __init__(self, model):
        self.model, self.nfe = model, 0

    def __call__(self, x, level):
        self.nfe += 1
        return self.model(x, level)

    def __getattr__(self, name):
        return getattr(self.model, name)


@dataclass(frozen=True)
class Drawn:
    """Images [n, ...] in the model's range, float64; class labels [n] drawn with them; evaluations
    per image.
    """

    images: torch.Tensor
    labels: torch.Tensor
    nfe: int


def draw_images(
    family, network, options: dict, seeds: list[int], shape, num_classes: int, conditional: bool
) -> Drawn:
    """One image per seed. Image k is a function of its seed, whatever batch it is drawn in (to
    rounding).

    options: a sampler's complete block. conditional: the network is shown the class drawn from the
    image's own seed.
    """
    size = max(1, BATCH_VALUES // int(np.prod(shape)))
    parts = [
        _draw_batch(family, network, options, seeds[i : i + size], shape, num_classes, conditional)
        for i in range(0, len(seeds), size)
    ]
    return Drawn(
        torch.cat([p.images for p in parts]), torch.cat([p.labels for p in parts]), parts[0].nfe
    )


@torch.no_grad()
def _draw_batch(family, network, options, seeds, shape, num_classes, conditional) -> Drawn:
    device = next(network.parameters()).device
    streams = ImageStreams(seeds)
    latents = streams.latents(tuple(shape)).to(device)
    labels = streams.class_labels(max(num_classes, 1))
    shown = torch.nn.functional.one_hot(labels, num_classes).to(device) if conditional else None
    model = Counted(family.bind(network, shown))
    sampler, start, rest = walk(options, type(family).__module__.rsplit(".", 1)[-1])
    x, levels, extra = family.start(model, latents, **start)
    x = sampler(model, x, levels, noise=streams.noise, **extra, **rest)
    return Drawn(x.cpu(), labels, model.nfe)


def walk(options: dict, family: str) -> tuple:
    """Split a sampler's block: the sampler itself, what its family sets the walk up with, the
    sampler's own options.
    """
    names = components.options_of(components.source("families", family), "start")
    start = {k: v for k, v in options.items() if k in names}
    rest = {k: v for k, v in options.items() if k not in names and k != "kind"}
    return components.load("samplers", options["kind"]), start, rest


def run(*, checkpoint, identity, seed, sampler, draw, num_images, samples, record, threads) -> None:
    """Draw a cell's images and write them with their record; a diverged checkpoint leaves a marked,
    empty set.
    """
    device = hardware.device(threads)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    facts = {
        "status": state["status"],
        "sampler": sampler,
        "num_images": num_images,
        "image_seeds": image_seeds(draw, 0, num_images)[:: max(1, num_images - 1)],
    }
    if state["status"] == "diverged":
        _write(samples, np.zeros((0, *state["shape"]), np.uint8), np.zeros(0, np.int64))
        files.write_json(record, facts | {"reason": state["reason"], "timing": {}})
        return
    network = segments.averaged_network(state, device)
    family = segments.build_family(identity)
    started = time.time()
    seeds = image_seeds(draw, 0, num_images)
    drawn = draw_images(
        family,
        network,
        sampler,
        seeds,
        state["shape"],
        state["num_classes"],
        identity["conditional"],
    )
    seconds = time.time() - started
    _write(samples, to_uint8(drawn.images).numpy(), drawn.labels.numpy())
    facts |= {"nfe": drawn.nfe, "images_seen": state["images_seen"]}
    files.write_json(record, facts | {"timing": _timing(seconds, drawn, state["shape"], device)})


def _write(path, images: np.ndarray, labels: np.ndarray) -> None:
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, labels=labels)


def _timing(seconds: float, drawn: Drawn, shape, device: torch.device) -> dict:
    count = len(drawn.images)
    return {
        "seconds": round(seconds, 4),
        "ms_per_nfe": round(1000 * seconds / (count * drawn.nfe), 5),
        "batch_size": min(count, max(1, BATCH_VALUES // int(np.prod(shape)))),
        "precision": "fp32",
        "device": hardware.describe(device),
        "peak_memory_mb": round(hardware.peak_memory_mb(device), 1),
    }
