"""Formats of external weights.

A module `kind.py` has a function `kind(identity, shape, expected, *, path)`. It reads weights and
returns the state dict of the network that `identity` describes, in the precision of the file.
shape: of an image of the dataset, (C, H, W). expected: state dict of such a network, for its names
and shapes. Raises ValueError that names the file and what does not fit.
"""
