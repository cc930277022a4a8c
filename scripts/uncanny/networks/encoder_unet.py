"""The noisy classifier: the encoder half of the guided-diffusion U-Net with a pooling head.

Dhariwal & Nichol 2021, "Diffusion models beat GANs on image synthesis", section 4.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uncanny.networks import layers
from uncanny.networks.unet_blocks import BlockOptions, Encoder, Plan, TimeEmbedding
from uncanny.registry.option_types import LayerSize, NonEmpty, ProperFraction, SmallInt


def encoder_unet(
    shape: Sequence[int],
    num_outputs: int,
    *,
    width: LayerSize = 64,
    multipliers: NonEmpty[SmallInt] = [1, 2, 4],  # noqa: B006
    blocks: SmallInt = 2,
    attention: list[LayerSize] = [16, 8, 4],  # noqa: B006
    head_channels: LayerSize = 64,
    scale_shift: bool = True,
    resampling: Literal["conv", "residual"] = "residual",
    pool: Literal["attention", "adaptive"] = "attention",
    dropout: ProperFraction = 0.0,
    groups: LayerSize | None = None,
) -> nn.Module:
    """Build the classifier p(y | x_t, t): network(x, noise) -> logits [N, num_outputs].

    shape: (C, H, H) of the images; noise: the discrete time t in 0..T-1. width, multipliers,
    blocks, attention, head_channels, scale_shift, resampling, dropout, groups: as in `unet`.
    pool: attention over the pixels of the lowest level, or their mean followed by a
    zero-initialised layer, whose gradient with respect to x is exactly zero before training.
    Raises ValueError for shapes, widths, heads or groups that do not fit together.
    """
    in_channels, resolution = layers.image_shape(shape, len(multipliers))
    options = BlockOptions(4 * width, dropout, scale_shift, groups, 1, head_channels)
    levels = layers.level_plan(width, multipliers, resolution, attention)
    pixels = (resolution >> (len(levels) - 1)) ** 2  # of the lowest level
    return EncoderUNet(
        in_channels, num_outputs, width, Plan(levels, blocks, resampling), options, pool, pixels
    )


class EncoderUNet(nn.Module):
    """Logits of the classes given x_t and t, [N, C, H, H] -> [N, outputs]. See `encoder_unet`."""

    def __init__(
        self,
        in_channels: int,
        outputs: int,
        width: int,
        plan: Plan,
        options: BlockOptions,
        pool: str,
        pixels: int,
    ):
        super().__init__()
        channels = plan.levels[-1][0]
        self.embedding = TimeEmbedding(width, 0, options.emb_channels)
        self.encoder = Encoder(in_channels, width, plan, options)
        self.norm = options.norm(channels)
        if pool == "attention":
            self.pool = AttentionPool(channels, pixels, options.head_count(channels), outputs)
        else:
            # Its zero-initialised head has no gradient before training.
            self.pool = MeanPool(channels, outputs)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        # The class is the output here: the embedding sees the time only, and skips go unused.
        h, _skips = self.encoder(x, self.embedding(noise))
        return self.pool(F.silu(self.norm(h)))


class AttentionPool(nn.Module):
    """Attention of the mean token over itself and all pixels, [N, C, H, W] -> [N, outputs].

    Radford et al. 2021, "Learning transferable visual models from natural language supervision".
    """

    def __init__(self, channels: int, pixels: int, heads: int, outputs: int):
        super().__init__()
        self.heads = heads
        # One learned position per token: the mean, then the pixels
        self.position = nn.Parameter(torch.randn(1 + pixels, channels) / channels**0.5)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2).transpose(1, 2)  # [N, HW, C]
        # Token 0 is the mean of the pixels; its output after attention is the pooled image.
        tokens = torch.cat([pixels.mean(dim=1, keepdim=True), pixels], dim=1) + self.position
        return self.proj(layers.attend(self.qkv(tokens), self.heads)[:, 0])


class MeanPool(nn.Module):
    """Mean over the pixels and a zero-initialised linear layer, [N, C, H, W] -> [N, outputs]."""

    def __init__(self, channels: int, outputs: int):
        super().__init__()
        self.proj = layers.zeroed(nn.Linear(channels, outputs))

    def forward(self, x: Tensor) -> Tensor:
        # Global average pooling
        return self.proj(x.mean(dim=(2, 3)))
