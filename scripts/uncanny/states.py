"""States with several components per pixel: z = (x, m), [N, d C, ...].

The C channels of the image come first, then those of each further component.
"""

from torch import Tensor


def apply(matrix: Tensor, z: Tensor) -> Tensor:
    """Each pixel's components times the matrix [d, d] or [N, d, d]; z: [N, d C, ...]."""
    blocks = z.reshape(len(z), matrix.shape[-1], -1)
    return (matrix.to(z.device, z.dtype) @ blocks).reshape(z.shape)


def scattered(part: Tensor, chosen: list[int], size: int) -> Tensor:
    """A state with `part` [N, k C, ...] in the chosen of its `size` components, 0 elsewhere."""
    if len(chosen) == size:
        return part
    blocks = part.unflatten(1, (len(chosen), -1))
    whole = blocks.new_zeros(len(part), size, *blocks.shape[2:])
    whole[:, chosen] = blocks
    return whole.flatten(1, 2)


def gathered(z: Tensor, chosen: list[int], size: int) -> Tensor:
    """The chosen of the `size` components of z [N, d C, ...]."""
    return z if len(chosen) == size else z.unflatten(1, (size, -1))[:, chosen].flatten(1, 2)


def image_of(z: Tensor, size: int) -> Tensor:
    """The image of a state of `size` components."""
    return z[:, : z.shape[1] // size]
