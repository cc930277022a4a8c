"""A folder of diffusers: a UNet2DModel with its scheduler. Needs no diffusers."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from uncanny import files, safetensors, segments
from uncanny.externals import _unet2d

WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
CLOSE = 1e-4  # of ᾱ, relative: their betas are float32


def diffusers(identity: Mapping, shape: tuple[int, ...], *, path: str) -> dict[str, Tensor]:
    """The weights of a UNet2DModel as those of our `unet` or `diffusers_unet`.

    path: folder with unet/ and scheduler/, or with the files of both. shape: of an image of the
    dataset. Network and noise schedule of the model must be those of the folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"{path}: no such folder; expected one of diffusers")
    _check_schedule(_one_of(folder, "scheduler", ("scheduler_config.json",)), identity)
    config = _one_of(folder, "unet", ("config.json",))
    found = _block(config, shape, identity)
    weights = _one_of(folder, "unet", WEIGHTS)
    flipped = files.read_json(config).get("flip_sin_to_cos", True)
    return renamed(_read(weights), found, weights, sine_first=not flipped)


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


def _block(path: Path, shape: tuple[int, ...], identity: Mapping) -> dict:
    """Options of the folder's network, which are those of the model's."""
    config = files.read_json(path)
    size = config.get("sample_size") or shape[1]
    sizes = [config.get("in_channels", 3), *([size] * 2 if isinstance(size, int) else size)]
    if sizes != list(shape) or config.get("out_channels", 3) != shape[0]:
        found = f"images {sizes}, {config.get('out_channels', 3)} channels out"
        raise ValueError(f"{path}: {found}; the study's dataset has {list(shape)}")
    try:
        found = _unet2d.network_block(config, shape[1])
        ours = _unet2d.block_of(identity["network"], shape[1])
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from None
    if lost := {key: found[key] for key in found if found[key] != ours[key]}:
        said = ", ".join(f"{key} {ours[key]}" for key in lost)
        wanted = ", ".join(f"{key}: {value}" for key, value in found.items()).lower()
        raise ValueError(
            f"{path}: the study's network has {said}; expected {{kind: diffusers_unet, {wanted}}}"
        )
    if bool(config.get("num_class_embeds")) != identity["conditional"]:
        number = config.get("num_class_embeds")
        raise ValueError(f"{path}: {number or 'no'} classes; conditional says otherwise")
    return found


def renamed(
    weights: Mapping[str, Tensor], block: Mapping, path: Path, *, sine_first: bool = False
) -> dict[str, Tensor]:
    """Weights under our names, in the order of our axes. block: from `_unet2d.network_block`.

    sine_first: their embedding of the time has sines before cosines.
    """
    weights, known = _unet2d.modern(weights), _unet2d.modules(block)
    found = {}
    for name, like in _skeleton(block, weights, path).items():
        parts = _unet2d.theirs(name, known)
        if lost := [part for part in parts if part not in weights]:
            raise ValueError(f"{path}: no {lost[0]}; expected the key of {name}")
        value = torch.cat([weights.pop(part).float() for part in parts])
        value = value.T.contiguous() if name == "embedding.label.weight" else value
        if value.numel() != like.numel():
            sizes = f"{list(value.shape)}; expected {list(like.shape)}"
            raise ValueError(f"{path}: {parts[0]} has shape {sizes}")
        found[name] = value.reshape(like.shape)
    if weights:
        raise ValueError(f"{path}: {min(weights)} is no key of the network; expected none but its")
    if sine_first:
        sines, cosines = found["embedding.map0.weight"].chunk(2, dim=1)
        found["embedding.map0.weight"] = torch.cat([cosines, sines], dim=1)
    return found


def _skeleton(block: Mapping, weights: Mapping, path: Path) -> dict[str, Tensor]:
    """Our network's state without numbers."""
    from uncanny.networks.diffusers_unet import diffusers_unet

    if "conv_in.weight" not in weights:
        raise ValueError(f"{path}: no conv_in.weight; expected a UNet2DModel")
    classes = weights.get("class_embedding.weight", torch.empty(0)).shape[0]
    resolution = max([*block["attention"], 1]) * 2 ** len(block["multipliers"])
    channels = weights["conv_in.weight"].shape[1]
    with torch.device("meta"):
        shape = (channels, resolution, resolution)
        return diffusers_unet(shape, classes, **block).state_dict()


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
    far = ((ours - theirs).abs() > CLOSE * theirs.clamp(min=1e-6)).nonzero()
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
    from uncanny import schedules

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
