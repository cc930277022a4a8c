"""Settings and weight names of diffusers' UNet2DModel, and those of the equal network `unet`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from uncanny.interop.formats import _settings
from uncanny.interop.formats._settings import ANY, BOOLEAN, POSITIVE, TEXT, count, list_of, only

if TYPE_CHECKING:  # the Snakefile imports this
    from torch import Tensor

SETTINGS = {  # of a UNet2DModel; settings with one value are those that `unet` does not have
    "_class_name": only("UNet2DModel"),
    "block_out_channels": list_of(count()),
    "down_block_types": list_of(TEXT),
    "up_block_types": list_of(TEXT),
    "sample_size": {
        "type": ["integer", "array", "null"],
        "minimum": 1,
        "items": count(),
        "minItems": 2,
        "maxItems": 2,
        "description": "a number of pixels, a list of two, or null",
    },
    "in_channels": count(),
    "out_channels": count(),
    "layers_per_block": count(),
    "attention_head_dim": count("null"),
    "num_class_embeds": count("null"),
    "norm_num_groups": count(),
    "attn_norm_num_groups": count("null"),
    "norm_eps": POSITIVE,
    "flip_sin_to_cos": BOOLEAN,
    "freq_shift": only(0, 1),
    "downsample_padding": only(0, 1),
    "act_fn": only("silu", "swish"),
    "add_attention": only(True),
    "center_input_sample": only(False),
    "class_embed_type": only(None),
    "downsample_type": only("conv"),
    "mid_block_scale_factor": only(1),
    "mid_block_type": only("UNetMidBlock2D"),
    "resnet_time_scale_shift": only("default"),
    "time_embedding_dim": only(None),
    "time_embedding_type": only("positional"),
    "upsample_type": only("conv"),
    "dropout": ANY,  # used in training alone
    "num_train_timesteps": ANY,  # used by the embedding type "learned" alone
}
BLOCK_TYPES = ("down_block_types", "up_block_types")
REQUIRED = ("block_out_channels", *BLOCK_TYPES)
DEFAULTS = {  # of keys that a config.json lacks
    "act_fn": "silu",
    "add_attention": True,
    "center_input_sample": False,
    "class_embed_type": None,
    "downsample_type": "conv",
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2D",
    "resnet_time_scale_shift": "default",
    "time_embedding_dim": None,
    "time_embedding_type": "positional",
    "upsample_type": "conv",
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "norm_eps": 1e-5,
    "attn_norm_num_groups": None,
    "downsample_padding": 1,
    "freq_shift": 0,
    "flip_sin_to_cos": True,
    "num_class_embeds": None,
    "sample_size": None,
    "dropout": 0.0,
    "in_channels": 3,
    "out_channels": 3,
}
# Pairs of block types → whether they have attention.
BLOCKS = {("DownBlock2D", "UpBlock2D"): False, ("AttnDownBlock2D", "AttnUpBlock2D"): True}
# Names of `unet` → names of diffusers: in a residual block, in attention, outside the levels.
RESIDUAL = {
    "norm0": "norm1",
    "conv0": "conv1",
    "affine": "time_emb_proj",
    "norm1": "norm2",
    "conv1": "conv2",
    "skip": "conv_shortcut",
}
ATTENTION = {"norm": ("group_norm",), "qkv": ("to_q", "to_k", "to_v"), "proj": ("to_out.0",)}
SINGLE = {
    "encoder.stem": "conv_in",
    "norm": "conv_norm_out",
    "head": "conv_out",
    "embedding.map0": "time_embedding.linear_1",
    "embedding.map1": "time_embedding.linear_2",
    "embedding.label": "class_embedding",
}
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
# Options with which `diffusers_unet` is the same network as `unet`.
UNET_OPTIONS = {"norm_eps": 1e-5, "endpoint": False, "one_sided": False}


# ---- Settings -------------------------------------------------------------------------------


def read(path: Path) -> dict:
    """Settings of a UNet2DModel, with defaults filled in. Raises ValueError that names file and
    key.
    """
    config = DEFAULTS | _settings.read(path, SETTINGS, REQUIRED)
    levels = len(config["block_out_channels"])
    for key in BLOCK_TYPES:
        if len(config[key]) != levels:
            raise ValueError(
                f"{path}: {key} {config[key]} has {len(config[key])} entries; expected {levels}, "
                "one for each of block_out_channels"
            )
    return config


def network_block(config: Mapping, resolution: int) -> dict:
    """Options of `diffusers_unet`, without dropout, from settings of a UNet2DModel.

    Raises ValueError that names the unsupported setting.
    """
    if config["attn_norm_num_groups"] not in (None, config["norm_num_groups"]):
        raise ValueError(
            f"attn_norm_num_groups {config['attn_norm_num_groups']} is not supported; expected null"
        )
    pairs = list(zip(config["down_block_types"], reversed(config["up_block_types"]), strict=True))
    for pair in pairs:
        if pair not in BLOCKS:
            known = " or ".join(" with ".join(names) for names in BLOCKS)
            raise ValueError(f"block {pair[0]} with {pair[1]} is not supported; expected {known}")
    width, *_ = channels = config["block_out_channels"]
    if any(count % width for count in channels):
        raise ValueError(f"block_out_channels {channels}; expected multiples of the first")
    return {
        "width": width,
        "multipliers": [count // width for count in channels],
        "blocks": config["layers_per_block"],
        "attention": sorted(resolution >> i for i, pair in enumerate(pairs) if BLOCKS[pair]),
        "head_channels": config["attention_head_dim"],
        "groups": config["norm_num_groups"],
        "norm_eps": config["norm_eps"],
        "endpoint": bool(config["freq_shift"]),
        "one_sided": config["downsample_padding"] == 0,
    }


def block_of(network: Mapping, resolution: int) -> dict:
    """The same options from the block of a `unet` or `diffusers_unet`.

    Raises ValueError for options that a UNet2DModel does not have.
    """
    if network["kind"] not in ("unet", "diffusers_unet"):
        raise ValueError(f"network {network['kind']!r}; expected unet or diffusers_unet")
    options = UNET_OPTIONS | {"scale_shift": False, "resampling": "conv", "heads": 1} | network
    for key, value in (("scale_shift", False), ("resampling", "conv"), ("heads", 1)):
        if options[key] != value:
            raise ValueError(f"network has {key} {options[key]!r}; expected {value!r}")
    if options["groups"] is None:  # layers.group_norm: 32 groups, fewer for narrow layers
        if options["width"] < 128:
            raise ValueError("network has norms with different groups; expected a number of groups")
        options["groups"] = 32
    levels = range(len(options["multipliers"]))
    attention = sorted({resolution >> level for level in levels} & set(options["attention"]))
    names = ("width", "multipliers", "blocks", "head_channels", "groups", *UNET_OPTIONS)
    return {name: options[name] for name in names} | {"attention": attention}


def config_of(block: Mapping, shape: tuple[int, ...], num_classes: int, dropout: float) -> dict:
    """config.json of a UNet2DModel. block: options as from `network_block`."""
    channels, resolution, _ = shape
    levels = range(len(block["multipliers"]))
    pairs = [("AttnDownBlock2D", "AttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")]
    types = [pairs[resolution >> level not in block["attention"]] for level in levels]
    return {name: value for name, value in DEFAULTS.items() if name != "mid_block_type"} | {
        "_class_name": "UNet2DModel",
        "sample_size": resolution,
        "in_channels": channels,
        "out_channels": channels,
        "block_out_channels": [block["width"] * multiplier for multiplier in block["multipliers"]],
        "down_block_types": [down for down, _ in types],
        "up_block_types": [up for _, up in reversed(types)],
        "layers_per_block": block["blocks"],
        "attention_head_dim": block["head_channels"],
        "norm_num_groups": block["groups"],
        "norm_eps": block["norm_eps"],
        "dropout": dropout,
        "freq_shift": int(block["endpoint"]),
        "flip_sin_to_cos": True,
        "downsample_padding": 0 if block["one_sided"] else 1,
        "num_class_embeds": num_classes or None,
    }


# ---- Names ----------------------------------------------------------------------------------


def modules(block: Mapping) -> dict[str, str]:
    """Modules of `unet` → modules of a UNet2DModel."""
    levels, blocks = len(block["multipliers"]), block["blocks"]
    names, index = {}, 0
    for level in range(levels):
        if level:
            names[f"encoder.body.{index}"] = f"down_blocks.{level - 1}.downsamplers.0.conv"
            index += 1
        for i in range(blocks):
            names[f"encoder.body.{index + i}"] = f"down_blocks.{level}.resnets.{i}"
        index += blocks
        for i in range(blocks + 1):
            names[f"decoder.{level}.blocks.{i}"] = f"up_blocks.{level}.resnets.{i}"
        names[f"decoder.{level}.up"] = f"up_blocks.{level}.upsamplers.0.conv"
    middle = {f"encoder.middle.{i}": f"mid_block.resnets.{i}" for i in (0, 1)}
    return names | middle | SINGLE


def diffusers_names(name: str, modules: Mapping[str, str]) -> tuple[str, ...]:
    """Names in a UNet2DModel of the tensors that, concatenated, are a tensor of `unet`.

    modules: from `modules`.
    """
    module, _, leaf = name.rpartition(".")
    if module in modules:
        return (f"{modules[module]}.{leaf}",)
    if ".attention." in module:
        base, _, layer = module.partition(".attention.")
        attention = modules[base].replace("resnets", "attentions")
        return tuple(f"{attention}.{name}.{leaf}" for name in ATTENTION[layer])
    base, _, layer = module.rpartition(".")
    return (f"{modules[base]}.{RESIDUAL[layer]}.{leaf}",)


def current_names(weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Weights under today's names; layers of attention once had other names."""
    names = {f".{old}.": f".{new}." for new, old in OLD_NAMES.items()}
    renamed = {}
    for name, tensor in weights.items():
        for old, new in names.items():
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed
