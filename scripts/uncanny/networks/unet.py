"""The U-Net of DDPM and of guided diffusion.

Ho et al. 2020, "Denoising diffusion probabilistic models", appendix B. With scale-shift norm,
several heads and residual resampling: Dhariwal & Nichol 2021, "Diffusion models beat GANs",
section 3.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.networks import layers
from uncanny.networks.unet_blocks import Block, BlockOptions, ConvUp, Encoder, Plan, TimeEmbedding
from uncanny.registry.option_types import LayerSize, NonEmpty, ProperFraction, SmallInt


def unet(
    shape: Sequence[int],
    num_classes: int,
    out_channels: int | None = None,
    *,
    width: LayerSize = 128,
    multipliers: NonEmpty[SmallInt] = [1, 2, 2, 2],  # noqa: B006
    blocks: SmallInt = 2,
    attention: list[LayerSize] = [16],  # noqa: B006
    heads: SmallInt = 1,
    head_channels: LayerSize | None = None,
    scale_shift: bool = False,
    resampling: Literal["conv", "residual"] = "conv",
    dropout: ProperFraction = 0.13,
    groups: LayerSize | None = None,
) -> nn.Module:
    """Build the DDPM U-Net; noise is the discrete time t in 0..T-1, not rescaled.

    shape: (C, H, H) of the input; num_classes: 0 for unconditional; out_channels: C by default.
    width: base channels; level l works at resolution H / 2^l with width * multipliers[l] channels
    and `blocks` residual blocks (one more on the way up). attention: the resolutions with
    self-attention; heads: their number, unless head_channels gives the channels of one head.
    scale_shift: the embedding scales and shifts after the second norm instead of being added
    before it. resampling: strided convolutions or residual blocks. groups: of every norm; None is
    min(32, channels / 4), which is 32 from 128 channels on.
    Raises ValueError for shapes, widths, heads or groups that do not fit together.
    """
    in_channels, resolution = layers.image_shape(shape, len(multipliers))
    options = BlockOptions(4 * width, dropout, scale_shift, groups, heads, head_channels)
    levels = layers.level_plan(width, multipliers, resolution, attention)
    plan = Plan(levels, blocks, resampling)
    # Built before the embedding: the initial weights of a seed depend on the order.
    encoder = Encoder(in_channels, width, plan, options)
    embedding = TimeEmbedding(width, num_classes, options.emb_channels)
    return UNet(embedding, encoder, plan, options, out_channels or in_channels)


class UNet(nn.Module):
    """Raw output F(x; noise), [N, C, H, H] -> [N, out_channels, H, H]. See `unet`."""

    def __init__(
        self,
        embedding: TimeEmbedding,
        encoder: Encoder,
        plan: Plan,
        options: BlockOptions,
        out_channels: int,
    ):
        super().__init__()
        channels = plan.levels[0][0]
        self.embedding = embedding
        self.encoder = encoder
        self.decoder = _decoder(encoder.skip_channels, plan, partial(Block, options=options))
        self.norm = options.norm(channels)
        # Predicts eps = 0 at first
        self.head = layers.zeroed(nn.Conv2d(channels, out_channels, 3, padding=1))

    def forward(
        self,
        x: Tensor,
        noise: Tensor,
        labels: Tensor | None = None,
        augment_labels: Tensor | None = None,
    ) -> Tensor:
        emb = self.embedding(noise, labels, augment_labels)
        # Down, keeping every output as a skip
        x, skips = self.encoder(x, emb)
        # Up, with the skips in reverse
        for level in self.decoder:
            x = level(x, emb, skips)
        return self.head(F.silu(self.norm(x)))


class DecoderLevel(nn.Module):
    """Blocks on the concatenation with the skips, then the step to the next higher resolution."""

    def __init__(self, blocks: list[Block], up: nn.Module | None):
        super().__init__()
        self.blocks, self.up = nn.ModuleList(blocks), up

    def forward(self, x: Tensor, emb: Tensor, skips: list) -> Tensor:
        for block in self.blocks:
            # Skips are used last in, first out.
            x = block(torch.cat([x, skips.pop()], dim=1), emb)
        return x if self.up is None else self.up(x, emb)


def _up(channels: int, resampling: str, block) -> nn.Module:
    if resampling == "conv":
        return ConvUp(channels)
    return block(channels, channels, resample=nn.UpsamplingNearest2d(scale_factor=2))


def _decoder(skip_channels: list[int], plan: Plan, block) -> nn.ModuleList:
    """Build decoder levels from the lowest resolution up."""
    # One block more than in the encoder: the stem, or the step down to a level, has a skip, too.
    skips, levels, channels = list(skip_channels), [], plan.levels[-1][0]
    for level, (outputs, attention) in reversed(list(enumerate(plan.levels))):
        body = []
        for _ in range(plan.blocks + 1):
            body.append(block(channels + skips.pop(), outputs, attention))
            channels = outputs
        levels.append(DecoderLevel(body, _up(channels, plan.resampling, block) if level else None))
    return nn.ModuleList(levels)
