"""Exponential moving average of the weights; samples are always drawn from it."""

from collections.abc import Callable

import torch


def decay(options: dict, step: int, batch_size: int) -> float:
    """Weight of the past in the update number `step` (0 is the first).

    constant: beta, or with warmup min(beta, (1+k)/(10+k)), so that a short run does not remember
    its start. halflife: 0.5 ** (B / h) with h = halflife_images, at most `rampup` times the images
    seen (EDM's rule, Karras et al. 2022, training loop).
    """
    # beta, or min(beta, (1 + k) / (10 + k)) with warmup
    if options["kind"] == "constant":
        beta = options.get("beta", 0.999)
        return min(beta, (1 + step) / (10 + step)) if options.get("warmup", False) else beta
    # 0.5^(B / h), h = min(halflife, rampup (k + 1) B)
    halflife = options["halflife_images"]
    if options.get("rampup") is not None:
        halflife = min(halflife, (step + 1) * batch_size * options["rampup"])
    return 0.5 ** (batch_size / max(halflife, 1e-8))


def follower(average: torch.nn.Module, network: torch.nn.Module) -> Callable[[float], None]:
    """A function of beta: average ← beta · average + (1 − beta) · network for parameters; buffers
    are copied, never averaged. Both keep their tensors; those are looked up once.
    """
    averages, weights = list(average.parameters()), list(network.parameters())
    buffers = list(zip(average.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(beta: float) -> None:
        # a + (1 - beta) (w - a), one kernel for all weights
        torch._foreach_lerp_(averages, weights, 1 - beta)
        for target, source in buffers:
            target.copy_(source)

    return update
