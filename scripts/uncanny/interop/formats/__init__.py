"""Other people's models: weights from files, under the names that our networks have.

A module `kind.py` has a function `kind(identity, shape, ours, *, path)` that gives the state of the
network that the identity of the model says, name → tensor, in the precision that the file has.
shape: of an image of its dataset; ours: such a state, for its names and shapes. It raises
ValueError that names the file and what does not fit.
"""
