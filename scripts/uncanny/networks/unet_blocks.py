"""Blocks and encoder shared by the DDPM U-Net and the noisy classifier."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.networks import layers

EPS = 1e-5


@dataclass(frozen=True)
class BlockOptions:
    """Options shared by all residual blocks of a network."""

    emb_channels: int
    dropout: float
    scale_shift: bool
    groups: int | None
    heads: int
    head_channels: int | None

    def norm(self, channels: int) -> nn.GroupNorm:
        return layers.group_norm(channels, EPS, self.groups)

    def head_count(self, channels: int) -> int:
        """Attention heads for this many channels."""
        # Either the number of heads is fixed, or the channels of each.
        heads = channels // self.head_channels if self.head_channels else self.heads
        if heads < 1 or channels % heads or channels % (self.head_channels or 1):
            raise ValueError(
                f"attention: {channels} channels cannot be split into heads "
                f"(heads = {self.heads}, head_channels = {self.head_channels})"
            )
        return heads


@dataclass(frozen=True)
class Plan:
    """Channels and attention of every level, blocks per level, kind of resampling."""

    levels: list[tuple[int, bool]]
    blocks: int
    resampling: str


class TimeEmbedding(nn.Module):
    """Time [N], labels [N, K] and augmentation labels [N, A], or None -> SiLU of the vector
    [N, channels] for all blocks.
    """

    def __init__(self, width: int, num_classes: int, channels: int, augment_dim: int = 0):
        super().__init__()
        self.num_classes = num_classes
        self.features = layers.PositionalEmbedding(width)
        self.map0 = nn.Linear(width, channels)
        self.map1 = nn.Linear(channels, channels)
        self.label = nn.Linear(num_classes, channels, bias=False) if num_classes else None
        if self.label is not None:
            # A normal embedding of the classes, as in torch.nn.Embedding
            nn.init.normal_(self.label.weight)
        self.augment = nn.Linear(augment_dim, width, bias=False) if augment_dim else None
        if self.augment is not None:
            nn.init.zeros_(self.augment.weight)

    def forward(
        self, noise: Tensor, labels: Tensor | None = None, augment_labels: Tensor | None = None
    ) -> Tensor:
        features = self.features(noise)
        if self.augment is not None and augment_labels is not None:
            features = features + self.augment(augment_labels)
        emb = self.map1(F.silu(self.map0(features)))
        # Zeros would add nothing: the map of the labels has no bias.
        if labels is not None:
            emb = emb + self.label(layers.labels_or_zeros(labels, self.num_classes, noise))
        # Every block begins with SiLU(emb): computed once here.
        return F.silu(emb)


class Block(nn.Module):
    """Residual block, with optional resampling of both branches and optional attention after it."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        attention: bool = False,
        resample: nn.Module | None = None,
        *,
        options: BlockOptions,
    ):
        super().__init__()
        self.norm0 = options.norm(inputs)
        self.conv0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.scale_shift = options.scale_shift
        # One shift per channel, or a scale and a shift
        self.affine = nn.Linear(options.emb_channels, (1 + options.scale_shift) * outputs)
        self.norm1 = options.norm(outputs)
        self.dropout = nn.Dropout(options.dropout)
        # The block is the identity at first.
        self.conv1 = layers.zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        # The shortcut changes only when the number of channels does.
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.resample = nn.Identity() if resample is None else resample
        self.attention = self._attention(outputs, options) if attention else None

    @staticmethod
    def _attention(channels: int, options: BlockOptions) -> layers.SelfAttention:
        attention = layers.SelfAttention(options.norm(channels), options.head_count(channels))
        layers.zeroed(attention.proj)
        return attention

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv0(self.resample(F.silu(self.norm0(x))))
        h = self._modulate(h, self.affine(emb).view(len(h), -1, 1, 1))
        h = self.conv1(self.dropout(F.silu(h)))
        # In place: no convolution needs its own result for the gradient.
        x = h.add_(self.skip(self.resample(x)))
        return x if self.attention is None else x + self.attention(x)

    def _modulate(self, h: Tensor, emb: Tensor) -> Tensor:
        # norm(h + shift), or norm(h) (1 + scale) + shift
        if not self.scale_shift:
            return self.norm1(h.add_(emb))
        scale, shift = emb.chunk(2, dim=1)
        return torch.addcmul(shift, self.norm1(h), 1 + scale)


class ConvDown(nn.Conv2d):
    """Halve an image with a learned stride-2 convolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, _emb: Tensor) -> Tensor:
        return super().forward(x)


class ConvUp(nn.Conv2d):
    """Double an image: repeat every pixel, then a convolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, _emb: Tensor) -> Tensor:
        # Nearest neighbour, then the learned 3x3 convolution
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Encoder(nn.Module):
    """Stem, levels and middle blocks; every output before the middle is kept as a skip."""

    def __init__(self, in_channels: int, width: int, plan: Plan, options: BlockOptions):
        super().__init__()
        block = partial(Block, options=options)
        channels = plan.levels[0][0]
        self.stem = nn.Conv2d(in_channels, channels, 3, padding=1)
        # Every output on the way down is a skip; the decoder needs their channels.
        self.skip_channels, body = [channels], []
        for level, (outputs, attention) in enumerate(plan.levels):
            if level:
                body.append(_down(channels, plan.resampling, block))
                self.skip_channels.append(channels)
            for _ in range(plan.blocks):
                body.append(block(channels, outputs, attention))
                channels = outputs
                self.skip_channels.append(channels)
        self.body = nn.ModuleList(body)
        # Residual, attention, residual; no skips from here
        self.middle = nn.ModuleList([block(channels, channels, True), block(channels, channels)])

    def forward(self, x: Tensor, emb: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.stem(x)
        skips = [x]
        for layer in self.body:
            x = layer(x, emb)
            skips.append(x)
        for layer in self.middle:
            x = layer(x, emb)
        return x, skips


def _down(channels: int, resampling: str, block) -> nn.Module:
    if resampling == "conv":
        return ConvDown(channels)
    return block(channels, channels, resample=nn.AvgPool2d(2))
