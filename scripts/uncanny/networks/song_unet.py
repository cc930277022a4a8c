"""DDPM++ and NCSN++ as one U-Net with two settings.

Song et al. 2021, "Score-based generative modeling through SDEs", in the form of Karras et al. 2022,
"Elucidating the design space", table 7: DDPM++ has a positional embedding, the standard encoder and
the box filter [1, 1]; NCSN++ a Fourier embedding, the residual encoder and the filter [1, 3, 3, 1].
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.networks import layers
from uncanny.registry.option_types import LayerSize, NonEmpty, ProperFraction, SmallInt, WholeNumber

SQRT_HALF = math.sqrt(0.5)  # keeps the variance of a sum of two unit-variance terms at one
EPS = 1e-6


def song_unet(
    shape: Sequence[int],
    num_classes: int,
    out_channels: int | None = None,
    *,
    width: LayerSize = 128,
    multipliers: NonEmpty[SmallInt] = [2, 2, 2],  # noqa: B006
    blocks: SmallInt = 4,
    attention: list[LayerSize] = [16],  # noqa: B006
    dropout: ProperFraction = 0.13,
    embedding: Literal["positional", "fourier"] = "positional",
    encoder: Literal["standard", "residual"] = "standard",
    resample_filter: NonEmpty[WholeNumber] = [1, 1],  # noqa: B006
    augment_dim: WholeNumber = 0,
) -> nn.Module:
    """Build DDPM++ (the defaults) or NCSN++ (fourier, residual, [1, 3, 3, 1]).

    shape: (C, H, H) of the input; num_classes: 0 for unconditional; out_channels: C by default.
    width: channels of the first convolution; level l works at resolution H / 2^l with
    width * multipliers[l] channels and `blocks` residual blocks (one more on the way up).
    attention: the resolutions with self-attention. resample_filter: taps of the filter that halves
    and doubles images. augment_dim: width of the augmentation labels, 0 for none.
    Raises ValueError for shapes, widths or filters that do not fit together.
    """
    in_channels, resolution = layers.image_shape(shape, len(multipliers))
    block = partial(Block, emb_channels=4 * width, dropout=dropout)
    plan = layers.level_plan(width, multipliers, resolution, attention)
    image_channels = in_channels if encoder == "residual" else None
    levels, skips = encoder_levels(plan, blocks, block, resample_filter, width, image_channels)
    # Built in this order, which the initial weights depend on: encoder, embedding, stem, decoder
    emb = Embedding(embedding, width, num_classes, augment_dim)
    stem = conv(in_channels, width, 3)
    decoder = _decoder(plan, blocks, block, resample_filter, skips)
    return SongUNet(emb, stem, levels, decoder, plan[0][0], out_channels or in_channels)


class SongUNet(nn.Module):
    """Raw output F(x; noise), [N, C, H, H] -> [N, out_channels, H, H]. See `song_unet`."""

    def __init__(
        self,
        embedding: "Embedding",
        stem: nn.Conv2d,
        encoder: nn.ModuleList,
        decoder: nn.ModuleList,
        channels: int,
        out_channels: int,
    ):
        super().__init__()
        self.embedding = embedding
        self.stem = stem
        self.encoder = encoder
        self.decoder = decoder
        self.norm = layers.group_norm(channels, EPS)
        # Nearly 0 at first, as in zeroed layers of other networks
        self.head = conv(channels, out_channels, 3, gain=1e-5)

    def forward(
        self,
        x: Tensor,
        noise: Tensor,
        labels: Tensor | None = None,
        augment_labels: Tensor | None = None,
    ) -> Tensor:
        emb = self.embedding(noise, labels, augment_labels)
        # Encoder; the pyramid carries the input itself down the levels
        image = x
        x = self.stem(x)
        skips = [x]
        for level in self.encoder:
            x, image = level(x, image, emb, skips)
        # Decoder; every block takes the latest skip that is left
        for level in self.decoder:
            x = level(x, emb, skips)
        return self.head(F.silu(self.norm(x)))


def conv(
    inputs: int, outputs: int, kernel: int, gain: float = 1.0, padding: int | None = None
) -> nn.Conv2d:
    """Build a convolution with Xavier-uniform weights; it keeps the image size by default."""
    padding = kernel // 2 if padding is None else padding
    return _xavier(nn.Conv2d(inputs, outputs, kernel, padding=padding), gain)


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Build a linear layer with Xavier-uniform weights."""
    return _xavier(nn.Linear(inputs, outputs, bias=bias), 1.0)


