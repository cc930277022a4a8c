"""What files of weights state about their model: process, noise schedule and network, as blocks of
a config. No torch here: the Snakefile imports this.
"""

import json
from pathlib import Path

from uncanny.interop.formats import _folder, _scheduler, _unet2d

# EDM's classes: the kind of preconditioning, and their constants → this library's names of them.
EDM_CLASSES = {
    "VPPrecond": ("vp", {n: n for n in ("beta_d", "beta_min", "epsilon_t")} | {"M": "num_levels"}),
    "VEPrecond": ("ve", {n: n for n in ("sigma_min", "sigma_max")}),
    "EDMPrecond": ("edm", {"sigma_data": "sigma_data"}),
}
# Arguments of EDM's SongUNet → options of `song_unet`, and EDM's defaults
SONG_UNET = {
    "model_channels": ("width", 128),
    "channel_mult": ("multipliers", [1, 2, 2, 2]),
    "num_blocks": ("blocks", 4),
    "attn_resolutions": ("attention", [16]),
    "dropout": ("dropout", 0.1),
    "embedding_type": ("embedding", "positional"),
    "encoder_type": ("encoder", "standard"),
    "resample_filter": ("resample_filter", [1, 1]),
    "augment_dim": ("augment_dim", 0),
}
NOISE_CHANNELS = {"positional": 1, "fourier": 2}  # channel_mult_noise that `song_unet` has


def diffusers(path: str) -> dict:
    """Blocks of a diffusers folder: process, schedule, network, and whether it is conditional."""
    folder = _folder.of(path)
    _folder.check_pipeline(folder)
    scheduler = _scheduler.read(_folder.scheduler(folder))
    config_path = _folder.network(folder)
    config = _unet2d.read(config_path)
    size = config["sample_size"]
    resolution = size[0] if isinstance(size, list) else size
    if resolution is None:
        raise ValueError(f"{config_path}: sample_size null; expected the number of pixels")
    try:
        network = {"kind": "diffusers_unet"} | _unet2d.network_block(config, resolution)
    except ValueError as error:
        raise ValueError(f"{config_path}: {error}") from None
    return {
        "process": _scheduler.process_block(scheduler),
        "schedule": _scheduler.schedule_block(scheduler),
        "network": network,
        "conditional": config["num_class_embeds"] is not None,
    }


def edm(path: str) -> dict:
    """The same of a safetensors file with EDM's names, from the arguments that it records."""
    arguments = _arguments(path)
    if arguments.get("class") not in list(EDM_CLASSES):
        raise ValueError(
            f"{path}: records class {arguments.get('class')!r}; expected one of "
            f"{', '.join(EDM_CLASSES)}, stored by the command of docs/external.md"
        )
    kind, _ = EDM_CLASSES[arguments["class"]]
    network = {own: arguments.get(name, default) for name, (own, default) in SONG_UNET.items()}
    fixed = {"model_type": "SongUNet", "channel_mult_emb": 4, "decoder_type": "standard"}
    fixed["channel_mult_noise"] = NOISE_CHANNELS.get(str(network["embedding"]))
    for name, value in fixed.items():
        if arguments.get(name, value) != value:
            got = f"{name} {arguments[name]!r}"
            raise ValueError(f"{path}: {got} is not supported; expected {value!r}")
    ends = {n: arguments[n] for n in ("sigma_min", "sigma_max") if kind == "ve" and n in arguments}
    return {
        "process": {"kind": "continuous", "preconditioning": kind} | ends,
        "network": {"kind": "song_unet"} | network,
        "conditional": bool(arguments.get("label_dim")),
    }


def _arguments(path: str) -> dict:
    """Class and arguments of EDM's network in the metadata of a safetensors file, which starts with
    8 bytes that hold the length of its JSON header.
    """
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, 10**8)))
        return dict(json.loads(header.get("__metadata__", {}).get("edm", "{}")))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected weights of EDM as safetensors") from None
    except (OSError, ValueError, TypeError, AttributeError):
        raise ValueError(
            f"{path}: not a safetensors file with the arguments of EDM's network; docs/external.md "
            "has the command that makes one"
        ) from None


# Kinds of external weights whose files state what they are
KINDS = {"diffusers": diffusers, "edm": edm}
