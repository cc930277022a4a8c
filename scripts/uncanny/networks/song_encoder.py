"""A noisy classifier made of the encoder half of DDPM++ and NCSN++.

Pandey and Mandt 2023 (arXiv 2303.01748), section 5.3: levels and two blocks of the bottleneck as in
`song_unet`, then one linear map of the flattened bottleneck.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from torch import Tensor, nn

from uncanny.networks import layers
from uncanny.networks.song_unet import Block, Embedding, conv, encoder_levels, linear
from uncanny.registry.option_types import LayerSize, NonEmpty, ProperFraction, SmallInt


def song_encoder(
    shape: Sequence[int],
    num_outputs: int,
    *,
    width: LayerSize = 128,
    multipliers: NonEmpty[SmallInt] = [1, 2, 3, 4],  # noqa: B006
    blocks: SmallInt = 4,
    attention: list[LayerSize] = [16, 8],  # noqa: B006
    dropout: ProperFraction = 0.1,
    embedding: Literal["positional", "fourier"] = "positional",
) -> nn.Module:
    """Build the classifier p(y | z_t, t): network(z, noise) -> logits [N, num_outputs].

    shape: (C, H, H) of the state, augmented or not. Other arguments: as in `song_unet`.
    Raises ValueError for shapes and widths that do not fit together.
    """
    in_channels, resolution = layers.image_shape(shape, len(multipliers))
    block = partial(Block, emb_channels=4 * width, dropout=dropout)
    plan = layers.level_plan(width, multipliers, resolution, attention)
    # The box filter [1, 1] and no image pyramid, as in DDPM++
    encoder, _ = encoder_levels(plan, blocks, block, [1, 1], width, None)
    features = plan[-1][0] * (resolution >> (len(plan) - 1)) ** 2  # of the flattened bottleneck
    return SongEncoder(encoder, block, plan, in_channels, width, embedding, features, num_outputs)


class SongEncoder(nn.Module):
    """Logits of the classes given z_t and t, [N, C, H, H] -> [N, outputs]. See `song_encoder`."""

    def __init__(
        self,
        encoder: nn.ModuleList,
        block: Callable,
        plan: list,
        in_channels: int,
        width: int,
        embedding: str,
        features: int,
        outputs: int,
    ):
        super().__init__()
        channels = plan[-1][0]
        self.embedding = Embedding(embedding, width, num_classes=0, augment_dim=0)
        self.stem = conv(in_channels, width, 3)
        self.encoder = encoder
        self.bottom = nn.ModuleList(
            [block(channels, channels, attention=True), block(channels, channels)]
        )
        # No bias, as in the code of PSLD
        self.head = linear(features, outputs, bias=False)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        # The class is the output here: the embedding sees the time only, and skips go unused.
        emb = self.embedding(noise, None, None)
        x, skips = self.stem(x), []
        for level in self.encoder:
            x, _ = level(x, x, emb, skips)
        for block in self.bottom:
            x = block(x, emb)
        # No pooling: the head sees every position of the bottleneck.
        return self.head(x.flatten(1))
