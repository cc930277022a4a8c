"""DDPM++ and NCSN++ of EDM (Karras et al. 2022): weights of its `SongUNet` as safetensors."""

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from uncanny.interop.formats import _weights
from uncanny.registry import components
from uncanny.runtime import files

RULE = tuple[str, str | Callable]
ENDS: list[RULE] = [(r"\.?(weight|bias|alpha|gamma|beta)$", r".\1")]
WRAPPED = "model."  # what a preconditioned network of EDM puts before its names
FILTER = re.compile(r"\.resample_filter$")  # a constant of the network
# Preconditionings of EDM, and the constants of ours under the names that they have there.
CLASSES = {
    "VPPrecond": ("vp", {n: n for n in ("beta_d", "beta_min", "epsilon_t")} | {"M": "num_levels"}),
    "VEPrecond": ("ve", {n: n for n in ("sigma_min", "sigma_max")}),
    "EDMPrecond": ("edm", {"sigma_data": "sigma_data"}),
}
COMMAND = "docs/external.md has the command that makes it of EDM's pickles"


def edm(
    identity: Mapping, shape: Sequence[int], ours: Mapping[str, Tensor], *, path: str
) -> dict[str, Tensor]:
    """The weights of EDM's networks as those of our `song_unet`; docs/external.md has the key map.

    path: a file of safetensors with the names of EDM, with or without `model.` before them.
    """
    network, process = identity["network"], identity["process"]
    if network["kind"] != "song_unet":
        raise ValueError(f"{path}: weights of EDM; network {network['kind']!r} is not song_unet")
    if process["kind"] != "continuous":
        raise ValueError(f"{path}: weights of EDM; process {process['kind']!r} is not continuous")
    _check_kind(path)
    _check_settings(path, _weights.metadata(path).get("edm"), process["preconditioning"])
    published = {n.removeprefix(WRAPPED): value for n, value in _weights.load(path).items()}
    filters = {name: published.pop(name) for name in list(published) if FILTER.search(name)}
    stems = [re.match(r"enc\.(\d+)x\d+_conv", name) for name in published]
    if not any(stems):
        raise ValueError(f"{path}: no enc.…_conv; expected weights of EDM's SongUNet")
    resolution = next(int(found[1]) for found in stems if found)
    if resolution != shape[1]:
        sizes = f"images of {resolution}×{resolution}; the study's dataset has {list(shape)}"
        raise ValueError(f"{path}: {sizes}")
    _check_filters(path, filters, network["resample_filter"])
    return fitted(published, ours, rules(resolution, len(network["multipliers"])), path)


def _check_kind(path: str) -> None:
    """ValueError where the file is of another kind, as EDM's own pickles are."""
    _weights.check_file(path)
    found = files.describe(path)
    if "pickle" in found or "torch.save" in found:
        raise ValueError(f"{path}: {found}; expected safetensors: {COMMAND}")


def _check_settings(path: str, settings: str | None, preconditioning: str) -> None:
    """ValueError where the network was trained with another preconditioning than the study says.

    settings: what the documented command stores, class and arguments of EDM's network in JSON; a
    file without it is taken at the study's word, and the job says so.
    """
    if settings is None:
        print(f"{path}: does not say its preconditioning; taken as {preconditioning}", flush=True)
        return
    try:
        found = dict(json.loads(settings))
    except (ValueError, TypeError):
        raise ValueError(f"{path}: metadata edm {settings!r}; expected an object of JSON") from None
    named = found.get("class")
    kind, constants = CLASSES.get(named, (None, {}))
    if kind != preconditioning:
        wanted = next(name for name, (kind, _) in CLASSES.items() if kind == preconditioning)
        said = f"class {named!r}; the study's preconditioning {preconditioning!r} is {wanted}"
        raise ValueError(f"{path}: {said}")
    defaults = inspect.signature(components.load("preconditioning", kind)).parameters
    known = {name: defaults[mine].default for name, mine in constants.items()}
    for name, value in ({"model_type": "SongUNet"} | known).items():
        if name in found and found[name] != value:
            raise ValueError(f"{path}: {name} {found[name]!r} is not supported; expected {value!r}")


def _check_filters(path: str, filters: Mapping[str, Tensor], taps: Sequence[float]) -> None:
    """ValueError where images are resampled by another filter than the study's network has."""
    row = torch.tensor(taps, dtype=torch.float32)
    wanted = torch.outer(row, row) / row.sum() ** 2
    for name, value in filters.items():
        found = value.float().squeeze((0, 1))
        if found.shape != wanted.shape or not torch.allclose(found, wanted, atol=1e-3):
            theirs = f"{list(value.shape)} {[round(v, 4) for v in found.sum(0).tolist()]}"
            ours = [round(v, 4) for v in wanted.sum(0).tolist()]
            raise ValueError(
                f"{path}: {name} is {theirs}; expected {ours}, the network's resample_filter {taps}"
            )


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
    """Each of their tensors as exactly one of ours; ValueError with the keys that do not fit."""
    found, extra, unlike = {}, {}, []
    for name, value in published.items():
        try:
            target = renamed(name, known)
        except (KeyError, ValueError):
            target = ""
        if target not in ours or target in found:
            extra[name] = value
            continue
        found[target], like = value, ours[target]
        if _weights.same_shape(value, like):
            found[target] = by_query(name, value).reshape(like.shape)
        else:
            unlike.append(f"{name} {list(value.shape)}, expected {list(like.shape)}")
    missing = [f"{name} {list(like.shape)}" for name, like in ours.items() if name not in found]
    _weights.check_fit(path, missing=missing, extra=_weights.sized(extra), unlike=unlike)
    return found


def by_query(name: str, value: Tensor) -> Tensor:
    """Rows of qkv: theirs are channel by channel, ours query, key, value outermost."""
    if not re.search(r"(^|\.)qkv\.(weight|bias)$", name):
        return value
    return value.reshape(-1, 3, *value.shape[1:]).transpose(0, 1).reshape(value.shape)
