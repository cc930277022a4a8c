"""Feature extractor trained on the dataset: a small residual network that also knows noise.

An ordinary classifier is confident on noise, which gives noise images a high Inception Score. Here
every batch carries noise images with a uniform target (outlier exposure: Hendrycks, Mazeika and
Dietterich, ICLR 2019), so that the score of noise is near 1, its lower bound.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from uncanny.datasets import to_model
from uncanny.registry.option_types import (
    LayerSize,
    Nonnegative,
    Positive,
    PositiveInt,
    Seed,
    SmallInt,
    WholeNumber,
)
from uncanny.training import loop


class ResidualBlock(nn.Module):
    """relu(x + conv(relu(conv(x)))) with 3×3 convolutions and batch norm (He et al., CVPR 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            *_conv(in_channels, out_channels, 3, stride),
            nn.ReLU(),
            *_conv(out_channels, out_channels, 3, 1),
        )
        same = stride == 1 and in_channels == out_channels
        # A projection where the shape changes (He et al., eq. 2), else the identity
        project = [] if same else _conv(in_channels, out_channels, 1, stride)
        self.skip = nn.Sequential(*project)

    def forward(self, x: Tensor) -> Tensor:
        # relu(skip(x) + F(x))
        return F.relu(self.skip(x) + self.body(x))


