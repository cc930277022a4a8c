"""What undoing a thing that is done for speed should cost: its parts, each timed by itself.

Seconds that are added to a work, reckoned without running the work in that way. What is not in them:
memory that one kernel leaves in the cache for the next, and the time of Python.
"""

import mmap
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
LAID_OUT = {  # kernels whose time depends on how images lie in memory
    aten.convolution.default,
    aten.convolution_backward.default,
    aten.native_group_norm.default,
    aten.native_group_norm_backward.default,
    aten.silu.default,
    aten.silu_backward.default,
}
LARGE, PAGE = 2**17, 2**12  # bytes: from LARGE on the C library asks the system each time
KERNELS = 9  # for one weight: eight of Adam, one of the average


class Kernels(TorchDispatchMode):
    """Counts the kernels of a work whose images may lie otherwise, and the bytes of large results."""

    def __init__(self):
        super().__init__()
        self.calls, self.large = Counter(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in LAID_OUT:
            self.calls[func, tuple(described(value) for value in args)] += 1
        inputs = {tensor.untyped_storage().data_ptr() for tensor in tensors(args)}
        for tensor in tensors(result):
            storage = tensor.untyped_storage()
            if storage.nbytes() >= LARGE and storage.data_ptr() not in inputs:
                self.large += storage.nbytes()
        return result


def tensors(values) -> list[torch.Tensor]:
    """All tensors among values and the lists in them."""
    if isinstance(values, torch.Tensor):
        return [values]
    nested = values if isinstance(values, (list, tuple)) else ()
    return [tensor for value in nested for tensor in tensors(value)]


def described(value):
    """An argument, so that another like it can be made: tensors by their shape."""
    if isinstance(value, list):
        return tuple(value)
    return value.shape if isinstance(value, torch.Tensor) else value


def like(value, layout: torch.memory_format):
    if not isinstance(value, torch.Size):
        return list(value) if isinstance(value, tuple) else value
    made = torch.randn(value)
    return made.contiguous(memory_format=layout) if made.ndim == 4 else made


def seconds(call: Callable[[], object], times: int = 7) -> float:
    """Median of so many calls after one that does not count."""
    taken = []
    for _ in range(times + 1):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return float(np.median(taken[1:]))


def of_kernels(work: Callable[[], object]) -> Kernels:
    with Kernels() as kernels:
        work()
    return kernels


# ---- What is undone -----------------------------------------------------------------------------


def channels_innermost(kernels: Kernels) -> float:
    """Every kernel with its images and weights laid so, over the same kernel as it is."""
    added = 0.0
    for (func, arguments), count in kernels.calls.items():
        first, last = (
            seconds(partial(func, *(like(value, layout) for value in arguments)))
            for layout in (torch.contiguous_format, torch.channels_last)
        )
        added += count * (last - first)
    return added


def fresh_pages(kernels: Kernels) -> float:
    """A page of the system's, cleared and entered, for all that a work makes in large pieces: the
    most that it can be, since the C library keeps some of what is freed by itself.
    """
    pages = 2**14

    def touch() -> None:
        with mmap.mmap(-1, pages * PAGE) as fresh:
            view = np.frombuffer(fresh, np.uint8)
            view[::PAGE] = 1
            del view

    return kernels.large / PAGE * seconds(touch) / pages


def one_by_one(weights: list[torch.Tensor]) -> float:
    """Each kernel of the update for each weight, over one kernel's pass over all of them."""
    scaled = [weight.detach().clone() for weight in weights]
    each = seconds(lambda: [weight.mul_(1.0) for weight in scaled])
    together = torch.cat([weight.flatten() for weight in scaled])
    return KERNELS * (each - seconds(lambda: together.mul_(1.0)))


def searched(weights: list[torch.Tensor]) -> float:
    gradients = [weight.detach().clone() for weight in weights]
    return seconds(lambda: [torch.nan_to_num_(gradient) for gradient in gradients])


def more_batches(sampling_of_one: Callable[[], object], batches: int) -> float:
    """What a batch costs however small it is, for each that is added."""
    return (batches - 1) * seconds(sampling_of_one)


def imports(module: str) -> float:
    """A Python that starts and imports one module, torch's among its own."""
    return seconds(
        lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True), 3
    )
