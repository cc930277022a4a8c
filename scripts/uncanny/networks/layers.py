"""Layers shared by the networks: noise embeddings, normalisation, attention, resampling."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PositionalEmbedding(nn.Module):
    """Sinusoidal features of the noise condition, [N] -> [N, channels] (Vaswani et al. 2017).

    Frequencies 10000^(-k/(n-1)) with `endpoint` (DDPM++) or 10000^(-k/n) without (DDPM), k < n,
    n = channels/2, computed in the precision of the condition.
    """

    def __init__(self, channels: int, *, endpoint: bool = False, sine_first: bool = False):
        super().__init__()
        self.half, self.endpoint, self.sine_first = _half(channels), endpoint, sine_first

    def frequencies(self, like: Tensor) -> Tensor:
        # exp(-k ln 10000 / (n - endpoint))
        k = torch.arange(self.half, dtype=like.dtype, device=like.device)
        return torch.exp(k * (-math.log(10000.0) / (self.half - self.endpoint)))

    def forward(self, noise: Tensor) -> Tensor:
        # cos(f_k c), sin(f_k c)
        phase = noise[:, None] * self.frequencies(noise)  # [N, n]
        waves = (phase.sin(), phase.cos()) if self.sine_first else (phase.cos(), phase.sin())
        return torch.cat(waves, dim=1)


class FourierEmbedding(nn.Module):
    """Random Fourier features sin, cos(2 pi f c), fixed f ~ N(0, scale^2), [N] -> [N, channels].

    Song et al. 2021, "Score-based generative modeling through SDEs", appendix H.
    """

    def __init__(self, channels: int, scale: float = 16.0):
        super().__init__()
        # A buffer, not a parameter: fixed at random, stored with the weights
        self.register_buffer("frequencies", torch.randn(_half(channels)) * scale)

    def forward(self, noise: Tensor) -> Tensor:
        # sin(2 pi f_k c), cos(2 pi f_k c)
        phase = noise[:, None] * (2 * math.pi * self.frequencies)
        return torch.cat([phase.sin(), phase.cos()], dim=1)


def _half(channels: int) -> int:
    if channels < 4 or channels % 2:
        raise ValueError(f"width {channels}: the noise embedding needs an even number >= 4")
    return channels // 2


def zeroed(layer: nn.Module) -> nn.Module:
    """Set weights and biases of a layer to zero, so that its branch adds nothing at first."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def labels_or_zeros(labels: Tensor | None, num_classes: int, noise: Tensor) -> Tensor:
    """Return one-hot labels [N, K], or rows of zeros for None; ValueError where K must be 0."""
    if labels is None:
        return noise.new_zeros(noise.shape[0], num_classes)
    if num_classes == 0:
        raise ValueError("labels for a network built with num_classes = 0; expected None")
    return labels


