"""Augmented states: d components per pixel, z = (x, m), stored as [N, d C, ...].

The C channels of the image come first, then those of each further component.
"""

import torch
from torch import Tensor

from uncanny.runtime.hardware import constant


def apply(matrix: Tensor, z: Tensor) -> Tensor:
    """Multiply the components of each pixel by a matrix [d, d] or [N, d, d]; z: [N, d C, ...]."""
    # Components first, [N, d, pixels]: one matrix product for all channels and pixels.
    blocks = z.reshape(len(z), matrix.shape[-1], -1)
    matrix = matrix.to(z.dtype)
    matrix = constant(matrix, z.device) if matrix.ndim == 2 else matrix.to(z.device)
    return (matrix @ blocks).reshape(z.shape)


def scattered(part: Tensor, chosen: list[int], size: int) -> Tensor:
    """Place `part` [N, k C, ...] in the chosen of `size` components of a state, 0 elsewhere."""
    if len(chosen) == size:
        return part
    blocks = part.unflatten(1, (len(chosen), -1))
    whole = blocks.new_zeros(len(part), size, *blocks.shape[2:])
    for at, component in enumerate(chosen):  # a list as index would be copied to the device
        whole[:, component] = blocks[:, at]
    return whole.flatten(1, 2)


def gathered(z: Tensor, chosen: list[int], size: int) -> Tensor:
    """Return the chosen of the `size` components of z [N, d C, ...] as [N, k C, ...]."""
    if len(chosen) == size:
        return z
    # The channels of each component are consecutive.
    components = z.unflatten(1, (size, -1)).unbind(1)
    return torch.cat([components[component] for component in chosen], dim=1)


def image_of(z: Tensor, size: int) -> Tensor:
    """Return the image [N, C, ...], the first of the `size` components of a state."""
    # The image is the first component.
    return z[:, : z.shape[1] // size]
