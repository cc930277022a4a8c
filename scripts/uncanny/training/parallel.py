"""One model on several GPUs of a machine: in every update, each computes its share of the batch.

Each GPU has a process. All processes draw the random numbers of the whole batch, exactly as one GPU
does, but the network of each sees only its share of the images. Gradients are summed over all
processes in one operation (all-reduce) after the backward pass, so that every update equals that of
one GPU up to rounding. torch's DistributedDataParallel would overlap the sum with the backward
pass, but then the sum has to be part of the CUDA graph of an update; here it comes after the graph.

The job itself is process 0, which alone writes files and hears signals. The others (`python -m
uncanny.training.parallel`) end with it, however it ends.
"""

import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

PATIENCE = 60.0  # seconds in which a process may find by itself that another has failed


class Share:
    """Images rank · N / size … of a batch of N, those of process `rank` of `size`."""

    def __init__(self, rank: int, size: int):
        self.rank, self.size = rank, size

    def of(self, count: int) -> slice:
        """Numbers of the images, of `count` in the whole batch."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def mean(self, losses: Tensor) -> Tensor:
        """This share's part of the mean over the batch. losses: [N]; others are not used."""
        return losses[self.of(len(losses))].sum() / len(losses)

    def network(self, network: nn.Module) -> "PartialNetwork":
        """The network that sees its share of a batch; its dropout has the masks of one GPU."""
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.forward = partial(self._dropout, module)
        return PartialNetwork(network, self)

    def _dropout(self, module: nn.Dropout, x: Tensor) -> Tensor:
        if not module.training or module.p == 0:
            return x
        whole = x.new_ones((self.size * len(x), *x.shape[1:]))
        return x * F.dropout(whole, module.p)[self.of(len(whole))]

    @staticmethod
    def add(tensor: Tensor) -> None:
        """Sum a tensor over all processes, in place."""
        dist.all_reduce(tensor)


class PartialNetwork:
    """A network that computes one share of a batch; outputs of other images are 0."""

    def __init__(self, network: nn.Module, share: Share):
        self.inner, self.share = network, share

    def __call__(self, x: Tensor, *conditions) -> Tensor:
        here = self.share.of(len(x))
        parts = (c[here] if isinstance(c, Tensor) and c.ndim else c for c in conditions)
        out = self.inner(x[here], *parts)
        rest = out.new_zeros((len(x) - len(out), *out.shape[1:]))
        return torch.cat([rest[: here.start], out, rest[here.start :]])

    def __getattr__(self, name: str):
        return getattr(self.inner, name)


# --- Processes -----------------------------------------------------------------------------------


def check(gpus: int) -> None:
    """Raise ValueError where this process sees fewer GPUs than asked. Without any, the processes
    compute on the processor.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else gpus
    if there < gpus:
        raise ValueError(f"gpus: {gpus} in the training recipe; this job sees {there} GPUs")


@contextlib.contextmanager
def processes(gpus: int, order: dict) -> Iterator[Share | None]:
    """Start the other processes of a training on so many GPUs; None for one GPU.

    order: arguments of `segments.follow`, as JSON. Raises ValueError with the last words of a
    process that failed.
    """
    if gpus == 1:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="uncanny-") as folder:
        others = [_start(rank, gpus, folder, order) for rank in range(1, gpus)]
        ended = threading.Event()
        threading.Thread(target=_watch, args=(others, folder, ended), daemon=True).start()
        try:
            with _group(0, gpus, folder) as share:
                try:
                    yield share
                except torch.OutOfMemoryError:
                    raise
                except RuntimeError as error:  # perhaps a sum that another process has left
                    if words := _words(others, folder):
                        raise ValueError(words) from error
                    raise
            with contextlib.suppress(subprocess.TimeoutExpired):
                for process in others:
                    process.wait(PATIENCE)
        finally:
            ended.set()
            for process in others:
                process.kill()
                process.wait()


@contextlib.contextmanager
def _group(rank: int, size: int, folder: str) -> Iterator[Share]:
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(rank)
    elif sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the machine's name may not resolve
    store = dist.FileStore(f"{folder}/meeting", size)
    limit = datetime.timedelta(minutes=10)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=limit)
    try:
        yield Share(rank, size)
    finally:
        dist.destroy_process_group()


def _start(rank: int, size: int, folder: str, order: dict) -> subprocess.Popen:
    scripts = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (scripts, os.environ.get("PYTHONPATH"))))
    with open(f"{folder}/{rank}", "w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "uncanny.training.parallel"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=file,
            env=os.environ | {"PYTHONPATH": path},
            text=True,
        )
    process.stdin.write(json.dumps({"rank": rank, "size": size, "folder": folder} | order) + "\n")
    process.stdin.flush()  # left open: its end tells the process that this one has ended
    return process


def _watch(others: list[subprocess.Popen], folder: str, ended: threading.Event) -> None:
    """End the job if another process failed and this one only waits for it, as CUDA does."""
    while not ended.wait(1.0):
        if any(process.poll() for process in others):
            if not ended.wait(PATIENCE):
                for stream in (sys.stderr, sys.__stderr__):  # the log of the job, and the terminal
                    print(_words(others, folder), file=stream, flush=True)
                os._exit(1)
            return


def _words(others: list[subprocess.Popen], folder: str) -> str | None:
    """The last words of the first process that fails, if any does before long."""
    end = time.monotonic() + PATIENCE
    while not any(process.poll() for process in others) and time.monotonic() < end:
        time.sleep(0.1)
    for rank, process in enumerate(others, 1):
        if status := process.poll():
            lines = Path(folder, str(rank)).read_text(errors="replace").splitlines()
            last = lines[-1] if lines else f"ended with status {status}"
            return f"process {rank} of a training on {len(others) + 1} GPUs: {last}"
    return None


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """One of the processes but the first."""
    for number in (signal.SIGTERM, signal.SIGINT):  # for process 0, which keeps the state
        signal.signal(number, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from uncanny.training import segments

    rank, size, folder = (order.pop(name) for name in ("rank", "size", "folder"))
    try:
        with _group(rank, size, folder) as share:
            segments.follow(share, **order)
    except Exception as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # before libraries add their own last words


if __name__ == "__main__":
    main()
