"""NCSNv2: a noise-unconditional RefineNet with instance normalisation++.

Song & Ermon 2020, "Improved techniques for training score-based generative models", appendix A;
Lin et al. 2017, "RefineNet".
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.registry.option_types import LayerSize, NonEmpty, ProperFraction, SmallInt


def refinenet(
    shape: Sequence[int],
    num_classes: int,
    out_channels: int | None = None,
    *,
    width: LayerSize = 128,
    multipliers: NonEmpty[SmallInt] = [1, 2, 2, 2],  # noqa: B006
    dropout: ProperFraction = 0.0,
) -> nn.Module:
    """Build f of the score s(x, sigma) = f(2x - 1) / sigma; the caller divides by sigma.

    shape: (C, H, W) of images in [0, 1], any H and W; num_classes must be 0;
    out_channels: C by default.
    width * multipliers[l]: channels of encoder stage l. The first stage keeps the resolution, the
    last two are dilated by 2 and 4, those between halve it.
    dropout: before the second convolution of each residual block.
    (1, 2, 2, 2) is the network for 32x32 and 64x64, (1, 2, 2, 2, 4, 4) the one for 256x256.
    Raises ValueError for class-conditional use, vector states and fewer than three stages.
    """
    if num_classes:
        raise ValueError(f"refinenet is unconditional, got num_classes = {num_classes}")
    if len(shape) != 3 or len(multipliers) < 3:
        raise ValueError(
            f"refinenet needs images (C, H, W) and at least three multipliers, "
            f"got shape {tuple(shape)} and {list(multipliers)}"
        )
    widths = [width * multiplier for multiplier in multipliers]
    return RefineNet(shape[0], out_channels or shape[0], widths, dropout)


class InstanceNormPlus(nn.Module):
    """gamma (normalised h + alpha m') + beta, with m' the channel means standardised over channels.

    The means carry the intensity that instance normalisation removes; their variance is unbiased.
    """

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        # alpha, gamma ~ N(1, 0.02^2), beta = 0
        self.alpha = nn.Parameter(1 + 0.02 * torch.randn(channels))
        self.gamma = nn.Parameter(1 + 0.02 * torch.randn(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        # m' = (mu_k - m) / sqrt(v + eps): m, v mean and variance of the channel means mu_k
        means = x.mean(dim=(2, 3))  # [N, C]
        variance, centre = torch.var_mean(means, dim=1, keepdim=True)
        standardised = (means - centre) * torch.rsqrt(variance + self.eps)
        # Instance norm is group norm with one channel per group; here gamma h + beta.
        h = F.group_norm(x, x.shape[1], self.gamma, self.beta, self.eps)
        return h + (self.gamma * self.alpha * standardised)[:, :, None, None]


def conv(inputs: int, outputs: int, dilation: int = 1, bias: bool = True) -> nn.Conv2d:
    """Build a 3x3 convolution that keeps the resolution."""
    return nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=bias)


class Block(nn.Module):
    """Pre-activation residual block; `entry` opens a stage, halving the image unless dilated."""

    def __init__(self, inputs: int, outputs: int, dilation: int, entry: bool, dropout: float):
        super().__init__()
        self.norm0 = InstanceNormPlus(inputs)
        self.conv0 = conv(inputs, inputs, dilation)
        self.norm1 = InstanceNormPlus(inputs)
        self.dropout = nn.Dropout(dropout)
        self.conv1 = conv(inputs, outputs, dilation)
        self.halve = entry and dilation == 1
        # The shortcut of a dilated entry is a dilated 3x3 convolution, of a halving one 1x1.
        self.skip = conv(inputs, outputs, dilation) if entry else nn.Identity()
        if self.halve:
            self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv0(F.elu(self.norm0(x)))
        h = self.skip(x) + self.conv1(self.dropout(F.elu(self.norm1(h))))
        # Both branches are averaged together: pooling is linear.
        return F.avg_pool2d(h, 2) if self.halve else h


class ResidualConvUnits(nn.Module):
    """A chain of `units` residual units x + conv(ELU(conv(ELU(x)))) without biases."""

    def __init__(self, channels: int, units: int):
        super().__init__()
        self.convs = nn.ModuleList(conv(channels, channels, bias=False) for _ in range(2 * units))

    def forward(self, x: Tensor) -> Tensor:
        # The convolutions of all units lie in one list, two per unit.
        for first, second in zip(self.convs[::2], self.convs[1::2], strict=True):
            x = x + second(F.elu(first(F.elu(x))))
        return x


class Fusion(nn.Module):
    """Sum of the inputs, each convolved and resized bilinearly to the first one's size."""

    def __init__(self, inputs: list[int], outputs: int):
        super().__init__()
        self.convs = nn.ModuleList(conv(channels, outputs) for channels in inputs)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        x, y = self.convs[0](first), self.convs[1](second)
        # The input from below may have half the resolution.
        if x.shape != y.shape:
            y = F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=True)
        return x + y


