"""Precision in which networks are evaluated; states, noise, losses and weights keep theirs."""

import contextlib
import functools
from collections.abc import Iterator

import torch

PRECISIONS = ("fp32", "tf32", "bf16")
AMPERE = (8, 0)  # compute capability from which tensor cores take TF32 and bfloat16


def computed(name: str, device: torch.device) -> str:
    """The precision in which a device computes where `name` is asked for; records state it.

    tf32 is fp32 on a processor and on a GPU before Ampere, which is printed once. ValueError for an
    unknown name, and for bf16 on such a GPU.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision: {name!r}; expected {', '.join(PRECISIONS)}")
    if device.type != "cuda":
        return "fp32" if name == "tf32" else name
    return name if name == "fp32" else _on_card(name, device)


def _on_card(name: str, device: torch.device) -> str:
    capability = torch.cuda.get_device_capability(device)
    if capability >= AMPERE:
        return name
    version = ".".join(map(str, capability))
    card = f"{torch.cuda.get_device_name(device)} (compute capability {version})"
    if name == "bf16":
        raise ValueError(
            f"precision: bf16; {card} does not compute in it; expected fp32 or tf32, or a GPU of "
            "compute capability 8.0 or more"
        )
    _say(f"precision: tf32 is fp32 on {card}")
    return "fp32"


@functools.cache
def _say(text: str) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def computing(name: str, device: torch.device) -> Iterator[None]:
    """Compute the block in a precision, networks included. ValueError as of `computed`."""
    with products(name, device), layers(name, device):
        yield


@contextlib.contextmanager
def products(name: str, device: torch.device) -> Iterator[None]:
    """fp32: accelerators multiply in 32 bits. tf32, bf16: they may round factors to 10 bits."""
    rounded = computed(name, device) != "fp32"
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = rounded
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def layers(name: str, device: torch.device) -> torch.autocast:
    """bf16: layers that tolerate it are computed in bfloat16, weights stay float32 (autocast).

    For a forward pass; its backward pass follows by itself.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16")
