"""Negative log-likelihood of held-out images under a discrete model: its variational bound in bits
per dimension, by the steps of the whole chain (Nichol and Dhariwal 2021, section 3).

All checkpoints of a study are measured on the same images with the same noise.
"""

import numpy as np
import torch
from torch import Tensor

from uncanny.datasets import Dataset
from uncanny.diffusion import variational
from uncanny.diffusion.forward import diffuse
from uncanny.evaluation.denoising_losses import HeldOut, chosen
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import generator
from uncanny.sampling import drawing


def run(*, checkpoint, identity, seed, dataset, options, names, output, threads) -> None:
    """Measure a checkpoint and write the record; that of a diverged one has its status alone.

    dataset: prepared folder. options: {"split", "items"}. names: {"model", "dataset"} of the study,
    for the record. Raises ValueError for data that are no images, which have no grey values.
    """
    device = hardware.device(threads)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    record = names | {"seed": seed, "epoch": state["epoch"], "status": state["status"]}
    if state["status"] != "diverged":
        data, model = Dataset.open(dataset), drawing.Trained.of(state, device)
        if data.kind != "image":
            raise ValueError(f"{dataset}: {data.kind}s; a likelihood of grey values needs images")
        held_out = chosen(data, options["split"], options["items"], model)
        learned = model.family.learns_variance
        record |= {"split": options["split"], "variance": "learned" if learned else "small"}
        record |= summary(measure(model, held_out))
    files.write_json(output, record)


def summary(parts: dict[str, np.ndarray]) -> dict:
    """Means over the images [n] of each part, their sum with its standard error, and n."""
    bits = sum(parts.values())
    # Images are independent: std / sqrt(n)
    se = float(bits.std(ddof=1) / np.sqrt(len(bits)))
    means = {name: float(part.mean()) for name, part in parts.items()}
    return {"bits_per_dim": float(bits.mean()), "se": se, "n": len(bits), "parts": means}


@torch.no_grad()
def measure(model: drawing.Trained, held_out: HeldOut) -> dict[str, np.ndarray]:
    """Bits per dimension of each image [n]: of the prior, of the steps, and of the grey values."""
    sizes = range(0, len(held_out.x0), model.batch_size)
    batches = [_of_batch(model, held_out, slice(i, i + model.batch_size)) for i in sizes]
    names = ("prior", "steps", "grey_values")
    return dict(zip(names, np.concatenate(batches, axis=1), strict=True))


def _of_batch(model: drawing.Trained, held_out: HeldOut, rows: slice) -> np.ndarray:
    """The three parts [3, n] of some images."""
    x0, family = held_out.x0[rows], model.family
    labels = None if held_out.labels is None else held_out.labels[rows]
    bound, levels = family.bind(model.network, labels), family.alphas_cumprod.to(x0.device)
    # L_T, then L_t with one draw of noise for each image and time
    prior, steps = variational.prior_term(x0, levels), torch.zeros_like(x0[:, 0].flatten(1)[:, 0])
    for t in range(family.num_levels - 1, 0, -1):
        steps = steps + _term(bound, family, x0, t, levels, rows)
    grey = _term(bound, family, x0, 0, levels, rows)
    return torch.stack([prior, steps, grey]).cpu().numpy()


def _term(bound, family, x0: Tensor, t: int, levels: Tensor, rows: slice) -> Tensor:
    # Drawn for all images up to these: batches of another size see the same noise
    shape = (rows.start + len(x0), *x0.shape[1:])
    noise = torch.randn(shape, generator=generator("likelihood", t), dtype=torch.float64)
    x, share = diffuse(x0, noise[rows].to(x0.device), levels[t]), None
    if family.learns_variance:
        eps, share = bound(x, t, variance=True)
    else:
        eps = bound(x, t)
    times = torch.full((len(x0),), t, device=x0.device)
    return variational.terms(x0, x, times, eps, levels, share)
