"""Other people's models: weights from files, under the names that our networks have.

A module `kind.py` has a function `kind(identity, *, path, options)` that gives the averaged network's
state, name → tensor, for the network that the identity of the model says. It raises ValueError that
names the file and what does not fit.
"""
