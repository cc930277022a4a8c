"""Device, threads and memory of a process."""

import contextlib
import ctypes
import functools
import os
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

GPUS = Path("/proc/driver/nvidia/gpus")  # one folder per GPU, made by the driver
DRIVER = Path("/proc/driver/nvidia/version")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def device(threads: int = 1) -> torch.device:
    """The accelerator if there is one, else the processor; float32 means float32 (no TF32).
    ValueError where there is a GPU that CUDA cannot use: one core would compute for days instead.
    """
    cpu = processor(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True  # the same training twice gives the same bytes
    if torch.cuda.is_available():
        return torch.device("cuda")
    _refuse_unusable_gpu()
    return cpu


def processor(threads: int = 1) -> torch.device:
    """The processor with `threads` threads, numpy's linear algebra included, for jobs that ask for
    no GPU, whatever the machine has.
    """
    _keep_freed_memory()
    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
    return torch.device("cpu")


def _refuse_unusable_gpu() -> None:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1", "NoDevFiles")
    if hidden or not (GPUS.is_dir() and any(GPUS.iterdir())):
        return
    driver = DRIVER.read_text().splitlines()[0] if DRIVER.exists() else "its driver"
    raise ValueError(
        f"a GPU is here, and torch {torch.__version__} cannot use it: {_reason()}; {driver}. "
        "Expected a driver and a build of torch that fit each other; CUDA_VISIBLE_DEVICES= "
        "computes on the processor instead"
    )


def _reason() -> str:
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split())
    return "CUDA finds no device"


def sent(tensor: torch.Tensor, target: torch.device) -> torch.Tensor:
    """Copy a tensor to a device without waiting for work that is queued there."""
    if target.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(target, non_blocking=True)
    return tensor.to(target)


def free_memory(target: torch.device) -> int:
    """Bytes of an accelerator that no process uses."""
    return torch.cuda.mem_get_info(target)[0]


def constant(matrix: torch.Tensor, target: torch.device) -> torch.Tensor:
    """A small table or matrix on a device; the same values are copied there once."""
    if matrix.device == target:
        return matrix
    return _copy(tuple(matrix.flatten().tolist()), tuple(matrix.shape), matrix.dtype, target)


@functools.lru_cache(maxsize=2**14)
def _copy(values: tuple, shape: tuple, dtype: torch.dtype, target: torch.device) -> torch.Tensor:
    return sent(torch.tensor(values, dtype=dtype).reshape(shape), target)


def _keep_freed_memory() -> None:
    """Reuse freed blocks of any size."""
    # glibc returns large ones to the system, and every tensor of a batch then waits for new pages:
    # a third of the time of small networks.
    with contextlib.suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def describe(target: torch.device) -> str:
    """Name of the device for records."""
    return torch.cuda.get_device_name(target) if target.type == "cuda" else "cpu"


class TooLarge(ValueError):
    """Not even the smallest amount of work fits into the memory of the device."""

    def __init__(self, what: str, target: torch.device, expected: str):
        super().__init__(
            f"{what} needs more memory than is free on {describe(target)}; expected {expected}, "
            "jobs_per_gpu: 1, or a GPU with more memory"
        )


def peak_memory_mb(target: torch.device) -> float:
    """Largest memory so far in MB: of the device if it is an accelerator, else of this process."""
    if target.type == "cuda":
        return torch.cuda.max_memory_allocated(target) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
