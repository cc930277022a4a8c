"""ADM as Karras et al. (2022) have it: the U-Net of guided diffusion, with their embedding.

`unet` with scale-shift norm, residual resampling and heads of 64 channels (Dhariwal and Nichol
2021); the embedding also takes augmentation labels, and may be narrower.
"""

from collections.abc import Sequence

from torch import nn

from uncanny.networks import layers
from uncanny.networks.unet import UNet
from uncanny.networks.unet_blocks import BlockOptions, Encoder, Plan, TimeEmbedding
from uncanny.registry.option_types import LayerSize, NonEmpty, ProperFraction, SmallInt, WholeNumber


def adm_unet(
    shape: Sequence[int],
    num_classes: int,
    out_channels: int | None = None,
    *,
    width: LayerSize = 192,
    multipliers: NonEmpty[SmallInt] = [1, 2, 3, 4],  # noqa: B006
    blocks: SmallInt = 3,
    attention: list[LayerSize] = [32, 16, 8],  # noqa: B006
    head_channels: LayerSize = 64,
    dropout: ProperFraction = 0.1,
    embedding_multiplier: SmallInt = 4,
    augment_dim: WholeNumber = 0,
) -> nn.Module:
    """Build ADM; the defaults are those of EDM for ImageNet at 64x64 pixels.

    embedding_multiplier: width of the embedding over `width`. augment_dim: width of the
    augmentation labels, 0 for none. Else as `unet`. Raises ValueError for shapes, widths or heads
    that do not fit together.
    """
    in_channels, resolution = layers.image_shape(shape, len(multipliers))
    channels = embedding_multiplier * width
    options = BlockOptions(channels, dropout, True, None, 1, head_channels)
    plan = Plan(layers.level_plan(width, multipliers, resolution, attention), blocks, "residual")
    encoder = Encoder(in_channels, width, plan, options)
    embedding = TimeEmbedding(width, num_classes, channels, augment_dim)
    return UNet(embedding, encoder, plan, options, out_channels or in_channels)
