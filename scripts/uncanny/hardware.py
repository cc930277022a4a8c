"""Where and how tensors are computed."""

import contextlib
import ctypes

import torch
from threadpoolctl import threadpool_limits

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def device(threads: int = 1) -> torch.device:
    """The accelerator if there is one, else the processor with so many threads, numpy's linear
    algebra included; float32 means float32 (no TF32).
    """
    _keep_freed_memory()
    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _keep_freed_memory() -> None:
    """Use freed blocks again, whatever their size. glibc hands large ones back to the system, and
    every tensor of a batch then waits for fresh pages: a third of the time of small networks.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def describe(where: torch.device) -> str:
    """Name of the device for records."""
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu"


def peak_memory_mb(where: torch.device) -> float:
    """Largest memory so far in MB: of the device if it is an accelerator, else of this process."""
    if where.type == "cuda":
        return torch.cuda.max_memory_allocated(where) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