class GroupNorm(nn.GroupNorm):
    """torch's group norm without its check for groups of one value, slower than a small norm."""

    def forward(self, x: Tensor) -> Tensor:
        # The same kernel as torch.nn.functional.group_norm
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def group_norm(channels: int, eps: float, groups: int | None = None) -> nn.GroupNorm:
    """Build a group normalisation with `groups` groups, by default min(32, channels / 4).

    Raises ValueError where the channels cannot be split into them.
    """
    # At least four channels share a group: with one channel per group the norm would cancel the
    # noise embedding, which is added to that whole channel.
    groups = groups or max(1, min(32, channels // 4))
    if channels % groups:
        raise ValueError(
            f"{channels} channels (width x multiplier) cannot be split into {groups} norm groups"
        )
    return GroupNorm(groups, channels, eps=eps)


def attend(qkv: Tensor, heads: int) -> Tensor:
    """Multi-head softmax attention over tokens: [N, T, 3C] -> [N, T, C].

    The last axis of `qkv` is ordered query, key, value, then head, then channel of the head.
    """
    n, tokens, width = qkv.shape
    # [N, T, 3C] -> [3, N, heads, T, C / heads]
    q, k, v = qkv.reshape(n, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)  # each [N, heads, T, d]
    # softmax(q k^T / sqrt(d)) v
    out = F.scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).reshape(n, tokens, width // 3)


class SelfAttention(nn.Module):
    """The update norm -> 1x1 qkv -> attention over pixels -> 1x1 projection, no residual."""

    def __init__(self, norm: nn.GroupNorm, heads: int = 1):
        super().__init__()
        channels = norm.num_channels
        self.norm, self.heads = norm, heads
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        # Pixels are tokens; a 1x1 convolution acts on each of them alone.
        tokens = self.norm(x).flatten(2).transpose(1, 2).contiguous()  # [N, HW, C]
        tokens = pointwise(self.proj, attend(pointwise(self.qkv, tokens), self.heads))
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


def pointwise(conv: nn.Conv2d, tokens: Tensor) -> Tensor:
    """Apply a 1x1 convolution to pixels [N, T, C] -> [N, T, K] as one matrix product."""
    return F.linear(tokens, conv.weight.flatten(1), conv.bias)


class FilterDown(nn.Module):
    """Halve an image with a separable low-pass filter, zero outside: stride-2 depthwise filter."""

    def __init__(self, taps: Sequence[float], padding: int | None = None):
        super().__init__()
        # An even number k of taps and stride 2: a margin of (k - 2) / 2 keeps half the size.
        self.padding = (len(taps) - 1) // 2 if padding is None else padding
        self.register_buffer("kernel", _kernel(taps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # Depthwise: one filter per channel
        kernel = self.kernel.expand(x.shape[1], 1, -1, -1)
        return F.conv2d(x, kernel, stride=2, padding=self.padding, groups=x.shape[1])


class FilterUp(nn.Module):
    """Double an image with a separable low-pass filter, zero outside; the transpose of halving."""

    def __init__(self, taps: Sequence[float]):
        super().__init__()
        self.padding = (len(taps) - 1) // 2
        # Three of four pixels are zeros before filtering: 4 restores the mean.
        self.register_buffer("kernel", 4 * _kernel(taps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel.expand(x.shape[1], 1, -1, -1)
        return F.conv_transpose2d(x, kernel, stride=2, padding=self.padding, groups=x.shape[1])


def downsampler(taps: Sequence[float], padding: int | None = None) -> nn.Module:
    """Build a layer that halves images by a filter with an even number of taps; [1, 1] is the 2x2
    mean.
    """
    # torch's pooling is the same for [1, 1], and faster.
    return nn.AvgPool2d(2) if list(taps) == [1, 1] else FilterDown(taps, padding)


def upsampler(taps: Sequence[float]) -> nn.Module:
    """Build a layer that doubles images by a filter with an even number of taps; [1, 1] repeats
    every pixel.
    """
    return nn.UpsamplingNearest2d(scale_factor=2) if list(taps) == [1, 1] else FilterUp(taps)


def _kernel(taps: Sequence[float]) -> Tensor:
    if len(taps) % 2 or not taps or sum(taps) == 0:
        raise ValueError(
            f"resample_filter: {list(taps)} needs an even number of taps with a non-zero sum"
        )
    # Separable: the outer product of the taps, normalised to sum 1
    row = torch.tensor([float(tap) for tap in taps])
    return torch.outer(row, row)[None, None] / row.sum() ** 2  # [1, 1, k, k]


def level_plan(
    width: int, multipliers: Sequence[int], resolution: int, attention: Sequence[int]
) -> list[tuple[int, bool]]:
    """Return (channels, has attention) of each level, the highest resolution first."""
    # Level l works at resolution / 2^l.
    return [(width * m, resolution >> level in attention) for level, m in enumerate(multipliers)]


def image_shape(shape: Sequence[int], levels: int) -> tuple[int, int]:
    """Return (channels, resolution); ValueError for images that are not square or cannot be halved
    often enough.
    """
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] % 2 ** (levels - 1):
        raise ValueError(
            f"shape {tuple(shape)}: a network with {levels} multipliers needs square images "
            f"(C, H, H) with H divisible by {2 ** (levels - 1)}"
        )
    return shape[0], shape[1]
