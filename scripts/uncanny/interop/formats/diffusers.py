"""diffusers folders: a UNet2DModel with its scheduler. The package diffusers is not needed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import yaml
from torch import Tensor

from uncanny.diffusion import forward
from uncanny.interop.formats import _folder, _scheduler, _unet2d, _weights
from uncanny.networks import building
from uncanny.registry import components

STEM = "diffusion_pytorch_model"
WEIGHTS = [  # in order of preference: full precision first
    *(f"{STEM}.safetensors", f"{STEM}.safetensors.index.json", f"{STEM}.bin"),
    *(f"{STEM}.fp16.safetensors", f"{STEM}.safetensors.index.fp16.json"),
    *(f"{STEM}.bf16.safetensors", f"{STEM}.safetensors.index.bf16.json"),
]
EXPECTED = (  # in messages
    f"{WEIGHTS[0]}, its variant fp16 or bf16, or its index with the shards; docs/external.md has "
    "the command that converts other files"
)
TOLERANCE = 1e-3  # of ᾱ and 1 - ᾱ, relative: diffusers' betas may be float32


def diffusers(
    identity: Mapping, shape: Sequence[int], expected: Mapping[str, Tensor], *, path: str
) -> dict[str, Tensor]:
    """Read weights of a UNet2DModel as those of `unet` or `diffusers_unet`.

    path: folder with unet/ and scheduler/, the unet/ of such a folder, or a folder with the files
    of both. Its network and noise schedule must be those of `identity`.
    """
    folder = _folder.of(path)
    _folder.check_pipeline(folder)
    _check_schedule(_folder.scheduler(folder), identity)
    config_path = _folder.network(folder)
    config = _unet2d.read(config_path)
    _check_images(config_path, config, shape)
    _check_network(config_path, config, identity["network"], shape[1])
    _check_classes(config_path, config, expected.get("embedding.label.weight"))
    weights = _folder.one_of(folder, "unet", *WEIGHTS, expected=EXPECTED)
    converted = rename(_read(weights), expected, _unet2d.modules(identity["network"]), weights)
    if not config["flip_sin_to_cos"]:  # features of the time are (sin, cos) there, (cos, sin) here
        sines, cosines = converted["embedding.map0.weight"].chunk(2, dim=1)
        converted["embedding.map0.weight"] = torch.cat([cosines, sines], dim=1)
    return converted


# ---- Files ----------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".json":
        return _weights.load_sharded(path)
    return _weights.load(path) if path.suffix == ".safetensors" else _weights.load_pickled(path)


# ---- Network --------------------------------------------------------------------------------


def _check_images(path: Path, config: Mapping, shape: Sequence[int]) -> None:
    """Reject a network for images of another shape."""
    size, channels = config["sample_size"] or shape[1], config["in_channels"]
    image_shape = [channels, *([size, size] if isinstance(size, int) else size)]
    if image_shape != list(shape):
        raise ValueError(
            f"{path}: images {image_shape}; the study's dataset has {list(shape)}, which a dataset of "
            "kind images sets by its resolution and channels"
        )
    if config["out_channels"] != channels:
        outputs = config["out_channels"]
        raise ValueError(f"{path}: out_channels {outputs} is not supported; expected {channels}")


def _check_classes(path: Path, config: Mapping, label: Tensor | None) -> None:
    """Reject a network with another number of classes.

    label: [width, K], the expected weights of the class embedding, or None.
    """
    classes = None if label is None else label.shape[1]
    if config["num_class_embeds"] != classes:
        model = (
            "conditional: false" if label is None else f"conditional: true and {classes} classes"
        )
        got, expected = json.dumps(config["num_class_embeds"]), json.dumps(classes)
        raise ValueError(
            f"{path}: num_class_embeds {got}; expected {expected}, as the study's model has {model}"
        )


def _check_network(path: Path, config: Mapping, network: Mapping, resolution: int) -> None:
    """Reject a folder whose network is not the model's."""
    try:
        required = _unet2d.network_block(config, resolution)
        configured = _unet2d.block_of(network, resolution)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if different := [key for key in required if required[key] != configured[key]]:
        got = ", ".join(f"{key} {configured[key]}" for key in different)
        expected = {"kind": "diffusers_unet"} | required
        flow = {"default_flow_style": True, "sort_keys": False, "width": 10**4}
        block = yaml.safe_dump(expected, **flow).strip()  # numbers as YAML needs them: 1.0e-05
        raise ValueError(f"{path}: the study's network has {got}; expected {block}")


def rename(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], modules: Mapping, path: Path
) -> dict[str, Tensor]:
    """Rename and reshape weights to the expected ones. modules: from `_unet2d.modules`.

    Raises ValueError with the names that do not fit.
    """
    weights, renamed, missing, unlike = _unet2d.current_names(weights), {}, {}, []
    for name, like in expected.items():
        transposed = name == "embedding.label.weight"
        names = _unet2d.diffusers_names(name, modules)
        chunks = dict(zip(names, (like.T if transposed else like).chunk(len(names)), strict=True))
        tensors = {key: weights.pop(key) for key in chunks if key in weights}
        missing |= {key: chunk for key, chunk in chunks.items() if key not in tensors}
        bad = [key for key in tensors if not _weights.same_shape(tensors[key], chunks[key])]
        unlike += [
            f"{key} {list(tensors[key].shape)}, expected {list(chunks[key].shape)}" for key in bad
        ]
        if len(tensors) == len(names) and not bad:
            tensor = torch.cat([*tensors.values()])
            renamed[name] = (tensor.T if transposed else tensor).reshape(like.shape).contiguous()
    sized = _weights.sized
    _weights.check_fit(path, missing=sized(missing), extra=sized(weights), unlike=unlike)
    return renamed


# ---- Noise ----------------------------------------------------------------------------------


def _check_schedule(path: Path, identity: Mapping) -> None:
    """Reject a folder whose noise levels are not the model's."""
    config = _scheduler.read(path)
    if identity["process"]["kind"] != "discrete":
        kind = identity["process"]["kind"]
        raise ValueError(f"{path}: a discrete process; the study's process is {kind!r}")
    predicted, own = _scheduler.prediction(config), identity["process"].get("prediction", "eps")
    if predicted != own:
        raise ValueError(f"{path}: the network predicts {predicted}; the study's process {own}")
    expected = building.build_family(identity).alphas_cumprod
    levels = _scheduler.num_levels(config)
    if len(expected) != levels:
        raise ValueError(f"{path}: {levels} noise levels; the study's process has {len(expected)}")
    alphas_cumprod = schedule_alphas(_scheduler.schedule_block(config), levels)
    scale = torch.minimum(alphas_cumprod, 1 - alphas_cumprod).clamp(min=1e-6)
    is_close = (expected - alphas_cumprod).abs() <= TOLERANCE * scale  # False for NaN
    if not is_close.all():
        t, schedule = int((~is_close).nonzero()[0]), identity["schedule"]["kind"]
        raise ValueError(
            f"{path}: ᾱ is {alphas_cumprod[t]:.6g} at level {t}; the study's schedule "
            f"{schedule!r} has {expected[t]:.6g}"
        )


def schedule_alphas(block: Mapping, levels: int) -> Tensor:
    """ᾱ of each level of a schedule's block, float64 [T]."""
    options = {key: value for key, value in block.items() if key != "kind"}
    return forward.alphas_cumprod(components.load("schedules", block["kind"])(levels, **options))
