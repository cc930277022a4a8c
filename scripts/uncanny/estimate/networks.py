"""Sizes of networks, counted on torch's meta device: nothing is allocated or computed.

As a program it reads networks as JSON and prints their sizes: `sizes` asks it where torch is not
loaded.
"""

import importlib
import json
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

from uncanny.estimate.sizes import Network, Size
from uncanny.registry import components

# Inception v3 at 299×299.
INCEPTION = Size(parameters=23_900_000, flops=11.4e9, layers=95, activations=40_000_000)
INCEPTION_WIDTHS = (2048, 1008)


def counted(network: Network) -> tuple[Size, tuple[int, ...]]:
    """Size of a network; of an extractor, with its numbers of features and of logits per image."""
    block = json.loads(network.options)
    if network.extracts:
        return of_extractor(block, network.shape, network.num_classes)
    return of_network(block, network.shape, network.num_classes), ()


def of_network(block: dict, shape: tuple[int, ...], num_classes: int) -> Size:
    """Size of a raw network or noisy classifier. block: its complete options; shape: an image's."""
    with torch.device("meta"):
        network = components.call("networks", block, tuple(shape), num_classes).eval()
        x, level = torch.zeros(1, *shape), torch.zeros(1)
    return _counted(network, x, level)


def of_extractor(
    block: dict, shape: tuple[int, ...], num_classes: int
) -> tuple[Size, tuple[int, int]]:
    """Size of a feature extractor; numbers of features and of logits per image."""
    if block["kind"] == "inception":
        return INCEPTION, INCEPTION_WIDTHS
    if block["kind"] == "vectors":
        return Size(0, 0.0, 0, 0), (shape[0], 1)
    config = {"shape": list(shape)} | {k: block[k] for k in ("width", "depth") if k in block}
    config |= {"num_classes": num_classes} if block["kind"] == "classifier" else {}
    with torch.device("meta"):
        module = importlib.import_module(f"uncanny.evaluation.extractors.{block['kind']}")
        network, images = module.build(config).eval(), torch.zeros(1, *shape)
    pool, logits = network(images)
    return _counted(network, images), (pool.shape[1], logits.shape[1])


def _counted(network: torch.nn.Module, *inputs: torch.Tensor) -> Size:
    activations = []
    leaves = [module for module in network.modules() if not any(True for _ in module.children())]
    for leaf in leaves:
        leaf.register_forward_hook(lambda module, x, result: activations.append(result.numel()))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    weights = [p.numel() for p in network.parameters()]
    layers = sum(any(True for _ in m.parameters(recurse=False)) for m in network.modules())
    return Size(sum(weights), float(counter.get_total_flops()), layers, sum(activations))


def _main() -> None:
    asked = [Network(**entry | {"shape": tuple(entry["shape"])}) for entry in json.load(sys.stdin)]
    json.dump([(vars(size), widths) for size, widths in map(counted, asked)], sys.stdout)


if __name__ == "__main__":
    _main()
