"""diffusers' UNet2DModel and our `unet`: the same network under other names."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from uncanny.interop.formats import _settings
from uncanny.interop.formats._settings import ANY, BOOLEAN, POSITIVE, TEXT, count, each, only

SETTINGS = {  # of a UNet2DModel; those with one value are what our network cannot be
    "_class_name": only("UNet2DModel"),
    "block_out_channels": each(count()),
    "down_block_types": each(TEXT),
    "up_block_types": each(TEXT),
    "sample_size": {
        **{"type": ["integer", "array", "null"], "minimum": 1},
        **{"items": count(), "minItems": 2, "maxItems": 2},
        "description": "a number of pixels, a list of two, or null",
    },
    **{"in_channels": count(), "out_channels": count(), "layers_per_block": count()},
    **{"attention_head_dim": count("null"), "num_class_embeds": count("null")},
    **{"norm_num_groups": count(), "attn_norm_num_groups": count("null")},
    **{"norm_eps": POSITIVE, "flip_sin_to_cos": BOOLEAN},
    **{"freq_shift": only(0, 1), "downsample_padding": only(0, 1)},
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
    "dropout": ANY,  # of training
    "num_train_timesteps": ANY,  # of the embedding type "learned"
}
BLOCK_TYPES = ("down_block_types", "up_block_types")
REQUIRED = ("block_out_channels", *BLOCK_TYPES)
DEFAULTS = {  # of keys that a config.json lacks
    **{"act_fn": "silu", "add_attention": True, "center_input_sample": False},
    **{"class_embed_type": None, "downsample_type": "conv", "mid_block_scale_factor": 1},
    **{"mid_block_type": "UNetMidBlock2D", "resnet_time_scale_shift": "default"},
    **{"time_embedding_dim": None, "time_embedding_type": "positional", "upsample_type": "conv"},
    **{"layers_per_block": 2, "attention_head_dim": 8, "norm_num_groups": 32, "norm_eps": 1e-5},
    **{"attn_norm_num_groups": None, "downsample_padding": 1, "freq_shift": 0},
    **{"flip_sin_to_cos": True, "num_class_embeds": None, "sample_size": None, "dropout": 0.0},
    **{"in_channels": 3, "out_channels": 3},
}
BLOCKS = {("DownBlock2D", "UpBlock2D"): False, ("AttnDownBlock2D", "AttnUpBlock2D"): True}
PARTS = {"norm0": "norm1", "conv0": "conv1", "affine": "time_emb_proj", "norm1": "norm2"}
PARTS |= {"conv1": "conv2", "skip": "conv_shortcut"}
ATTENTION = {"norm": ("group_norm",), "qkv": ("to_q", "to_k", "to_v"), "proj": ("to_out.0",)}
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
SINGLE = {"encoder.stem": "conv_in", "norm": "conv_norm_out", "head": "conv_out"}
SINGLE |= {"embedding.map0": "time_embedding.linear_1", "embedding.map1": "time_embedding.linear_2"}
SINGLE |= {"embedding.label": "class_embedding"}
# Settings of `diffusers_unet` with which it is `unet`.
PLAIN = {"norm_eps": 1e-5, "endpoint": False, "one_sided": False}


# ---- Settings -------------------------------------------------------------------------------


def read(path: Path) -> dict:
    """The settings of a UNet2DModel, complete; ValueError that names the file and the key."""
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
    """Options of `diffusers_unet` for the settings of a UNet2DModel, without dropout.

    Raises ValueError that names the setting which is not supported.
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
    """The same options of one of our networks; ValueError where it has others as well."""
    if network["kind"] not in ("unet", "diffusers_unet"):
        raise ValueError(f"network {network['kind']!r}; expected unet or diffusers_unet")
    found = PLAIN | {"scale_shift": False, "resampling": "conv", "heads": 1} | network
    for key, value in (("scale_shift", False), ("resampling", "conv"), ("heads", 1)):
        if found[key] != value:
            raise ValueError(f"network has {key} {found[key]!r}; expected {value!r}")
    if found["groups"] is None:  # as layers.group_norm has it
        if found["width"] < 128:
            raise ValueError("network has norms of different groups; expected groups: a number")
        found["groups"] = 32
    levels = range(len(found["multipliers"]))
    attention = sorted({resolution >> level for level in levels} & set(found["attention"]))
    names = ("width", "multipliers", "blocks", "head_channels", "groups", *PLAIN)
    return {name: found[name] for name in names} | {"attention": attention}


def config_of(block: Mapping, shape: tuple[int, ...], num_classes: int, dropout: float) -> dict:
    """A UNet2DModel's config.json for options as `network_block` gives them."""
    channels, resolution, _ = shape
    wide = range(len(block["multipliers"]))
    pairs = [("AttnDownBlock2D", "AttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")]
    types = [pairs[resolution >> level not in block["attention"]] for level in wide]
    return {name: value for name, value in DEFAULTS.items() if name not in ("mid_block_type",)} | {
        "_class_name": "UNet2DModel",
        **{"sample_size": resolution, "in_channels": channels, "out_channels": channels},
        "block_out_channels": [block["width"] * multiplier for multiplier in block["multipliers"]],
        "down_block_types": [down for down, _ in types],
        "up_block_types": [up for _, up in reversed(types)],
        "layers_per_block": block["blocks"],
        "attention_head_dim": block["head_channels"],
        **{"norm_num_groups": block["groups"], "norm_eps": block["norm_eps"], "dropout": dropout},
        **{"freq_shift": int(block["endpoint"]), "flip_sin_to_cos": True},
        "downsample_padding": 0 if block["one_sided"] else 1,
        "num_class_embeds": num_classes or None,
    }


# ---- Names ----------------------------------------------------------------------------------


def modules(block: Mapping) -> dict[str, str]:
    """Blocks and steps between levels: our name → theirs."""
    levels, blocks = len(block["multipliers"]), block["blocks"]
    found, at = {}, 0
    for level in range(levels):
        if level:
            found[f"encoder.body.{at}"] = f"down_blocks.{level - 1}.downsamplers.0.conv"
            at += 1
        for i in range(blocks):
            found[f"encoder.body.{at + i}"] = f"down_blocks.{level}.resnets.{i}"
        at += blocks
        for i in range(blocks + 1):
            found[f"decoder.{level}.blocks.{i}"] = f"up_blocks.{level}.resnets.{i}"
        found[f"decoder.{level}.up"] = f"up_blocks.{level}.upsamplers.0.conv"
    middle = {f"encoder.middle.{i}": f"mid_block.resnets.{i}" for i in (0, 1)}
    return found | middle | SINGLE


def theirs(name: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the tensors that make up one of ours; known: from `modules`."""
    module, _, leaf = name.rpartition(".")
    if module in known:
        return (f"{known[module]}.{leaf}",)
    if ".attention." in module:
        base, _, part = module.partition(".attention.")
        place = known[base].replace("resnets", "attentions")
        return tuple(f"{place}.{name}.{leaf}" for name in ATTENTION[part])
    base, _, part = module.rpartition(".")
    return (f"{known[base]}.{PARTS[part]}.{leaf}",)


def modern(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under today's names; attention had others."""
    names = {f".{old}.": f".{new}." for new, old in OLD.items()}
    found = {}
    for name, value in weights.items():
        for old, new in names.items():
            name = name.replace(old, new)
        found[name] = value
    return found
