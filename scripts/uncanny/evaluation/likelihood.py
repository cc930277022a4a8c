"""Negative log-likelihood of held-out images under a discrete model: its variational bound in bits
per dimension, by the steps of the whole chain (Nichol and Dhariwal 2021, section 3).

All checkpoints of a study are measured on the same images with the same noise.
"""

import numpy as np
import torch
from torch import Tensor

from uncanny.datasets import Dataset
from uncanny.diffusion import variational
from uncanny.diffusion.chain import diffuse
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
    x0 = held_out.x0
    levels, size = model.family.alphas_cumprod.to(x0.device), model.batch_size
    batches = [slice(first, first + size) for first in range(0, len(x0), size)]
    # L_T, L_T-1, .. L_0, with one draw of noise for each image and time
    parts = {"prior": variational.prior_term(x0, levels), "steps": x0.new_zeros(len(x0))}
    for t in range(model.family.num_levels - 1, -1, -1):
        draws = generator("likelihood", t)
        noise = torch.randn(x0.shape, generator=draws, dtype=x0.dtype).to(x0.device)
        terms = torch.cat([_terms(model, held_out, noise, rows, t, levels) for rows in batches])
        if t > 0:
            parts["steps"] += terms
    parts["grey_values"] = terms
    return {name: part.cpu().numpy() for name, part in parts.items()}


def _terms(model: drawing.Trained, held_out: HeldOut, noise, rows: slice, t: int, levels) -> Tensor:
    """L_t of the images of a batch, [n]."""
    family, x0 = model.family, held_out.x0[rows]
    bound = family.bind(model.network, None if held_out.labels is None else held_out.labels[rows])
    x = diffuse(x0, noise[rows], levels[t])
    learned = family.learns_variance
    eps, share = bound(x, t, variance=True) if learned else (bound(x, t), None)
    times = torch.full((len(x0),), t, device=x0.device)
    return variational.terms(x0, x, times, eps, levels, share)
