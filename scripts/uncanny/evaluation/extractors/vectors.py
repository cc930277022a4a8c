"""Feature extractor for vectors, which are their own features: nothing is trained."""

import torch
from torch import Tensor


class Values(torch.nn.Module):
    """Float32 [N, D] -> itself, and logits [N, 1] of zeros."""

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values, torch.zeros_like(values[:, :1])


def build(config: dict, weights: dict | None = None) -> Values:
    """The network of a state; it has no weights."""
    return Values()


def vectors(dataset, device: str = "cpu") -> dict:
    """The state {"kind", "config", "weights"} of an extractor that returns its input.

    Raises ValueError for a dataset of images.
    """
    if dataset.kind != "vector":
        raise ValueError(f"{dataset.name}: {dataset.kind}s; expected a dataset of vectors")
    return {"kind": "vectors", "config": {"shape": list(dataset.shape)}, "weights": {}}
