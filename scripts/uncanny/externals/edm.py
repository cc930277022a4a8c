"""DDPM++ and NCSN++ of EDM (Karras et al. 2022): weights of its `SongUNet` as safetensors."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from uncanny import safetensors
from uncanny.externals import same_shape

RULE = tuple[str, str | Callable]
ENDS: list[RULE] = [(r"\.?(weight|bias|alpha|gamma|beta)$", r".\1")]
WRAPPED = "model."  # what a preconditioned network of EDM puts before its names
UNUSED = re.compile(r"\.resample_filter$")  # constants of the architecture


def edm(
    identity: Mapping, shape: Sequence[int], ours: Mapping[str, Tensor], *, path: str
) -> dict[str, Tensor]:
    """The weights of EDM's networks as those of our `song_unet`; docs/external.md has the key map.

    path: a file of safetensors with the names of EDM, with or without `model.` before them.
    """
    network = identity["network"]
    if network["kind"] != "song_unet":
        raise ValueError(f"{path}: weights of EDM; network {network['kind']!r} is not song_unet")
    published = {
        name.removeprefix(WRAPPED): value.float()
        for name, value in safetensors.load(path).items()
        if not UNUSED.search(name)
    }
    stems = [re.match(r"enc\.(\d+)x\d+_conv", name) for name in published]
    if not any(stems):
        raise ValueError(f"{path}: no enc.…_conv; expected weights of EDM's SongUNet")
    resolution = next(int(found[1]) for found in stems if found)
    if resolution != shape[1]:
        sizes = f"images of {resolution}×{resolution}; the study's dataset has {list(shape)}"
        raise ValueError(f"{path}: {sizes}")
    return fitted(published, ours, rules(resolution, len(network["multipliers"])), path)


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
        value, like = by_query(name, value), ours[target]
        if not same_shape(value, like):
            sizes = f"{list(value.shape)}; expected {list(like.shape)}"
            raise ValueError(f"{path}: {name} has shape {sizes}")
        found[target] = value.reshape(like.shape)
    if lost := sorted(set(ours) - set(found)):
        raise ValueError(f"{path}: nothing for {lost[0]} of the study's network; expected its key")
    return found


def by_query(name: str, value: Tensor) -> Tensor:
    """Rows of qkv: theirs are channel by channel, ours query, key, value outermost."""
    if not re.search(r"(^|\.)qkv\.(weight|bias)$", name):
        return value
    return value.reshape(-1, 3, *value.shape[1:]).transpose(0, 1).reshape(value.shape)
