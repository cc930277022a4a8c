"""A folder of diffusers: a UNet2DModel with its scheduler. Needs no diffusers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from uncanny import files, safetensors, schedules, segments
from uncanny.externals import _unet2d, same_shape

WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
CLOSE = 1e-3  # of ᾱ and 1 - ᾱ, relative: their betas may be float32


def diffusers(
    identity: Mapping, shape: Sequence[int], ours: Mapping[str, Tensor], *, path: str
) -> dict[str, Tensor]:
    """The weights of a UNet2DModel as those of our `unet` or `diffusers_unet`.

    path: folder with unet/ and scheduler/, or with the files of both. Network and noise schedule of
    the model must be those of the folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"{path}: no such folder; expected one of diffusers")
    _check_schedule(_one_of(folder, "scheduler", ("scheduler_config.json",)), identity)
    place = _one_of(folder, "unet", ("config.json",))
    config, weights = files.read_json(place), _one_of(folder, "unet", WEIGHTS)
    _check_network(place, config, identity["network"], shape)
    known = _unet2d.modules(identity["network"])
    found = renamed(_read(weights), ours, known, weights)
    if not config.get("flip_sin_to_cos", True):  # sines before cosines
        sines, cosines = found["embedding.map0.weight"].chunk(2, dim=1)
        found["embedding.map0.weight"] = torch.cat([cosines, sines], dim=1)
    return found


def _one_of(folder: Path, part: str, names: tuple[str, ...]) -> Path:
    places = [place / name for place in (folder / part, folder) for name in names]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ValueError(f"{places[0]}: no such file; expected a folder of diffusers")
    return found


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return safetensors.load(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # readers of broken files raise what they like
        raise ValueError(f"{path}: not a file of weights ({error})") from None


def _check_network(path: Path, config: Mapping, network: Mapping, shape: Sequence[int]) -> None:
    """ValueError where the folder's network is not the model's, or was made for other images."""
    size, channels = config.get("sample_size") or shape[1], config.get("in_channels", 3)
    found = [channels, *([size, size] if isinstance(size, int) else size)]
    if found != list(shape):
        raise ValueError(f"{path}: images {found}; the study's dataset has {list(shape)}")
    if config.get("out_channels", 3) != channels:
        outputs = config.get("out_channels", 3)
        raise ValueError(f"{path}: out_channels {outputs} is not supported; expected {channels}")
    try:
        theirs = _unet2d.network_block(config, shape[1])
        mine = _unet2d.block_of(network, shape[1])
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from None
    if lost := [key for key in theirs if theirs[key] != mine[key]]:
        said = ", ".join(f"{key} {mine[key]}" for key in lost)
        wanted = ", ".join(f"{key}: {json.dumps(value)}" for key, value in theirs.items())
        raise ValueError(
            f"{path}: the study's network has {said}; expected {{kind: diffusers_unet, {wanted}}}"
        )


def renamed(
    weights: Mapping[str, Tensor], ours: Mapping[str, Tensor], known: Mapping, path: Path
) -> dict[str, Tensor]:
    """Weights under our names, in the order of our axes. known: from `_unet2d.modules`."""
    weights, found = _unet2d.modern(weights), {}
    for name, like in ours.items():
        parts = _unet2d.theirs(name, known)
        if lost := [part for part in parts if part not in weights]:
            raise ValueError(f"{path}: no {lost[0]}; expected the key of {name}")
        value = torch.cat([weights.pop(part).float() for part in parts])
        value = value.T.contiguous() if name == "embedding.label.weight" else value
        if not same_shape(value, like):
            sizes = f"{list(value.shape)}; expected {list(like.shape)}"
            raise ValueError(f"{path}: {parts[0]} has shape {sizes}")
        found[name] = value.reshape(like.shape)
    if weights:
        raise ValueError(f"{path}: {min(weights)} has no place in the study's network")
    return found


def _check_schedule(path: Path, identity: Mapping) -> None:
    """ValueError where the folder's noise is not the model's."""
    config = files.read_json(path)
    predicts = config.get("prediction_type", "epsilon")
    if predicts != "epsilon":
        raise ValueError(f"{path}: prediction_type {predicts!r} is not supported; expected epsilon")
    if identity["process"]["kind"] != "discrete":
        kind = identity["process"]["kind"]
        raise ValueError(f"{path}: a discrete process; the study's is {kind!r}")
    theirs = (1 - _betas(config, path)).cumprod(0)
    ours = segments.build_family(identity).alphas_cumprod
    if len(ours) != len(theirs):
        raise ValueError(f"{path}: {len(theirs)} noise levels; the study's process has {len(ours)}")
    least = torch.minimum(theirs, 1 - theirs).clamp(min=1e-6)
    far = ((ours - theirs).abs() > CLOSE * least).nonzero()
    if len(far):
        t, schedule = int(far[0]), identity["schedule"]["kind"]
        raise ValueError(
            f"{path}: signal ᾱ is {theirs[t]:.6g} at level {t}; the study's schedule {schedule!r} "
            f"has {ours[t]:.6g}"
        )


def _betas(config: Mapping, path: Path) -> Tensor:
    """float64 [T], as diffusers' schedulers make them."""
    if config.get("rescale_betas_zero_snr"):
        raise ValueError(f"{path}: rescale_betas_zero_snr is not supported; expected false")
    if config.get("trained_betas") is not None:
        return torch.tensor(config["trained_betas"], dtype=torch.float64)
    levels, name = config.get("num_train_timesteps", 1000), config.get("beta_schedule", "linear")
    low, high = config.get("beta_start", 0.0001), config.get("beta_end", 0.02)
    made = {
        "linear": lambda: torch.linspace(low, high, levels, dtype=torch.float64),
        "scaled_linear": lambda: (
            torch.linspace(low**0.5, high**0.5, levels, dtype=torch.float64) ** 2
        ),
        "squaredcos_cap_v2": lambda: schedules.cosine(levels),
        "sigmoid": lambda: schedules.sigmoid_beta(levels, beta_start=low, beta_end=high),
    }
    if name not in made:
        known = ", ".join(made)
        raise ValueError(f"{path}: beta_schedule {name!r} is not supported; expected {known}")
    return made[name]()
