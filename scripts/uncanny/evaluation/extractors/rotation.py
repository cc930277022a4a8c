"""Feature extractor for images without classes, trained to predict rotations.

The network of `classifier` learns by how many quarter turns an image was rotated, for which it has
to recognise its content (Gidaris, Singh and Komodakis, ICLR 2018). Noise is a fifth class, so that
features separate noise from images. Logits are no classes of the dataset: there is no Inception
Score.
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
NOISE = TURNS  # the fifth class


class RotationNetwork(ResidualNetwork):
    """The network of `classifier`, whose logits are those of 0 to 3 quarter turns, and of noise."""

    # The dataset has no labels that these logits could be compared with: report() uses turns.
    @staticmethod
    def exam(split) -> tuple[Tensor, Tensor]:
        """Images of a split in all four positions, and their quarter turns as labels."""
        return rotated(torch.from_numpy(np.array(split.images)))


def build(config: dict, weights: dict | None = None) -> RotationNetwork:
    """The network of a state; without weights, freshly initialised."""
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
        # All four positions of an image in one batch: nothing but the turn differs between them.
        positions, turns = rotated(augment(images, 0, flip, generator))
        noise = noise_images(images, generator)
        return torch.cat([positions, noise]), torch.cat([turns, torch.full((len(noise),), NOISE)])

    batches = Batches(dataset.train, batch_size, seed, turned)
    fit(network, _loss, batches, epochs, lr=lr, weight_decay=weight_decay)
    return state_of("rotation", config, network)


def _loss(network, images: Tensor, turns: Tensor, _) -> Tensor:
    # Cross-entropy of the five classes: -ln p(turn|x)
    return F.cross_entropy(network(images)[1], turns)


def rotated(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images [N, C, H, H] in all four positions [4 N, C, H, H], and their quarter turns [4 N]."""
    # Grouped by turn, in the order of the images: [N of 0, N of 1, N of 2, N of 3]
    turns = torch.arange(TURNS).repeat_interleave(len(images))
    return torch.cat([images.rot90(k, dims=(2, 3)) for k in range(TURNS)]), turns


def _check(dataset, batch_size: int) -> None:
    # A quarter turn of H×W is W×H, which fits in a batch only where H = W.
    if dataset.kind != "image" or dataset.shape[1] != dataset.shape[2]:
        kind = f"{dataset.kind}s of shape {dataset.shape}"
        raise ValueError(f"{dataset.name}: {kind}; rotations need square images")
    if not 1 <= batch_size <= len(dataset.train):
        expected = f"1 to {len(dataset.train)}, the training images of {dataset.name}"
        raise ValueError(f"batch_size is {batch_size}, expected {expected}")
