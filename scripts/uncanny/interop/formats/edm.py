"""EDM's DDPM++ and NCSN++ (Karras et al. 2022): weights of its `SongUNet` as safetensors."""

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from uncanny.diffusion import noise_range
from uncanny.interop import stated
from uncanny.interop.formats import _weights
from uncanny.registry import components
from uncanny.runtime import files

RULE = tuple[str, str | Callable]
ENDS: list[RULE] = [(r"\.?(weight|bias|alpha|gamma|beta)$", r".\1")]
WRAPPED = "model."  # prefix of names in EDM's preconditioned networks
FILTER = re.compile(r"\.resample_filter$")  # a constant of the network
COMMAND = "docs/external.md has the command that converts EDM's pickles"


def edm(
    identity: Mapping, shape: Sequence[int], expected: Mapping[str, Tensor], *, path: str
) -> dict[str, Tensor]:
    """Read weights of EDM's SongUNet as those of `song_unet`; docs/external.md has the key map.

    path: a safetensors file with EDM's names, with or without the prefix `model.`.
    """
    network, process = identity["network"], identity["process"]
    if network["kind"] != "song_unet":
        got = f"network {network['kind']!r}"
        raise ValueError(f"{path}: weights of EDM; expected network 'song_unet', got {got}")
    if process["kind"] != "continuous":
        got = f"process {process['kind']!r}"
        raise ValueError(f"{path}: weights of EDM; expected process 'continuous', got {got}")
    _check_kind(path)
    _check_settings(path, _weights.metadata(path).get("edm"), process)
    published = {n.removeprefix(WRAPPED): value for n, value in _weights.load(path).items()}
    filters = {name: published.pop(name) for name in list(published) if FILTER.search(name)}
    stems = [re.match(r"enc\.(\d+)x\d+_conv", name) for name in published]
    if not any(stems):
        raise ValueError(f"{path}: no enc.…_conv; expected weights of EDM's SongUNet")
    resolution = next(int(match[1]) for match in stems if match)
    if resolution != shape[1]:
        sizes = f"images of {resolution}×{resolution}; the study's dataset has {list(shape)}"
        raise ValueError(f"{path}: {sizes}")
    _check_filters(path, filters, network["resample_filter"])
    return convert(published, expected, rules(resolution, len(network["multipliers"])), path)


def _check_kind(path: str) -> None:
    """Reject files of another kind, such as EDM's own pickles."""
    _weights.check_file(path)
    content = files.describe(path)
    if "pickle" in content or "torch.save" in content:
        raise ValueError(f"{path}: {content}; expected safetensors: {COMMAND}")


def _check_settings(path: str, settings: str | None, process: Mapping) -> None:
    """Reject a network that was trained with another preconditioning than the study's.

    settings: JSON that the documented command stores, class and arguments of EDM's network. Without
    it the study's preconditioning is assumed, and the log says so. process: complete options, its
    range of noise levels known.
    """
    preconditioning = process["preconditioning"]
    if settings is None:
        print(f"{path}: no preconditioning recorded; assuming {preconditioning}", flush=True)
        return
    try:
        arguments = dict(json.loads(settings))
    except (ValueError, TypeError):
        raise ValueError(f"{path}: metadata edm {settings!r}; expected a JSON object") from None
    cls = arguments.get("class")
    kind, constants = stated.EDM_CLASSES.get(cls, (None, {}))
    if kind != preconditioning:
        names = (name for name, (kind, _) in stated.EDM_CLASSES.items() if kind == preconditioning)
        expected = next(names, "none of EDM's")
        got = f"class {cls!r}; the study's preconditioning {preconditioning!r} is {expected}"
        raise ValueError(f"{path}: {got}")
    defaults = inspect.signature(components.load("preconditioning", kind)).parameters
    ranged = noise_range.constants(process)
    supported = {name: ranged.get(own, defaults[own].default) for name, own in constants.items()}
    for name, value in ({"model_type": "SongUNet"} | supported).items():
        if name in arguments and not _same(arguments[name], value):
            raise ValueError(
                f"{path}: {name} {arguments[name]!r} is not supported; expected {value!r}"
            )


def _same(value: object, expected: object) -> bool:
    """Equal; numbers to rounding, as those that follow from a range are."""
    numbers = all(isinstance(v, int | float) for v in (value, expected))
    return math.isclose(value, expected, rel_tol=1e-6) if numbers else value == expected


def _check_filters(path: str, filters: Mapping[str, Tensor], taps: Sequence[float]) -> None:
    """Reject weights whose resampling filters are not the study's network's.

    taps: one-dimensional filter; the two-dimensional one is its normalised outer product.
    """
    row = torch.tensor(taps, dtype=torch.float32)
    expected = torch.outer(row, row) / row.sum() ** 2
    for name, value in filters.items():
        filter_2d = value.float().squeeze((0, 1))
        if filter_2d.shape != expected.shape or not torch.allclose(filter_2d, expected, atol=1e-3):
            got = f"{list(value.shape)} {[round(v, 4) for v in filter_2d.sum(0).tolist()]}"
            wanted = [round(v, 4) for v in expected.sum(0).tolist()]
            raise ValueError(
                f"{path}: {name} is {got}; expected {wanted}, the network's resample_filter {taps}"
            )


def rules(resolution: int, levels: int) -> list[RULE]:
    """The key map: patterns of pieces of EDM's names, and their replacements."""

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


def rename(name: str, rules: list[RULE]) -> str:
    """Replace piece by piece from the left, each time by the first rule whose pattern matches.

    Raises KeyError if none does.
    """
    result = ""
    while name:
        for pattern, target in rules:
            match = re.match(pattern, name)
            if match:
                result += target(match) if callable(target) else match.expand(target)
                name = name[match.end() :]
                break
        else:
            raise KeyError(f"no rule for {name!r} after {result!r}")
    return result


def convert(
    published: Mapping, expected: Mapping, rules: list[RULE], path: str
) -> dict[str, Tensor]:
    """Rename and reshape published tensors, each to exactly one of the expected ones.

    Raises ValueError with the keys that do not fit.
    """
    converted, extra, unlike = {}, {}, []
    for name, value in published.items():
        try:
            target = rename(name, rules)
        except (KeyError, ValueError):
            target = ""
        if target not in expected or target in converted:
            extra[name] = value
            continue
        converted[target], like = value, expected[target]
        if _weights.same_shape(value, like):
            converted[target] = by_query(name, value).reshape(like.shape)
        else:
            unlike.append(f"{name} {list(value.shape)}, expected {list(like.shape)}")
    missing = [
        f"{name} {list(like.shape)}" for name, like in expected.items() if name not in converted
    ]
    _weights.check_fit(path, missing=missing, extra=_weights.sized(extra), unlike=unlike)
    return converted


def by_query(name: str, value: Tensor) -> Tensor:
    """Reorder rows of qkv from (channel, query/key/value) to (query/key/value, channel)."""
    if not re.search(r"(^|\.)qkv\.(weight|bias)$", name):
        return value
    return value.reshape(-1, 3, *value.shape[1:]).transpose(0, 1).reshape(value.shape)
