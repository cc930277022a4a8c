"""Precision in which networks are evaluated; states, noise, losses and weights keep theirs."""

import contextlib
from collections.abc import Iterator

import torch

PRECISIONS = ("fp32", "tf32", "bf16")


@contextlib.contextmanager
def computing(name: str, device: torch.device) -> Iterator[None]:
    """Compute the block in a precision, networks included. ValueError for an unknown name."""
    with products(name), layers(name, device):
        yield


@contextlib.contextmanager
def products(name: str) -> Iterator[None]:
    """fp32: accelerators multiply in 32 bits. tf32, bf16: they may round factors to 10 bits."""
    if name not in PRECISIONS:
        raise ValueError(f"precision: {name!r}; expected {', '.join(PRECISIONS)}")
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = name != "fp32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def layers(name: str, device: torch.device) -> torch.autocast:
    """bf16: layers that tolerate it are computed in bfloat16, weights stay float32 (autocast).

    For a forward pass; its backward pass follows by itself.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16")
