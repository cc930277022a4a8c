"""DDPM++ and NCSN++ of EDM (Karras et al. 2022): weights of its `SongUNet` as safetensors."""

import math
import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from uncanny import safetensors, segments

RULE = tuple[str, str | Callable]
ENDS: list[RULE] = [(r"\.?(weight|bias|alpha|gamma|beta)$", r".\1")]
WRAPPED = "model."  # what a preconditioned network of EDM puts before its names
UNUSED = re.compile(r"\.resample_filter$")  # constants of the architecture


def edm(identity: Mapping, shape: tuple[int, ...], *, path: str) -> dict[str, Tensor]:
    """The weights of EDM's networks as those of our `song_unet`; docs/external.md has the key map.

    path: a file of safetensors with the names of EDM, with or without `model.` before them. shape:
    of an image of the dataset.
    """
    network = identity["network"]
    if network["kind"] != "song_unet":
        raise ValueError(f"{path}: weights of EDM; network {network['kind']!r} is not song_unet")
    published = {
        name.removeprefix(WRAPPED): value.float()
        for name, value in safetensors.load(path).items()
        if not UNUSED.search(name)
    }
    classes = published["map_label.weight"].shape[1] if "map_label.weight" in published else 0
    if bool(classes) != identity["conditional"]:
        raise ValueError(f"{path}: {classes or 'no'} classes; conditional says otherwise")
    with torch.device("meta"):
        ours = segments.build_network(identity, shape, classes).state_dict()
    return fitted(published, ours, rules(shape[1], len(network["multipliers"])), path)


def rules(resolution: int, levels: int) -> list[RULE]:
    """The key map: pieces of their names, and what stands for them in ours."""

    def down(match: re.Match) -> int:
        return int(math.log2(resolution / int(match[1])))

    def up(match: re.Match) -> int:
        return levels - 1 - down(match)

    return [
        (r"map_(label|augment)", r"embedding.\1"),
        (r"map_layer(\d)", r"embedding.map\1"),
        (r"map_noise\.freqs$", "embedding.features.frequencies"),
        (r"enc\.\d+x\d+_conv", "stem"),
        (r"enc\.(\d+)x\d+_down\.", lambda m: f"encoder.{down(m)}.down."),
        (r"enc\.(\d+)x\d+_aux_residual", lambda m: f"encoder.{down(m)}.pyramid.0"),
        (r"enc\.(\d+)x\d+_block(\d+)\.", lambda m: f"encoder.{down(m)}.blocks.{m[2]}."),
        (r"dec\.(\d+)x\d+_in(\d)\.", lambda m: f"decoder.{up(m)}.entry.{m[2]}."),
        (r"dec\.(\d+)x\d+_up\.", lambda m: f"decoder.{up(m)}.entry.0."),
        (r"dec\.(\d+)x\d+_block(\d+)\.", lambda m: f"decoder.{up(m)}.blocks.{m[2]}."),
        (r"dec\.\d+x\d+_aux_norm", "norm"),
        (r"dec\.\d+x\d+_aux_conv", "head"),
        (r"norm2", "attention.norm"),
        (r"(qkv|proj)", r"attention.\1"),
        (r"(norm[01]|conv[01]|affine|skip)", r"\1"),
        *ENDS,
    ]


def renamed(name: str, known: list[RULE]) -> str:
    """Apply the first rule whose pattern matches from the start, again and again to the rest;
    KeyError where none does.
    """
    out = ""
    while name:
        for pattern, target in known:
            match = re.match(pattern, name)
            if match:
                out += target(match) if callable(target) else match.expand(target)
                name = name[match.end() :]
                break
        else:
            raise KeyError(f"no rule for {name!r} after {out!r}")
    return out


def fitted(published: Mapping, ours: Mapping, known: list[RULE], path: str) -> dict[str, Tensor]:
    """Each of their tensors as exactly one of ours; ValueError that names the key which does not
    fit.
    """
    found = {}
    for name, value in published.items():
        try:
            target = renamed(name, known)
        except (KeyError, ValueError):
            target = ""
        if target not in ours:
            raise ValueError(f"{path}: key {name} has no place in the study's network")
        value, like = channels_last(name, value), ours[target].shape
        if [n for n in like if n > 1] != [n for n in value.shape if n > 1]:
            raise ValueError(f"{path}: {name} has shape {list(value.shape)}; expected {list(like)}")
        found[target] = value.reshape(like)
    if lost := sorted(set(ours) - set(found)):
        raise ValueError(f"{path}: nothing for {lost[0]} of the study's network; expected its key")
    return found


def channels_last(name: str, value: Tensor) -> Tensor:
    """Rows of qkv: theirs are channel by channel, ours query, key, value outermost."""
    if not re.search(r"(^|\.)qkv\.(weight|bias)$", name):
        return value
    return value.reshape(-1, 3, *value.shape[1:]).transpose(0, 1).reshape(value.shape)
