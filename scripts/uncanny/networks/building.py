"""Build the process and the network of a model from its identity."""

from collections.abc import Callable

import torch

from uncanny.registry import components


def build_network(identity: dict, shape: tuple[int, ...], num_classes: int) -> torch.nn.Module:
    """Build the network F of a model, initialised from torch's global generator.

    shape: of one image or vector. num_classes: of the dataset; an unconditional network gets 0.
    """
    # The state of a process may have more channels than an image, and a network fewer outputs.
    inputs, *outputs = build_family(identity).network_shape(tuple(shape))
    classes = num_classes if identity["conditional"] else 0
    return components.call("networks", identity["network"], inputs, classes, *outputs)


def build_family(identity: dict, derived: dict | None = None):
    """Build the family of a model: its process and training objective.

    derived: options that followed from the dataset, as the checkpoint has them.
    """
    # Derived options replace the config's null.
    process = identity["process"] | (derived or {})
    return components.call("processes", process, _schedule(identity["schedule"]))


def _schedule(block: dict | None) -> Callable | None:
    if block is None:
        return None
    # A process asks for its own number of levels.
    return lambda num_levels: components.call("schedules", block, num_levels)


def averaged_network(state: dict, device: torch.device) -> torch.nn.Module:
    """Load the averaged network of a checkpoint for evaluation, without gradients."""
    # The fork keeps initial weights, which are replaced, from advancing the global generator.
    with torch.random.fork_rng(devices=[]):
        network = build_network(state["identity"], state["shape"], state["num_classes"])
    network.load_state_dict(state["average"])
    return network.to(device).eval().requires_grad_(False)
