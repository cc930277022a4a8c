"""How well a checkpoint denoises at single noise levels, and how far it is from the best denoiser.

All checkpoints of a study are measured on the same images with the same noise, at every level: what
differs is the model.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from uncanny.datasets import Dataset, to_model
from uncanny.diffusion.theory.mixtures import Mixture
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import generator
from uncanny.sampling import drawing

Denoiser = Callable[[Tensor, float], Tensor]  # x [N, ...], sigma -> clean images [N, ...]


@dataclass(frozen=True)
class Shown:
    """Held-out images x0 and standard normal noise, float64 [N, ...]; labels one-hot or None."""

    x0: Tensor
    noise: Tensor
    labels: Tensor | None


def run(*, checkpoint, best, identity, seed, dataset, options, names, output, threads) -> None:
    """Measure a checkpoint and write the record.

    best: checkpoint that stands for the best denoiser where that is not known. dataset: prepared
    folder. options: {"split", "items", "levels", "sigma_min", "sigma_max"}; the range is cut to
    what the network supports. names: {"model", "dataset"} of the study, for the record.
    """
    device = hardware.device(threads)
    state, model = _opened(checkpoint, identity, seed, device)
    data = Dataset.open(dataset)
    shown = chosen(data, options["split"], options["items"], model)
    ideal, against = _ideal(data, best, identity, seed, shown.labels, device)
    sigma = levels(model, options)
    found = measure(_bound(model, shown.labels), ideal, shown, sigma, model.batch_size)
    files.write_json(
        output,
        {
            **names,
            **{"seed": seed, "epoch": state["epoch"], "step": state["step"], "against": against},
            **{"levels": model.family.levels, "weight": model.family.weight.__name__},
            **{"dim": int(np.prod(model.shape)), "n": len(shown.x0), "split": options["split"]},
            **{"second_moment": float((shown.x0**2).flatten(1).sum(dim=1).mean())},
            "sigma": sigma.tolist(),
            **{name: values.tolist() for name, values in found.items()},
        },
    )


def _opened(path, identity: dict, seed: int, device: torch.device) -> tuple:
    """State and model of a checkpoint; ValueError for one that diverged or has no denoiser."""
    state = checkpoints.load(path, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{path}: the model diverged: {state['reason']}")
    model = drawing.Trained.of(state, device)
    if not hasattr(model.family, "preconditioning"):
        kind = identity["process"]["kind"]
        raise ValueError(f"{path}: a {kind} model; losses by noise level need a continuous one")
    return state, model


def levels(model: drawing.Trained, options: dict) -> np.ndarray:
    """Noise levels [M], even in ln sigma, rising, within what the network supports."""
    supported = model.family.preconditioning
    low = max(options["sigma_min"], supported.sigma_min)
    return np.geomspace(low, min(options["sigma_max"], supported.sigma_max), options["levels"])


def chosen(data: Dataset, split: str, items: int, model: drawing.Trained) -> Shown:
    """Images of a split chosen at random, as many as there are at most, and their noise."""
    images, labels = data.splits[split].images, data.splits[split].labels
    rows = torch.randperm(len(images), generator=generator("losses", "rows"))[:items].numpy()
    x0 = to_model(images[rows]).double()
    noise = torch.randn(x0.shape, generator=generator("losses", "noise"), dtype=torch.float64)
    shown = None
    if model.conditional:
        shown = torch.nn.functional.one_hot(torch.from_numpy(labels[rows]), model.num_classes)
    device = model.device
    return Shown(x0.to(device), noise.to(device), None if shown is None else shown.to(device))


def _bound(model: drawing.Trained, labels: Tensor | None) -> Callable[[slice], Denoiser]:
    """What denoises the rows of a slice."""
    return lambda rows: model.family.bind(model.network, None if labels is None else labels[rows])


def _ideal(data: Dataset, best, identity: dict, seed: int, labels, device) -> tuple:
    """The best denoiser and its name: exact for a known mixture, else another checkpoint."""
    parameters = data.parameters
    if "means" in parameters:
        means = parameters["means"]
        mixture = Mixture(means, np.ones(len(means)), parameters["mode_std"])
        return (lambda rows: _exact(mixture)), "exact denoiser"
    state, model = _opened(best, identity, seed, device)
    return _bound(model, labels), f"epoch {state['epoch']}"


def _exact(mixture: Mixture) -> Denoiser:
    def denoise(x: Tensor, sigma: float) -> Tensor:
        score = mixture.score(x.cpu().numpy(), sigma**2)
        return x + sigma**2 * torch.from_numpy(score).to(x.device)

    return denoise


@torch.no_grad()
def measure(
    model: Callable[[slice], Denoiser],
    ideal: Callable[[slice], Denoiser],
    shown: Shown,
    sigma: np.ndarray,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """At each noise level [M], summed over dimensions, means over the images: loss E||D - x0||^2
    with its standard error loss_se, mmse E||D* - x0||^2, distance E||D - D*||^2.
    """
    parts = [slice(start, start + batch_size) for start in range(0, len(shown.x0), batch_size)]
    found = np.concatenate([_of_batch(model(p), ideal(p), shown, p, sigma) for p in parts], axis=2)
    loss, mmse, distance = found  # [M, N] each
    return {
        "loss": loss.mean(axis=1),
        "loss_se": loss.std(axis=1, ddof=1) / np.sqrt(loss.shape[1]),
        "mmse": mmse.mean(axis=1),
        "distance": distance.mean(axis=1),
    }


def _of_batch(model, ideal, shown: Shown, rows: slice, sigma: np.ndarray) -> np.ndarray:
    """Squared errors [3, M, n] of a batch."""
    x0, noise = shown.x0[rows], shown.noise[rows]
    columns = []
    for level in sigma.tolist():
        x = x0 + level * noise
        denoised, best = model(x, level), ideal(x, level)
        errors = (denoised - x0, best - x0, denoised - best)
        columns.append(torch.stack([(e**2).flatten(1).sum(dim=1) for e in errors]).cpu())
    return torch.stack(columns, dim=1).numpy()
