"""Denoising losses of a checkpoint at single noise levels, and its distance to the best denoiser.

All checkpoints of a study are measured on the same images with the same noise, at every level: only
the model differs.
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
class HeldOut:
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
    state, model = _load(checkpoint, identity, seed, device)
    data = Dataset.open(dataset)
    held_out = chosen(data, options["split"], options["items"], model)
    ideal, against = _ideal(data, best, identity, seed, held_out.labels, device)
    sigma = levels(model, options)
    losses = measure(_bound(model, held_out.labels), ideal, held_out, sigma, model.batch_size)
    record = names | {
        "seed": seed,
        "epoch": state["epoch"],
        "step": state["step"],
        "against": against,
        "levels": model.family.levels,
        "weight": model.family.weight.__name__,
        "dim": int(np.prod(model.shape)),
        "n": len(held_out.x0),
        "split": options["split"],
        # E‖x0‖², the loss of D = 0: the scale of the losses
        "second_moment": float((held_out.x0**2).flatten(1).sum(dim=1).mean()),
        "sigma": sigma.tolist(),
    }
    files.write_json(output, record | {name: array.tolist() for name, array in losses.items()})


def _load(path, identity: dict, seed: int, device: torch.device) -> tuple:
    """State and model of a checkpoint; ValueError for one that diverged or has no denoiser."""
    state = checkpoints.load(path, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{path}: the model diverged: {state['reason']}")
    model = drawing.Trained.of(state, device)
    # Discrete processes have steps and no denoiser D(x; σ) for any σ.
    if not hasattr(model.family, "preconditioning"):
        kind = identity["process"]["kind"]
        raise ValueError(f"{path}: a {kind} model; losses by noise level need a continuous one")
    return state, model


def levels(model: drawing.Trained, options: dict) -> np.ndarray:
    """Noise levels [M], even in ln sigma, rising, within what the network supports."""
    supported = model.family.preconditioning
    # Even in ln σ, as the losses change by orders of magnitude
    low = max(options["sigma_min"], supported.sigma_min)
    return np.geomspace(low, min(options["sigma_max"], supported.sigma_max), options["levels"])


def chosen(data: Dataset, split: str, items: int, model: drawing.Trained) -> HeldOut:
    """Random images of a split, at most as many as it has, and their noise."""
    # Keys without seed or epoch: the same images and noise for every checkpoint
    images, labels = data.splits[split].images, data.splits[split].labels
    rows = torch.randperm(len(images), generator=generator("losses", "rows"))[:items].numpy()
    x0 = to_model(images[rows]).double()
    noise = torch.randn(x0.shape, generator=generator("losses", "noise"), dtype=torch.float64)
    one_hot = None
    if model.conditional:
        one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels[rows]), model.num_classes)
        one_hot = one_hot.to(model.device)
    return HeldOut(x0.to(model.device), noise.to(model.device), one_hot)


def _bound(model: drawing.Trained, labels: Tensor | None) -> Callable[[slice], Denoiser]:
    """Denoiser for the rows of a slice, conditioned on their labels."""
    return lambda rows: model.family.bind(model.network, None if labels is None else labels[rows])


def _ideal(data: Dataset, best, identity: dict, seed: int, labels, device) -> tuple:
    """The best denoiser and its name: exact for a known mixture, else another checkpoint."""
    parameters = data.parameters
    if "means" in parameters:
        # The data are a known Gaussian mixture, whose posterior mean is exact.
        means = parameters["means"]
        mixture = Mixture(means, np.ones(len(means)), parameters["mode_std"])
        return (lambda rows: _exact(mixture)), "exact denoiser"
    # The posterior mean of other data is unknown: the best checkpoint of the run stands for it.
    state, model = _load(best, identity, seed, device)
    return _bound(model, labels), f"epoch {state['epoch']}"


def _exact(mixture: Mixture) -> Denoiser:
    def denoise(x: Tensor, sigma: float) -> Tensor:
        # D*(x; σ) = E[x0 | x] = x + σ² ∇ ln p_σ(x) (Tweedie; Robbins, 1956)
        score = mixture.score(x.cpu().numpy(), sigma**2)
        return x + sigma**2 * torch.from_numpy(score).to(x.device)

    return denoise


@torch.no_grad()
def measure(
    model: Callable[[slice], Denoiser],
    ideal: Callable[[slice], Denoiser],
    held_out: HeldOut,
    sigma: np.ndarray,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """At each noise level [M], summed over dimensions, means over the images: loss E||D - x0||^2
    with its standard error loss_se, mmse E||D* - x0||^2, distance E||D - D*||^2.
    """
    batches = [slice(first, first + batch_size) for first in range(0, len(held_out.x0), batch_size)]
    errors = [_of_batch(model(b), ideal(b), held_out, b, sigma) for b in batches]
    # E‖D - x0‖² = E‖D* - x0‖² + E‖D - D*‖²: D - D*, a function of x, is orthogonal to D* - x0
    loss, mmse, distance = np.concatenate(errors, axis=2)  # [M, N] each
    return {
        "loss": loss.mean(axis=1),
        # Images are independent, so that the standard error is that of a mean: std/sqrt(N).
        "loss_se": loss.std(axis=1, ddof=1) / np.sqrt(loss.shape[1]),
        "mmse": mmse.mean(axis=1),
        "distance": distance.mean(axis=1),
    }


def _of_batch(model, ideal, held_out: HeldOut, rows: slice, sigma: np.ndarray) -> np.ndarray:
    """Squared errors [3, M, n] of a batch."""
    x0, noise = held_out.x0[rows], held_out.noise[rows]
    columns = []
    for level in sigma.tolist():
        x = x0 + level * noise  # x = x0 + σ n with n ~ N(0, I), the same n at all levels
        denoised, best = model(x, level), ideal(x, level)
        # ‖D - x0‖², ‖D* - x0‖², ‖D - D*‖² of each image
        errors = (denoised - x0, best - x0, denoised - best)
        columns.append(torch.stack([(e**2).flatten(1).sum(dim=1) for e in errors]).cpu())
    return torch.stack(columns, dim=1).numpy()
