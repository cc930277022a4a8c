"""Other people's models: weights from files, under the names that our networks have.

A module `kind.py` has a function `kind(identity, shape, ours, *, path)` that gives the state of the
network that the identity of the model says, name → tensor. shape: of an image of its dataset; ours:
such a state, for its names and shapes. It raises ValueError that names the file and what does not
fit.
"""

from torch import Tensor


def same_shape(value: Tensor, like: Tensor) -> bool:
    """Whether two tensors have the same axes, but for those of length 1."""
    return [n for n in value.shape if n > 1] == [n for n in like.shape if n > 1]
