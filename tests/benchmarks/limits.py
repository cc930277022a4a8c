"""What the machine can do at best: matrix products, convolutions, memory; counted operations."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode


def works(device: torch.device, dtype: torch.dtype = torch.float32) -> dict[str, tuple]:
    """Name -> (call, its operations; bytes for memory): large ones, shaped as networks have them."""
    large = device.type == "cuda"
    n, batch, numbers = (8192, 256, 2**29) if large else (768, 4, 2**24)
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    image = torch.randn(batch, 256, 16, 16, device=device, dtype=dtype)
    kernel = torch.randn(256, 256, 3, 3, device=device, dtype=dtype)
    if large:
        image, kernel = (t.contiguous(memory_format=torch.channels_last) for t in (image, kernel))
    source = torch.randn(numbers, device=device)
    target = torch.empty_like(source)
    return {
        "matrix product": (lambda _: a @ b, 2 * n**3),
        "convolution": (
            lambda _: torch.nn.functional.conv2d(image, kernel, padding=1),
            2 * image.numel() * 256 * 9,
        ),
        "memory": (lambda _: target.copy_(source), 2 * source.numel() * 4),
    }


def fastest(rates: Mapping[str, np.ndarray]) -> np.ndarray:
    """Operations per second of the faster kind, round by round."""
    return np.maximum(rates["matrix product"], rates["convolution"])


def counted(call: Callable[[], object]) -> int:
    """Floating-point operations of matrix products, convolutions and attention, backward too."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