class ChainedPooling(nn.Module):
    """ELU, then the sum of a chain of two stages of 5x5 max pooling and convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.convs = nn.ModuleList(conv(channels, channels, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        # x + path_1 + path_2, path_k = conv_k(pool(path_{k-1})); pooling keeps the resolution.
        x = path = F.elu(x)
        for layer in self.convs:
            path = layer(F.max_pool2d(path, kernel_size=5, stride=1, padding=2))
            x = x + path
        return x


class Refine(nn.Module):
    """RefineNet block: adapt each input, fuse them, chained pooling, output units.

    Lin et al. 2017, figure 3.
    """

    def __init__(self, inputs: list[int], outputs: int, output_units: int):
        super().__init__()
        self.adapt = nn.ModuleList(ResidualConvUnits(channels, 2) for channels in inputs)
        self.fusion = Fusion(inputs, outputs) if len(inputs) > 1 else nn.Identity()
        self.pooling = ChainedPooling(outputs)
        self.output = ResidualConvUnits(outputs, output_units)

    def forward(self, *inputs: Tensor) -> Tensor:
        # 1. adapt, 2. fuse, 3. chained pooling, 4. output units
        adapted = [adapt(x) for adapt, x in zip(self.adapt, inputs, strict=True)]
        return self.output(self.pooling(self.fusion(*adapted)))


class RefineNet(nn.Module):
    """See `refinenet`. Output [N, C, H, W] = f(2x - 1); noise and labels do not enter."""

    def __init__(self, in_channels: int, out_channels: int, widths: list[int], dropout: float):
        super().__init__()
        previous = [widths[0], *widths[:-1]]  # width that enters each stage
        self.stem = conv(in_channels, widths[0])
        self.stages = nn.ModuleList(_stages(widths, previous, dropout))
        self.refines = nn.ModuleList(_refines(widths, previous))
        self.norm = InstanceNormPlus(widths[0])
        self.head = conv(widths[0], out_channels)

    def forward(self, x: Tensor, noise: Tensor | None = None, labels: None = None) -> Tensor:
        # Encoder, on images moved from [0, 1] to [-1, 1]
        h = self.stem(2 * x - 1)
        skips = []
        for stage in self.stages:
            h = stage(h)
            skips.append(h)
        # Decoder: the lowest stage alone, then each stage above with the result from below
        h = self.refines[0](skips.pop())
        for refine in self.refines[1:]:
            h = refine(skips.pop(), h)
        return self.head(F.elu(self.norm(h)))


def _stages(widths: list[int], previous: list[int], dropout: float) -> list[nn.Sequential]:
    """Build two blocks per stage; the last two stages are dilated instead of halved."""
    # Dilation widens the view as halving would, and keeps the resolution.
    dilations = [1] * (len(widths) - 2) + [2, 4]
    return [
        nn.Sequential(
            Block(inputs, width, dilation, level > 0, dropout),
            Block(width, width, dilation, False, dropout),
        )
        for level, (inputs, width, dilation) in enumerate(
            zip(previous, widths, dilations, strict=True)
        )
    ]


def _refines(widths: list[int], previous: list[int]) -> list[Refine]:
    """Build the RefineNet blocks from the last stage up.

    Each but the first ends at the width of the stage before; the last has three output units.
    """
    below = widths[-1]  # a single input is not fused and keeps its width
    # The lowest block has one input, all others two.
    blocks = [Refine([below], below, 1)]
    for level in reversed(range(len(widths) - 1)):
        blocks.append(Refine([widths[level], below], previous[level], 3 if level == 0 else 1))
        below = previous[level]
    return blocks
