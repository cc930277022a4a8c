"""Complete blocks of samplers, from blocks as a config has them."""

from uncanny.registry import blocks


def sampler(process, block):
    """The complete block of a sampler for models of a kind of process."""
    options = {key: value for key, value in block.items() if key != "kind"}
    return blocks.sampler(block["kind"], process, options, "samplers.S")
