"""Families of models: the training objective of a process, and the model that samplers call.

A family module `kind.py` has a function `kind(schedule, *, options)` that makes the family, a
subclass of `Family` with
    loss(network, x0, labels, generator) → per-image losses [N],
    bind(network, labels) → the model that samplers call; MODEL_INTERFACE is the name of the
        first argument of samplers that can call it,
    init_sampling(model, latents, **options) → (initial state, noise levels or times, further
        arguments of the sampler).
The keyword-only arguments of the module's function `init_sampling` are the options that it reads
from a sampler's block.
"""


def shown(labels, rows, unconditional: bool):
    """Labels that the network sees of some rows of a batch, None for all rows; None for no labels.

    unconditional: the classes are left out, as in a share of the training with label_dropout.
    """
    if labels is None or unconditional:
        return None
    return labels if rows is None else labels[rows]


class Family:
    """Defaults of a family.

    guided_as: how its samplers are guided by a classifier, "discrete" or "phase_space"; None where
    they cannot be. level: what tells its models the noise, "t" or "sigma", for classifier-free
    guidance; None where there is none.
    """

    guided_as: str | None = None
    level: str | None = None

    def state_shape(self, shape) -> tuple[int, ...]:
        """Shape of a sampler's state for images of a shape."""
        return tuple(shape)

    def network_shape(self, shape) -> tuple:
        """Arguments that size the network for images of a shape: the shape of its input, and the
        channels of its output where they differ from those of the input.
        """
        return (tuple(shape),)

    def derive(self, data) -> dict:
        """Options of the family that follow from the dataset, computed once, when training begins.

        They are stored in every checkpoint and replace the config's null.
        """
        return {}

    def finish(self, x):
        """Convert a sampler's result [N, ...] to the range of the data: [-1, 1] for images."""
        return x
