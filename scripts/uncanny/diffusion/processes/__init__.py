"""Families of models: what a network learns, and what a sampler is given to walk with.

A family module `kind.py` has a function `kind(schedule, *, options)` that makes the family, a
subclass of `Family` with
    loss(network, x0, labels, generator) → per-image losses [N],
    bind(network, labels) → the model that samplers call; OFFERS names it, as the first argument
        of its samplers,
    init_sampling(model, latents, **options) → what a sampler starts from, the noise levels or times
        that it visits, and further arguments for it.
The keyword-only arguments of the module's function `init_sampling` are what it reads from a
sampler's block.
"""


class Family:
    """What a family does where nothing special is needed.

    guided_as: how its samplers are guided, "discrete" or "phase_space"; None where they cannot be.
    """

    guided_as: str | None = None

    def state_shape(self, shape) -> tuple[int, ...]:
        """Shape of the state that a sampler walks with, for images of a shape."""
        return tuple(shape)

    def network_shape(self, shape) -> tuple:
        """Arguments that size the network for images of a shape: the shape of its input, and the
        channels of its output where they are not those of the input.
        """
        return (tuple(shape),)

    def derive(self, data) -> dict:
        """Options of the family that follow from the dataset, found once, when training begins.

        They are kept in every checkpoint and take the place of the config's null.
        """
        return {}

    def finish(self, x):
        """What a sampler ends with, [N, ...], in the range of the data: [-1, 1] for images."""
        return x
