"""What people use instead, built as our networks are: the same widths, blocks and attention.

UNet2DModel of diffusers as in google/ddpm-cifar10-32; Unet of denoising-diffusion-pytorch has other
blocks and cannot be made equal, so it is compared per counted operation.
"""

import importlib.util
import sys
import types

import torch

TOLERANCE = 0.01  # of the parameter counts of networks that are called equal


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def assert_equal_size(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    """Parameter counts within 1 %, or AssertionError."""
    counts = parameters(ours), parameters(theirs)
    assert abs(counts[0] / counts[1] - 1) < TOLERANCE, f"parameters: {counts[0]} and {counts[1]}"


def diffusers_unet(shape, *, width, multipliers, blocks, attention, dropout, groups=32):
    """UNet2DModel for images (C, H, H) with the options of our `unet`; x, t -> object with sample."""
    from diffusers import UNet2DModel

    attends = [shape[1] >> level in attention for level in range(len(multipliers))]
    return UNet2DModel(
        sample_size=shape[1],
        in_channels=shape[0],
        out_channels=shape[0],
        layers_per_block=blocks,
        block_out_channels=[width * m for m in multipliers],
        down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attends],
        up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)],
        attention_head_dim=None,
        norm_num_groups=groups,
        norm_eps=1e-6,
        dropout=dropout,
        flip_sin_to_cos=False,
        freq_shift=1,
    )


def lucidrains_unet(shape, *, width, multipliers, attention, dropout, **_):
    """Unet of denoising-diffusion-pytorch with the widths of ours; x, t -> prediction."""
    from denoising_diffusion_pytorch import Unet

    attends = tuple(shape[1] >> level in attention for level in range(len(multipliers)))
    return Unet(
        dim=width,
        dim_mults=tuple(multipliers),
        channels=shape[0],
        full_attn=attends,
        dropout=dropout,
        flash_attn=True,
    )


def k_diffusion():
    """Its samplers alone: the package itself imports a tracker, CLIP and more that they never use."""
    if "k_diffusion" not in sys.modules:
        package = types.ModuleType("k_diffusion")
        package.__path__ = list(importlib.util.find_spec("k_diffusion").submodule_search_locations)
        sys.modules["k_diffusion"] = package
    import k_diffusion.sampling

    return k_diffusion.sampling


def output(result):
    """The prediction in what a network returned."""
    return getattr(result, "sample", result)
