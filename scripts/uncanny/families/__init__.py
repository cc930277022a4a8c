"""Families of models: what a network learns, and what a sampler is given to walk with.

A family module `kind.py` has a function `kind(schedule, *, options)` that makes the family; its
objects have
    loss(network, x0, labels, generator) → per-image losses [N],
    bind(network, labels) → the model that samplers call; OFFERS names it, as the first argument
        of its samplers,
    start(model, latents, **options) → what a sampler walks from, along, and with which further
        arguments.
The keyword-only arguments of the module's function `start` are what it reads from a sampler's
block.
"""