def _xavier(layer: nn.Module, gain: float) -> nn.Module:
    # U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))
    nn.init.xavier_uniform_(layer.weight, gain=gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Embedding(nn.Module):
    """Noise condition, class and augmentation labels -> the vector [N, 4 width] for all blocks."""

    def __init__(self, kind: str, width: int, num_classes: int, augment_dim: int):
        super().__init__()
        # Twice as many Fourier features (Karras et al. 2022, code of NCSN++)
        channels = 2 * width if kind == "fourier" else width
        self.features = (
            layers.FourierEmbedding(channels)
            if kind == "fourier"
            else layers.PositionalEmbedding(channels, endpoint=True, sine_first=True)
        )
        self.num_classes = num_classes
        # Classes and augmentations are added to the features, before the two dense layers.
        self.label = linear(num_classes, channels) if num_classes else None
        self.augment = linear(augment_dim, channels, bias=False) if augment_dim else None
        self.map0 = linear(channels, 4 * width)
        self.map1 = linear(4 * width, 4 * width)

    def forward(
        self, noise: Tensor, labels: Tensor | None, augment_labels: Tensor | None
    ) -> Tensor:
        emb = self.features(noise)
        if self.label is not None or labels is not None:
            labels = layers.labels_or_zeros(labels, self.num_classes, noise)
            emb = emb + self.label(labels * math.sqrt(self.num_classes))
        if self.augment is not None and augment_labels is not None:
            emb = emb + self.augment(augment_labels)
        return F.silu(self.map1(F.silu(self.map0(emb))))


class Block(nn.Module):
    """Residual block, optionally resampling before its first convolution or ending in attention."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        attention: bool = False,
        resample: nn.Module | None = None,
        *,
        emb_channels: int,
        dropout: float,
    ):
        super().__init__()
        self.norm0 = layers.group_norm(inputs, EPS)
        self.conv0 = conv(inputs, outputs, 3)
        self.affine = linear(emb_channels, outputs)
        self.norm1 = layers.group_norm(outputs, EPS)
        self.dropout = nn.Dropout(dropout)
        # Nearly the identity at first
        self.conv1 = conv(outputs, outputs, 3, gain=1e-5)
        # Resampling takes a 1x1 convolution, too (Karras et al. 2022, code)
        changed = inputs != outputs or resample is not None
        self.skip = conv(inputs, outputs, 1) if changed else nn.Identity()
        self.resample = nn.Identity() if resample is None else resample
        self.attention = self._attention(outputs) if attention else None

    @staticmethod
    def _attention(channels: int) -> layers.SelfAttention:
        attention = layers.SelfAttention(layers.group_norm(channels, EPS))
        # Gains as in the code of Karras et al.: small queries and keys, a nearly silent projection
        _xavier(attention.qkv, math.sqrt(0.2))
        _xavier(attention.proj, 1e-5)
        return attention

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        # Branch: norm, activation, (resampling,) convolution, twice; the noise is added in between.
        h = self.conv0(self.resample(F.silu(self.norm0(x))))
        # In place: no convolution needs its own result for the gradient.
        h += self.affine(emb).view(len(h), -1, 1, 1)
        h = self.conv1(self.dropout(F.silu(self.norm1(h))))
        # (h + skip(x)) / sqrt(2), then the same with attention
        x = h.add_(self.skip(self.resample(x))).mul_(SQRT_HALF)
        return x if self.attention is None else (x + self.attention(x)).mul_(SQRT_HALF)


class EncoderLevel(nn.Module):
    """[down block [+ image pyramid]] and residual blocks; every output is kept as a skip."""

    def __init__(self, down: Block | None, pyramid: nn.Module | None, blocks: list[Block]):
        super().__init__()
        self.down, self.pyramid, self.blocks = down, pyramid, nn.ModuleList(blocks)

    def forward(self, x: Tensor, image: Tensor, emb: Tensor, skips: list) -> tuple[Tensor, Tensor]:
        if self.down is not None:
            # Every level below the first begins with a block that halves the resolution.
            x = self.down(x, emb)
            if self.pyramid is not None:
                # (features + pyramid) / sqrt(2) replaces the features, the skip and the image.
                x = image = (x + self.pyramid(image)).mul_(SQRT_HALF)
            skips.append(x)
        for block in self.blocks:
            x = block(x, emb)
            skips.append(x)
        return x, image


class DecoderLevel(nn.Module):
    """Entry blocks (two at the bottom, one up block above), then blocks fed with the skips."""

    def __init__(self, entry: list[Block], blocks: list[Block]):
        super().__init__()
        self.entry, self.blocks = nn.ModuleList(entry), nn.ModuleList(blocks)

    def forward(self, x: Tensor, emb: Tensor, skips: list) -> Tensor:
        for block in self.entry:
            x = block(x, emb)
        for block in self.blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), emb)
        return x


def encoder_levels(plan, count, block, taps, width, image_channels):
    """Build encoder levels; return them and the channels of all skips.

    image_channels: of the image pyramid's input, or None for no pyramid.
    """
    levels, skips, channels = [], [width], width
    for level, (outputs, attention) in enumerate(plan):
        down = pyramid = None
        if level:
            down = block(channels, channels, resample=layers.downsampler(taps))
            skips.append(channels)
            if image_channels:
                pyramid = _pyramid(image_channels, channels, taps)
                image_channels = channels
        # Only the first block of a level changes the number of channels.
        widths = [channels] + [outputs] * count
        body = [block(widths[i], outputs, attention) for i in range(count)]
        levels.append(EncoderLevel(down, pyramid, body))
        skips += [outputs] * count
        channels = outputs
    return nn.ModuleList(levels), skips


def _pyramid(inputs: int, outputs: int, taps: Sequence[float]) -> nn.Module:
    """Build a step of the image pyramid: convolution, then halving by the filter."""
    # The margin of the filter is convolved as well, not filled with zeros after the convolution.
    margin = (len(taps) - 1) // 2
    return nn.Sequential(
        conv(inputs, outputs, 3, padding=1 + margin), layers.downsampler(taps, padding=0)
    )


def _decoder(plan, count, block, taps, skips):
    """Build decoder levels from the lowest resolution up."""
    levels, channels = [], plan[-1][0]
    for level, (outputs, attention) in reversed(list(enumerate(plan))):
        # Bottleneck: two blocks, the first with attention; above it one that doubles the image.
        if level == len(plan) - 1:
            entry = [block(channels, channels, attention=True), block(channels, channels)]
        else:
            entry = [block(channels, channels, resample=layers.upsampler(taps))]
        body = []
        for i in range(count + 1):
            # Attention in the last block of a level only
            body.append(block(channels + skips.pop(), outputs, attention and i == count))
            channels = outputs
        levels.append(DecoderLevel(entry, body))
    return nn.ModuleList(levels)
