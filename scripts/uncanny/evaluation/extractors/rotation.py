"""Feature extractor for images without classes: which way up is it?

The network of `classifier` learns to tell by how many quarter turns an image was rotated, for which
it has to see what is in it (Gidaris, Singh and Komodakis, ICLR 2018). A fifth answer, for noise, is
learnt beside the four turns, so that features tell noise from images. Logits say nothing about
what an image shows: there is no Inception Score.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from uncanny.evaluation.extractors.classifier import (
    Batches,
    ResidualNetwork,
    augment,
    fit,
    noise_images,
    state_of,
)
from uncanny.registry.option_types import (
    LayerSize,
    Nonnegative,
    Positive,
    PositiveInt,
    Seed,
    SmallInt,
)
from uncanny.training import loop

TURNS = 4
NOISE = TURNS  # the fifth answer


class RotationNetwork(ResidualNetwork):
    """The network of `classifier`, whose logits are those of 0 to 3 quarter turns, and of noise."""

    @staticmethod
    def exam(split) -> tuple[Tensor, Tensor]:
        """What it is measured by: images of a split in all positions, and their quarter turns."""
        return rotated(torch.from_numpy(np.array(split.images)))


def build(config: dict, weights: dict | None = None) -> RotationNetwork:
    """The network of a state; with fresh weights where none are given."""
    network = RotationNetwork(num_classes=TURNS + 1, **config)
    if weights is not None:
        network.load_state_dict(weights)
    return network


def rotation(
    dataset,
    device: str = "cpu",
    *,
    width: LayerSize = 16,
    depth: SmallInt = 1,
    epochs: PositiveInt = 4,
    batch_size: PositiveInt = 32,
    lr: Positive = 0.003,
    weight_decay: Nonnegative = 0.01,
    flip: bool = True,
    seed: Seed = 0,
) -> dict:
    """Train the extractor on the training split; returns its state {"kind", "config", "weights"}.

    Every batch holds each of its `batch_size` images in all four positions, and as many images of
    noise. flip: mirror half of the images at random. AdamW, one-cycle learning rate with maximum
    lr. The same seed, device and number of threads give the same weights. Raises ValueError where
    the dataset has no square images, or fewer than one batch.
    """
    _check(dataset, batch_size)
    config = {"shape": list(dataset.shape), "width": width, "depth": depth}
    network = loop.seeded(lambda: build(config), seed).to(device)

    def turned(images: Tensor, _, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        positions, turns = rotated(augment(images, 0, flip, generator))
        noise = noise_images(images, generator)
        return torch.cat([positions, noise]), torch.cat([turns, torch.full((len(noise),), NOISE)])

    batches = Batches(dataset.train, batch_size, seed, turned)
    fit(network, _loss, batches, epochs, lr=lr, weight_decay=weight_decay)
    return state_of("rotation", config, network)


def _loss(network, images: Tensor, turns: Tensor, _) -> Tensor:
    return F.cross_entropy(network(images)[1], turns)


def rotated(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images [N, C, H, H] in all four positions [4 N, C, H, H], and their quarter turns [4 N]."""
    turns = torch.arange(TURNS).repeat_interleave(len(images))
    return torch.cat([images.rot90(k, dims=(2, 3)) for k in range(TURNS)]), turns


def _check(dataset, batch_size: int) -> None:
    if dataset.kind != "image" or dataset.shape[1] != dataset.shape[2]:
        found = f"{dataset.kind}s of shape {dataset.shape}"
        raise ValueError(f"{dataset.name}: {found}; rotations need square images")
    if not 1 <= batch_size <= len(dataset.train):
        expected = f"1 to {len(dataset.train)}, the training images of {dataset.name}"
        raise ValueError(f"batch_size is {batch_size}, expected {expected}")
