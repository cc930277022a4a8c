"""A residual multi-layer perceptron for states that are vectors (toy data in a few dimensions)."""

import math
from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.networks import layers
from uncanny.registry.option_types import LayerSize, Positive, ProperFraction, SmallInt


def mlp(
    shape: Sequence[int],
    num_classes: int,
    out_channels: int | None = None,
    *,
    width: LayerSize = 128,
    hidden: SmallInt = 3,
    embedding: Literal["positional", "fourier"] = "positional",
    fourier_scale: Positive = 16.0,
    dropout: ProperFraction = 0.0,
) -> nn.Module:
    """Build the perceptron, [N, D] -> [N, out_channels].

    shape: (D,), or the shape of an image, which is flattened; num_classes: 0 for unconditional;
    out_channels: entries along the first axis of the output, by default those of the input.
    width: units of each of the `hidden` layers. embedding: sinusoidal features of the noise
    condition, or random Fourier features of standard deviation fourier_scale.
    """
    size = math.prod(shape[1:])
    features = (
        layers.FourierEmbedding(width, fourier_scale)
        if embedding == "fourier"
        else layers.PositionalEmbedding(width)
    )
    outputs = (out_channels or shape[0]) * size
    return MLP(
        Embedding(features, num_classes, width), shape[0] * size, outputs, width, hidden, dropout
    )


class MLP(nn.Module):
    """Raw output F(x; noise), [N, D, ...] -> [N, out_channels, ...]. See `mlp`."""

    def __init__(
        self,
        embedding: "Embedding",
        inputs: int,
        outputs: int,
        width: int,
        hidden: int,
        dropout: float,
    ):
        super().__init__()
        self.embedding = embedding
        self.stem = nn.Linear(inputs, width)
        self.body = nn.ModuleList(Layer(width, dropout) for _ in range(hidden))
        # F = 0 at first: with EDM's preconditioning D is then c_skip x, the best linear guess.
        self.head = layers.zeroed(nn.Linear(width, outputs))

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        # Every layer sees the noise condition.
        emb = self.embedding(noise, labels)
        h = self.stem(x.flatten(1))
        for layer in self.body:
            h = layer(h, emb)
        # Images were flattened: back to [N, out_channels, H, W]
        return self.head(F.silu(h)).unflatten(1, (-1, *x.shape[2:]))


class Embedding(nn.Module):
    """Noise condition [N] and labels [N, K] or None -> the vector [N, width] seen by all layers."""

    def __init__(self, features: nn.Module, num_classes: int, width: int):
        super().__init__()
        self.features, self.num_classes = features, num_classes
        self.map = nn.Linear(width, width)
        # One vector per class
        self.label = nn.Linear(num_classes, width, bias=False) if num_classes else None

    def forward(self, noise: Tensor, labels: Tensor | None) -> Tensor:
        emb = self.map(self.features(noise))
        # Zeros would add nothing: the map of the labels has no bias.
        if labels is not None:
            emb = emb + self.label(layers.labels_or_zeros(labels, self.num_classes, noise))
        return F.silu(emb)


class Layer(nn.Module):
    """h + Linear(SiLU(h + affine(emb)))."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.affine = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, width)

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        # residual update
        return h + self.linear(self.dropout(F.silu(h + self.affine(emb))))
