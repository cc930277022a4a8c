"""The U-Net of DDPM as diffusers builds it: `unet` with three details of its published models."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.networks import layers
from uncanny.networks.unet import unet
from uncanny.networks.unet_blocks import ConvDown
from uncanny.registry.option_types import (
    LayerSize,
    NonEmpty,
    OpenFraction,
    ProperFraction,
    SmallInt,
)


def diffusers_unet(
    shape: Sequence[int],
    num_classes: int,
    out_channels: int | None = None,
    *,
    width: LayerSize = 128,
    multipliers: NonEmpty[SmallInt] = [1, 2, 2, 2],  # noqa: B006
    blocks: SmallInt = 2,
    attention: list[LayerSize] = [16],  # noqa: B006
    head_channels: LayerSize | None = None,
    dropout: ProperFraction = 0.0,
    groups: LayerSize = 32,
    norm_eps: OpenFraction = 0.000001,
    endpoint: bool = True,
    one_sided: bool = True,
) -> nn.Module:
    """Build `unet` with norms of another epsilon, embedding frequencies that reach 1/10000, and
    convolutions that halve an image with a margin on one side only: the defaults are those of
    google/ddpm-cifar10-32.

    endpoint: see layers.PositionalEmbedding (diffusers: freq_shift 1). one_sided: margin of zeros
    at the right and lower edge (downsample_padding 0). Else as `unet`.
    """
    # An ordinary `unet`, changed in place
    network = unet(
        shape,
        num_classes,
        out_channels,
        width=width,
        multipliers=multipliers,
        blocks=blocks,
        attention=attention,
        head_channels=head_channels,
        dropout=dropout,
        groups=groups,
    )
    # 1. Embedding frequencies 10000^(-k/(n-1)), which reach 1/10000
    network.embedding.features = layers.PositionalEmbedding(width, endpoint=endpoint)
    for module in network.modules():
        # 2. Epsilon of the norms
        if isinstance(module, nn.GroupNorm):
            module.eps = norm_eps
        # 3. Margin of the convolutions that halve; the class changes, its weights stay
        elif isinstance(module, ConvDown) and one_sided:
            module.__class__, module.padding = OneSidedDown, (0, 0)
    return network


class OneSidedDown(ConvDown):
    """Halve an image with a learned stride-2 convolution, zeros at its right and lower edge."""

    def forward(self, x: Tensor, _emb: Tensor) -> Tensor:
        # (left, right, top, bottom)
        return super().forward(F.pad(x, (0, 1, 0, 1)), _emb)
