"""Import external models as checkpoints; export checkpoints for diffusers."""

import importlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from uncanny.datasets import Dataset
from uncanny.interop.formats import _scheduler, _unet2d
from uncanny.networks import building
from uncanny.runtime import checkpoints, files

PRECISIONS = ("float32", "float16", "bfloat16", "float64")
INDEX = {  # of a DDPMPipeline
    "_class_name": "DDPMPipeline",
    "scheduler": ["diffusers", "DDPMScheduler"],
    "unet": ["diffusers", "UNet2DModel"],
}


def run(*, identity, seed, epoch, dataset, checkpoint, history) -> None:
    """Write the checkpoint of an external model, with weights in float32, and its record, with the
    precision of the original weights.

    identity: has the block `external`, the format and path of the weights. dataset: folder of the
    prepared dataset on which the model is evaluated. Raises ValueError that names the file and what
    does not fit.
    """
    data, kind = Dataset.open(dataset), identity["external"]["kind"]
    read = getattr(importlib.import_module(f"uncanny.interop.formats.{kind}"), kind)
    with torch.random.fork_rng(devices=[]):
        expected = building.build_network(identity, data.shape, data.num_classes).state_dict()
    path = identity["external"]["path"]
    derived = building.build_family(identity).derive(data)
    known = identity | {"process": identity["process"] | derived}
    weights, precision = in_float32(read(known, data.shape, expected, path=path), path)
    facts = {
        "identity": identity,
        "seed": seed,
        "epoch": epoch,
        "status": "ok",
        "shape": list(data.shape),
        "num_classes": data.num_classes,
        "derived": derived,
        "step": 0,
        "images_seen": None,
        "history": [],
    }
    checkpoints.save(checkpoint, facts | {"average": weights})
    recorded = ("identity", "seed", "derived", "epoch", "status", "step", "history")
    record = {key: facts[key] for key in recorded} | {"weights": weights_id(weights)}
    record["weights_read_as"] = precision
    files.write_json(history, record | {"timing": {}})


def in_float32(weights: Mapping[str, Tensor], path: str) -> tuple[dict[str, Tensor], dict]:
    """Convert weights to float32; also the number of tensors by original precision.

    Raises ValueError that names the file for tensors of another kind than floating point, and for
    values that are not finite.
    """
    precision = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in weights.values())
    if unsupported := sorted(set(precision) - set(PRECISIONS)):
        raise ValueError(f"{path}: weights of {unsupported[0]}; expected {', '.join(PRECISIONS)}")
    converted = {name: tensor.float() for name, tensor in weights.items()}
    for name, tensor in converted.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{path}: {name} has NaN or infinite values; expected finite numbers")
    if set(precision) != {"float32"}:
        counts = ", ".join(f"{n} tensors of {kind}" for kind, n in sorted(precision.items()))
        print(f"{path}: {counts}; converted to float32", flush=True)
    return converted, dict(precision)


def weights_id(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names and values of weights."""
    return checkpoints.digest(dict(weights))


# ---- Export ---------------------------------------------------------------------------------


def export(*, checkpoint, identity, seed, index, unet, config, scheduler) -> None:
    """Write a discrete model's averaged network as a diffusers folder: index, weights and config of
    the UNet2DModel, config of the scheduler.

    Raises ValueError that names the checkpoint if diffusers has no such network or process.
    """
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{checkpoint}: the model diverged: {state['reason']}")
    if identity["process"]["kind"] != "discrete":
        kind = identity["process"]["kind"]
        raise ValueError(f"{checkpoint}: a {kind} process; expected a discrete one for diffusers")
    if (own := identity["process"].get("variance", "fixed")) != "fixed":
        raise ValueError(f"{checkpoint}: variance {own}; expected fixed for diffusers")
    try:
        block = _unet2d.block_of(identity["network"], state["shape"][1])
    except ValueError as error:
        raise ValueError(f"{checkpoint}: {error}; required by diffusers") from None
    classes = state["num_classes"] if identity["conditional"] else 0
    dropout = identity["network"]["dropout"]
    unet_config = _unet2d.config_of(block, tuple(state["shape"]), classes, dropout)
    with files.replacing(unet) as temporary:
        weights = to_diffusers(state["average"], _unet2d.modules(block))
        temporary.write_bytes(safetensors.torch.save(weights, {"format": "pt"}))
    _write(config, unet_config)
    family = building.build_family(identity)
    _write(scheduler, scheduler_config(family.alphas_cumprod, family.prediction))
    _write(index, INDEX)


def to_diffusers(weights: Mapping[str, Tensor], modules: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights of a `unet` under the names of a UNet2DModel. modules: from `_unet2d.modules`."""
    converted = {}
    for name, tensor in weights.items():
        names = _unet2d.diffusers_names(name, modules)
        tensor = tensor.T if name == "embedding.label.weight" else tensor
        if ".attention." in name and tensor.ndim == 4:  # 1×1 convolutions are linear layers there
            tensor = tensor.flatten(1)
        chunks = tensor.chunk(len(names))
        converted |= {
            key: chunk.float().clone(memory_format=torch.contiguous_format)
            for key, chunk in zip(names, chunks, strict=True)
        }
    return converted


def scheduler_config(alphas_cumprod: Tensor, prediction: str) -> dict:
    """scheduler_config.json of a DDPMScheduler with ᾱ of each level, float64 [T], and what the
    network predicts.
    """
    names = {own: name for name, own in _scheduler.PREDICTIONS.items()}
    # β_t = 1 - ᾱ_t / ᾱ_(t-1), with ᾱ before the first level = 1
    previous = torch.cat([torch.ones(1, dtype=torch.float64), alphas_cumprod[:-1]])
    return {
        "_class_name": "DDPMScheduler",
        "num_train_timesteps": len(alphas_cumprod),
        "trained_betas": (1 - alphas_cumprod / previous).tolist(),
        "prediction_type": names[prediction],
        "clip_sample": True,
        "variance_type": "fixed_small",
    }


def _write(path: Path | str, value: dict) -> None:
    files.write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")
