"""ADM as Karras et al. (2022) have it: the U-Net of guided diffusion, with their embedding.

`unet` with scale-shift norm, residual resampling and heads of 64 channels (Dhariwal and Nichol
2021); the embedding also takes augmentation labels, and may be narrower.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

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
    embedding = Embedding(width, num_classes, channels, augment_dim)
    return AugmentedUNet(embedding, encoder, plan, options, out_channels or in_channels)


class AugmentedUNet(UNet):
    """Raw output F(x; noise), [N, C, H, H] -> [N, out_channels, H, H]. See `adm_unet`."""

    def forward(
        self,
        x: Tensor,
        noise: Tensor,
        labels: Tensor | None = None,
        augment_labels: Tensor | None = None,
    ) -> Tensor:
        return self.decoded(x, self.embedding(noise, labels, augment_labels))


class Embedding(TimeEmbedding):
    """Noise condition, class and augmentation labels -> SiLU of the vector for all blocks."""

    def __init__(self, width: int, num_classes: int, channels: int, augment_dim: int):
        super().__init__(width, num_classes, channels)
        self.augment = nn.Linear(augment_dim, width, bias=False) if augment_dim else None
        if self.augment is not None:
            nn.init.zeros_(self.augment.weight)

    def forward(
        self, noise: Tensor, labels: Tensor | None, augment_labels: Tensor | None = None
    ) -> Tensor:
        features = self.features(noise)
        if self.augment is not None and augment_labels is not None:
            features = features + self.augment(augment_labels)
        emb = self.map1(F.silu(self.map0(features)))
        # Zeros would add nothing: the map of the labels has no bias.
        if labels is not None:
            emb = emb + self.label(layers.labels_or_zeros(labels, self.num_classes, noise))
        return F.silu(emb)
