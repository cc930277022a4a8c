"""Where and how tensors are computed."""

import torch


def device(threads: int = 1) -> torch.device:
    """The accelerator if there is one, else the processor with so many threads; float32 means
    float32 (no TF32).
    """
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe(where: torch.device) -> str:
    """Name of the device for records."""
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu"


def peak_memory_mb(where: torch.device) -> float:
    """Largest memory so far in MB: of the device if it is an accelerator, else of this process."""
    if where.type == "cuda":
        return torch.cuda.max_memory_allocated(where) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