class ResidualNetwork(nn.Module):
    """Stages at full, half, quarter, … resolution down to 4×4; the width doubles twice at most.

    shape: (C, H, W). The pool has d = width * min(2^(stages-1), 4) features: 2 width at 8×8, 4
    width at 32×32.
    """

    def __init__(self, shape, num_classes: int, width: int, depth: int):
        super().__init__()
        self.shape = tuple(shape)
        # Each stage but the first halves the resolution, as long as 4×4 pixels are left.
        stages = 1 + max(0, int(math.log2(min(shape[1:]) / 4)))
        # Stem, then `depth` blocks a stage; the first block of a stage halves the resolution.
        layers, channels = [*_conv(shape[0], width, 3, 1), nn.ReLU()], width
        for stage in range(stages):
            for block in range(depth):
                stride = 2 if stage and not block else 1
                layers.append(ResidualBlock(channels, width * min(2**stage, 4), stride))
                channels = width * min(2**stage, 4)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 images, or float in [-1, 1], [N, C, H, W] -> pool [N, d] >= 0, logits [N, K]."""
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"images of shape {tuple(images.shape[1:])}, expected {self.shape}")
        # Global average pooling
        pool = self.body(to_model(images)).mean(dim=(2, 3))
        return pool, self.head(pool)


def _conv(in_channels: int, out_channels: int, size: int, stride: int) -> list[nn.Module]:
    # No bias: batch norm subtracts the mean, and adds a bias of its own.
    conv = nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, bias=False)
    return [conv, nn.BatchNorm2d(out_channels)]


def build(config: dict, weights: dict | None = None) -> ResidualNetwork:
    """The network of a state; without weights, freshly initialised."""
    network = ResidualNetwork(**config)
    if weights is not None:
        network.load_state_dict(weights)
    return network


def classifier(
    dataset,
    device: str = "cpu",
    *,
    width: LayerSize = 24,
    depth: SmallInt = 1,
    epochs: PositiveInt = 25,
    batch_size: PositiveInt = 64,
    lr: Positive = 0.01,
    weight_decay: Nonnegative = 0.01,
    noise_weight: Nonnegative = 1.0,
    shift: WholeNumber = 0,
    flip: bool = False,
    seed: Seed = 0,
) -> dict:
    """Train the extractor on the training split; returns its state {"kind", "config", "weights"}.

    Loss: cross-entropy of the images + noise_weight * cross-entropy of noise images, half as many,
    against the uniform distribution. shift: largest random translation in pixels; flip: mirror half
    of the images at random. AdamW, one-cycle learning rate with maximum lr. The same seed, device
    and number of threads give the same weights. Raises ValueError where the dataset has no images,
    fewer than two classes, or fewer images than one batch.
    """
    _check(dataset, batch_size)
    data = {"shape": list(dataset.shape), "num_classes": dataset.num_classes}
    config = data | {"width": width, "depth": depth}
    network = loop.seeded(lambda: build(config), seed).to(device)

    def with_noise(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple:
        images = augment(images, shift, flip, generator)
        # Noise images come last, without labels: _loss separates them by their number.
        noise = noise_images(images[: batch_size // 2], generator)
        return torch.cat([images, noise]), labels

    batches = Batches(dataset.train, batch_size, seed, with_noise)
    loss = partial(_loss, noise_weight=noise_weight)
    fit(network, loss, batches, epochs, lr=lr, weight_decay=weight_decay)
    return state_of("classifier", config, network)


def fit(
    network: nn.Module, loss: Callable, batches: "Batches", epochs: int, **options: float
) -> None:
    """Train in place: AdamW, one-cycle learning rate with maximum lr.

    loss: as in `loop.Run`. options: lr, weight_decay. Raises ValueError where the loss is not
    finite.
    """
    optimizer = torch.optim.AdamW(network.parameters(), **options)
    # The learning rate rises to its maximum and falls to about 0 within exactly these updates.
    steps = epochs * len(batches) // batches.batch_size
    options |= {"batch_size": batches.batch_size}
    run = loop.Run(network, optimizer, loss, batches, options)
    run.scheduler = OneCycleLR(optimizer, max_lr=options["lr"], total_steps=steps)
    try:
        loop.train(run, epochs)
    except loop.Diverged as error:
        raise ValueError(f"extractor: {error}; expected a smaller lr") from None


def state_of(kind: str, config: dict, network: nn.Module) -> dict:
    """The state of a trained extractor."""
    weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    return {"kind": kind, "config": config, "weights": weights}


def _check(dataset, batch_size: int) -> None:
    if dataset.kind != "image" or dataset.num_classes < 2:
        kind = f"{dataset.kind}s of {dataset.num_classes} classes"
        raise ValueError(f"{dataset.name}: {kind}; a classifier needs images of 2 classes or more")
    if not 1 < batch_size <= len(dataset.train):
        expected = f"2 to {len(dataset.train)}, the training images of {dataset.name}"
        raise ValueError(f"batch_size is {batch_size}, expected {expected}")


class Batches:
    """Full batches of a split, in a new order in every epoch; steps have to be consecutive.

    make(images float32 in [-1, 1], labels int64, generator): the batch that is the network's input.
    """

    def __init__(self, split, batch_size: int, seed: int, make: Callable):
        self.split, self.batch_size, self.make = split, batch_size, make
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Images of an epoch; those that fill no batch are left out."""
        return len(self.split) // self.batch_size * self.batch_size

    def batch(self, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images and labels of an update, on the device."""
        first = step * self.batch_size % len(self)
        if not first:  # a new epoch
            self.order = torch.randperm(len(self.split), generator=self.generator).numpy()
        rows = self.order[first : first + self.batch_size]
        images, labels = to_model(self.split.images[rows]), self.split.labels[rows]
        images, labels = self.make(images, torch.from_numpy(labels), self.generator)
        return images.to(device), labels.to(device)


def _loss(network, images: Tensor, labels: Tensor, _, noise_weight: float) -> Tensor:
    """Cross-entropy of images with labels, and of the noise images that follow them."""
    # L = E[-ln p(y|x)] + w E_noise[H(U; p)], H(U; p) = -(1/K) Σ_k ln p(k|x)
    # (outlier exposure: Hendrycks, Mazeika and Dietterich, 2019, section 3)
    _, logits = network(images)
    # Labels exist for real images only; the rest of the batch is noise.
    real, noise = logits.tensor_split([len(labels)])
    return F.cross_entropy(real, labels) - noise_weight * F.log_softmax(noise, dim=1).mean()


def noise_images(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise images [N, C, H, W]: a third each of Gaussian, of uniform, of shuffled pixels."""
    gaussian, uniform, shuffled = images.tensor_split(3)
    # In the model's units [-1, 1]
    gaussian = torch.randn(gaussian.shape, generator=generator).clamp(-1, 1)
    uniform = 2 * torch.rand(uniform.shape, generator=generator) - 1
    # Shuffled pixels [n, C, H W] keep the colours of an image: its histogram tells nothing.
    pixels = shuffled.flatten(2)
    # Sorting random numbers gives a permutation of each image, the same for all channels.
    order = torch.rand(len(pixels), 1, pixels.shape[2], generator=generator).argsort(dim=2)
    shuffled = pixels.gather(2, order.expand_as(pixels)).view_as(shuffled)
    return torch.cat([gaussian, uniform, shuffled])


def augment(images: Tensor, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Images [N, C, H, W] mirrored at random and translated by up to `shift` pixels."""
    if flip:
        mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    if shift:
        n, c, h, w = images.shape
        # Window [top : top + H, left : left + W] of the padded image, a different one per image
        top, left = torch.randint(0, 2 * shift + 1, (2, n, 1), generator=generator)
        # Indices [n, 1, H, 1] and [n, 1, 1, W] broadcast to whole images.
        rows = (top + torch.arange(h))[:, None, :, None]
        columns = (left + torch.arange(w))[:, None, None, :]
        image, channel = torch.arange(n)[:, None, None, None], torch.arange(c)[:, None, None]
        images = F.pad(images, [shift] * 4, mode="replicate")[image, channel, rows, columns]
    return images
