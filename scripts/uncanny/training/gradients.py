"""Gradients of all weights: repaired, limited, and as one vector."""

import torch


def repair_and_clip(weights: list[torch.Tensor], limit: float | None) -> torch.Tensor:
    """Global gradient norm before repair; then NaN → 0, ±inf → ±1e5 (as EDM does), and the norm
    limited.
    """
    weights = with_gradients(weights)
    if weights[0].is_cuda:
        return repair_and_clip_joined(weights, joined(weights), limit)
    # |g| over all weights; a repaired gradient has another norm, which is the one to limit.
    gradients = [weight.grad for weight in weights]
    norm = repaired = torch.nn.utils.get_total_norm(gradients)
    if not torch.isfinite(norm):
        for gradient in gradients:
            torch.nan_to_num_(gradient, nan=0.0, posinf=1e5, neginf=-1e5)
        repaired = torch.nn.utils.get_total_norm(gradients)
    if limit is not None:  # g ← g min(1, limit / |g|)
        torch.nn.utils.clip_grads_with_norm_(weights, limit, repaired)
    return norm


def with_gradients(weights: list[torch.Tensor]) -> list[torch.Tensor]:
    return [weight for weight in weights if weight.grad is not None]


def joined(weights: list[torch.Tensor]) -> torch.Tensor:
    """All gradients as one vector, each as it lies in memory."""
    return torch.cat([weight.grad.as_strided((weight.numel(),), (1,)) for weight in weights])


def repair_and_clip_joined(
    weights: list[torch.Tensor], vector: torch.Tensor, limit: float | None
) -> torch.Tensor:
    """As `repair_and_clip`, with all gradients as parts of one vector: on an accelerator, a look
    at the norm would wait for all kernels under way, and a kernel per weight costs more than its
    arithmetic.
    """
    norm = torch.linalg.vector_norm(vector)
    vector.nan_to_num_(nan=0.0, posinf=1e5, neginf=-1e5)
    if limit is not None:  # with the 1e-6 of torch.nn.utils.clip_grads_with_norm_
        vector *= (limit / (torch.linalg.vector_norm(vector) + 1e-6)).clamp(max=1.0)
    first = 0
    for weight in weights:  # gradients lie in memory as their weights do
        weight.grad = vector.as_strided(weight.shape, weight.stride(), first)
        first += weight.numel()
    return norm
