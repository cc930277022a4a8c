"""Loss and gradients of an update as one CUDA graph.

An update has thousands of kernels, and starting them one by one takes longer than their work unless
batches are large: a graph starts them at once. The numbers are bit for bit the same, since at each
replay a graph reads the seeds of its generators anew.
"""

import os
from collections.abc import Callable

import torch

VARIABLE = "UNCANNY_CUDA_GRAPHS"
WARM_UP = 3  # updates before that: libraries choose kernels, tables are copied to the device


def wanted(device: torch.device) -> bool:
    """Whether updates on a device are to be captured."""
    return device.type == "cuda" and os.environ.get(VARIABLE, "1") != "0"


class Captured:
    """What finds loss and gradients of a batch, captured once it is warm.

    gradients(x0, labels): gives the weights their gradients; returns a tensor. Where it makes the
    host wait, which no graph can hold, it goes on kernel by kernel. generators: those that it draws
    from, the global one of the device last.
    """

    def __init__(self, gradients: Callable, generators: tuple[torch.Generator, ...]):
        self.gradients, self.generators = gradients, generators
        self.calls, self.possible = 0, True
        self.graph = self.batch = self.entry = None

    def __call__(self, x0: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        self.calls += 1
        if self.calls == WARM_UP:
            return self._tried(x0, labels)
        if self.calls < WARM_UP or not self.possible:
            return self.gradients(x0, labels)
        if self.graph is None:
            self._capture(x0, labels)
        for kept, new in zip(self.batch, (x0, labels), strict=True):
            if kept is not None:
                kept.copy_(new)
        self.graph.replay()
        return self.entry.clone()

    def _tried(self, x0: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """One more without a graph, in which it is an error to wait."""
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            return self.gradients(x0, labels)
        except RuntimeError as error:
            if "synchronizing" not in str(error):
                raise
            print("updates run kernel by kernel: their loss makes the host wait", flush=True)
        finally:
            torch.cuda.set_sync_debug_mode(before)
        self.possible = False
        for generator in self.generators:  # the same draws again
            generator.manual_seed(generator.initial_seed())
        return self.gradients(x0, labels)

    def _capture(self, x0: torch.Tensor, labels: torch.Tensor | None) -> None:
        self.batch = x0.clone(), None if labels is None else labels.clone()
        self.graph = torch.cuda.CUDAGraph()
        for generator in self.generators[:-1]:  # the global one is registered in any case
            self.graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(self.graph):
                self.entry = self.gradients(*self.batch)
        except RuntimeError as error:  # CUDA is of no use to this process from here on
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"an update cannot be captured as a CUDA graph: {reason}; {VARIABLE}=0 in the "
                "environment runs it kernel by kernel, with the same numbers"
            ) from error
