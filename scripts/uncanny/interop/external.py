"""Models that were trained elsewhere: their weights become a checkpoint like any other; ours become
a folder that others can read.
"""

import importlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from uncanny.datasets import Dataset
from uncanny.interop.formats import _unet2d
from uncanny.networks import building
from uncanny.runtime import checkpoints, files

PRECISIONS = ("float32", "float16", "bfloat16", "float64")
INDEX = {  # of a DDPMPipeline
    "_class_name": "DDPMPipeline",
    "scheduler": ["diffusers", "DDPMScheduler"],
    "unet": ["diffusers", "UNet2DModel"],
}


def run(*, identity, seed, epoch, dataset, checkpoint, history) -> None:
    """Write the checkpoint of an external model, its weights in float32, and its record, which says
    in what precision they were.

    identity: with `external`, what reads the weights. dataset: prepared folder of the dataset that
    the model is compared on. Raises ValueError that names the file and what does not fit.
    """
    data, kind = Dataset.open(dataset), identity["external"]["kind"]
    read = getattr(importlib.import_module(f"uncanny.interop.formats.{kind}"), kind)
    with torch.random.fork_rng(devices=[]):
        ours = building.build_network(identity, data.shape, data.num_classes).state_dict()
    path = identity["external"]["path"]
    weights, precision = in_float32(read(identity, data.shape, ours, path=path), path)
    facts = {
        **{"identity": identity, "seed": seed, "epoch": epoch, "status": "ok"},
        **{"shape": list(data.shape), "num_classes": data.num_classes},
        "derived": building.build_family(identity).derive(data),
        **{"step": 0, "images_seen": None, "history": []},
    }
    checkpoints.save(checkpoint, facts | {"average": weights})
    said = ("identity", "seed", "derived", "epoch", "status", "step", "history")
    record = {key: facts[key] for key in said} | {"weights": weights_id(weights)}
    record["weights_read_as"] = precision
    files.write_json(history, record | {"timing": {}})


def in_float32(weights: Mapping[str, Tensor], path: str) -> tuple[dict[str, Tensor], dict]:
    """Weights in the precision of our networks, and how many tensors were in which.

    Raises ValueError that names the file where there are other numbers than floating-point ones, or
    such that are not finite.
    """
    precision = Counter(str(value.dtype).removeprefix("torch.") for value in weights.values())
    if other := sorted(set(precision) - set(PRECISIONS)):
        raise ValueError(f"{path}: weights of {other[0]}; expected {', '.join(PRECISIONS)}")
    found = {name: value.float() for name, value in weights.items()}
    for name, value in found.items():
        if not value.isfinite().all():
            raise ValueError(f"{path}: values for {name} are not finite; expected numbers")
    if set(precision) != {"float32"}:
        counts = ", ".join(f"{n} tensors of {kind}" for kind, n in sorted(precision.items()))
        print(f"{path}: {counts}; taken as float32", flush=True)
    return found, dict(precision)


def weights_id(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and numbers."""
    return checkpoints.digest(dict(weights))


# ---- Export ---------------------------------------------------------------------------------


def export(*, checkpoint, identity, seed, index, unet, config, scheduler) -> None:
    """Write a discrete model's averaged network as a folder of diffusers: index, weights and config
    of the UNet2DModel, config of the scheduler.

    Raises ValueError that names the checkpoint where diffusers has no such network or process.
    """
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{checkpoint}: the model diverged: {state['reason']}")
    if identity["process"]["kind"] != "discrete":
        kind = identity["process"]["kind"]
        raise ValueError(f"{checkpoint}: a {kind} process; diffusers takes discrete ones")
    try:
        block = _unet2d.block_of(identity["network"], state["shape"][1])
    except ValueError as error:
        raise ValueError(f"{checkpoint}: {error}; else diffusers has no such network") from None
    classes = state["num_classes"] if identity["conditional"] else 0
    dropout = identity["network"]["dropout"]
    made = _unet2d.config_of(block, tuple(state["shape"]), classes, dropout)
    with files.replacing(unet) as temporary:
        weights = exported(state["average"], _unet2d.modules(block))
        temporary.write_bytes(safetensors.torch.save(weights, {"format": "pt"}))
    _write(config, made)
    _write(scheduler, scheduler_config(building.build_family(identity).alphas_cumprod))
    _write(index, INDEX)


def exported(weights: Mapping[str, Tensor], known: Mapping[str, str]) -> dict[str, Tensor]:
    """Our weights under the names of a UNet2DModel. known: from `_unet2d.modules`."""
    found = {}
    for name, value in weights.items():
        names = _unet2d.theirs(name, known)
        value = value.T if name == "embedding.label.weight" else value
        if ".attention." in name and value.ndim == 4:  # convolutions of one pixel
            value = value.flatten(1)
        parts = value.chunk(len(names))
        found |= {
            n: part.float().clone(memory_format=torch.contiguous_format)
            for n, part in zip(names, parts, strict=True)
        }
    return found


def scheduler_config(alphas_cumprod: Tensor) -> dict:
    """A DDPMScheduler's scheduler_config.json with these noise levels, float64 [T]."""
    before = torch.cat([torch.ones(1, dtype=torch.float64), alphas_cumprod[:-1]])
    return {
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": len(alphas_cumprod),
        "trained_betas": (1 - alphas_cumprod / before).tolist(),
        **{"prediction_type": "epsilon", "clip_sample": True, "variance_type": "fixed_small"},
    }


def _write(path: Path | str, value: dict) -> None:
    files.write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")
