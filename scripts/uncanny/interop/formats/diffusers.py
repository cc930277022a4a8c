"""A folder of diffusers: a UNet2DModel with its scheduler. Needs no diffusers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import yaml
from torch import Tensor

from uncanny.interop.formats import _scheduler, _unet2d, _weights
from uncanny.networks import building
from uncanny.runtime import files

STEM = "diffusion_pytorch_model"
WEIGHTS = [  # in the order in which they are looked for: full precision first
    *(f"{STEM}.safetensors", f"{STEM}.safetensors.index.json", f"{STEM}.bin"),
    *(f"{STEM}.fp16.safetensors", f"{STEM}.safetensors.index.fp16.json"),
    *(f"{STEM}.bf16.safetensors", f"{STEM}.safetensors.index.bf16.json"),
]
EXPECTED = (  # in messages
    f"{WEIGHTS[0]}, its variant fp16 or bf16, or its index with the shards; docs/external.md has "
    "the command that makes it of other files"
)
PARTS = {"unet", "scheduler"}  # of a pipeline
CLOSE = 1e-3  # of ᾱ and 1 - ᾱ, relative: their betas may be float32


def diffusers(
    identity: Mapping, shape: Sequence[int], ours: Mapping[str, Tensor], *, path: str
) -> dict[str, Tensor]:
    """The weights of a UNet2DModel as those of our `unet` or `diffusers_unet`.

    path: folder with unet/ and scheduler/, unet/ in such a folder, or one with the files of both.
    Network and noise schedule of the model must be those of the folder.
    """
    folder = _folder(path)
    _check_pipeline(folder / "model_index.json")
    _check_schedule(_one_of(folder, "scheduler", "scheduler_config.json"), identity)
    place = _one_of(folder, "unet", "config.json")
    config = _unet2d.read(place)
    _check_images(place, config, shape)
    _check_network(place, config, identity["network"], shape[1])
    _check_classes(place, config, ours.get("embedding.label.weight"))
    weights = _one_of(folder, "unet", *WEIGHTS, expected=EXPECTED)
    found = renamed(_read(weights), ours, _unet2d.modules(identity["network"]), weights)
    if not config["flip_sin_to_cos"]:  # sines before cosines
        sines, cosines = found["embedding.map0.weight"].chunk(2, dim=1)
        found["embedding.map0.weight"] = torch.cat([cosines, sines], dim=1)
    return found


# ---- Files ----------------------------------------------------------------------------------


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise ValueError(f"{path}: {found}; expected a folder of diffusers, unet/ and scheduler/")
    beside = folder.parent / "scheduler"
    return folder.parent if folder.name == "unet" and beside.is_dir() else folder


def _one_of(folder: Path, part: str, *names: str, expected: str = "") -> Path:
    """The first file of these names, in a part's folder or beside it; ValueError with what is there
    instead.
    """
    places = [place / name for place in (folder / part, folder) for name in names]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        place = folder / part if (folder / part).is_dir() else folder
        there = _weights.listed(item.name for item in place.iterdir()) or "nothing"
        raise ValueError(
            f"{place / names[0]}: no such file, but {there}; expected {expected or names[0]}"
        )
    return found


def _check_pipeline(path: Path) -> None:
    """ValueError where a pipeline has more parts, so that the network does not see pixels."""
    parts = files.read_settings(path) if path.is_file() else {}
    for name, entry in parts.items():
        if name not in PARTS and isinstance(entry, list) and any(entry):
            raise ValueError(
                f"{path}: {name} {json.dumps(entry)} is not supported; expected unet and scheduler "
                "alone, a model of pixels"
            )


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".json":
        return _weights.load_sharded(path)
    return _weights.load(path) if path.suffix == ".safetensors" else _weights.load_pickled(path)


# ---- Network --------------------------------------------------------------------------------


def _check_images(path: Path, config: Mapping, shape: Sequence[int]) -> None:
    """ValueError where the network was made for other images."""
    size, channels = config["sample_size"] or shape[1], config["in_channels"]
    found = [channels, *([size, size] if isinstance(size, int) else size)]
    if found != list(shape):
        raise ValueError(f"{path}: images {found}; the study's dataset has {list(shape)}")
    if config["out_channels"] != channels:
        outputs = config["out_channels"]
        raise ValueError(f"{path}: out_channels {outputs} is not supported; expected {channels}")


def _check_classes(path: Path, config: Mapping, label: Tensor | None) -> None:
    """ValueError where the network knows other classes. label: [width, K] of our embedding."""
    classes = None if label is None else label.shape[1]
    if config["num_class_embeds"] != classes:
        said = "conditional: false" if label is None else f"conditional: true and {classes} classes"
        value, wanted = json.dumps(config["num_class_embeds"]), json.dumps(classes)
        raise ValueError(
            f"{path}: num_class_embeds {value}; the study's model has {said}, expected {wanted}"
        )


def _check_network(path: Path, config: Mapping, network: Mapping, resolution: int) -> None:
    """ValueError where the folder's network is not the model's."""
    try:
        theirs = _unet2d.network_block(config, resolution)
        mine = _unet2d.block_of(network, resolution)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if lost := [key for key in theirs if theirs[key] != mine[key]]:
        said = ", ".join(f"{key} {mine[key]}" for key in lost)
        wanted = {"kind": "diffusers_unet"} | theirs
        flow = {"default_flow_style": True, "sort_keys": False, "width": 10**4}
        block = yaml.safe_dump(wanted, **flow).strip()  # as a config has it: 1.0e-05
        raise ValueError(f"{path}: the study's network has {said}; expected {block}")


def renamed(
    weights: Mapping[str, Tensor], ours: Mapping[str, Tensor], known: Mapping, path: Path
) -> dict[str, Tensor]:
    """Weights under our names, in the order of our axes. known: from `_unet2d.modules`."""
    weights, found, missing, unlike = _unet2d.modern(weights), {}, {}, []
    for name, like in ours.items():
        transposed = name == "embedding.label.weight"
        names = _unet2d.theirs(name, known)
        wanted = dict(zip(names, (like.T if transposed else like).chunk(len(names)), strict=True))
        parts = {part: weights.pop(part) for part in wanted if part in weights}
        missing |= {part: value for part, value in wanted.items() if part not in parts}
        bad = [part for part in parts if not _weights.same_shape(parts[part], wanted[part])]
        unlike += [
            f"{part} {list(parts[part].shape)}, expected {list(wanted[part].shape)}" for part in bad
        ]
        if len(parts) == len(names) and not bad:
            value = torch.cat([*parts.values()])
            found[name] = (value.T if transposed else value).reshape(like.shape).contiguous()
    sized = _weights.sized
    _weights.check_fit(path, missing=sized(missing), extra=sized(weights), unlike=unlike)
    return found


# ---- Noise ----------------------------------------------------------------------------------


def _check_schedule(path: Path, identity: Mapping) -> None:
    """ValueError where the folder's noise is not the model's."""
    config = _scheduler.read(path)
    if identity["process"]["kind"] != "discrete":
        kind = identity["process"]["kind"]
        raise ValueError(f"{path}: a discrete process; the study's is {kind!r}")
    ours = building.build_family(identity).alphas_cumprod
    levels = _scheduler.num_levels(config)
    if len(ours) != levels:
        raise ValueError(f"{path}: {levels} noise levels; the study's process has {len(ours)}")
    theirs = _scheduler.alphas_cumprod(config)
    least = torch.minimum(theirs, 1 - theirs).clamp(min=1e-6)
    far = (~((ours - theirs).abs() <= CLOSE * least)).nonzero()  # also what is no number
    if len(far):
        t, schedule = int(far[0]), identity["schedule"]["kind"]
        raise ValueError(
            f"{path}: signal ᾱ is {theirs[t]:.6g} at level {t}; the study's schedule {schedule!r} "
            f"has {ours[t]:.6g}"
        )
