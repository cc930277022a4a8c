"""Sizes of networks, counted where torch is: here, or in one process of its own. No torch here."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parents[2]


@dataclass(frozen=True)
class Size:
    """parameters; floating-point operations of one evaluation of one image (a multiplication and
    an addition are two); layers: modules with weights, each of which takes time to launch;
    activations: numbers per image in the outputs of all modules, which training keeps.
    """

    parameters: int
    flops: float
    layers: int
    activations: int


@dataclass(frozen=True)
class Network:
    """What is to be counted: options of a raw network, or of an extractor, as JSON; shape of an
    image; number of classes.
    """

    options: str
    shape: tuple[int, ...]
    num_classes: int
    extracts: bool = False


# Network → its size; of an extractor, with its numbers of features and of logits per image
_known: dict[Network, tuple[Size, tuple[int, ...]]] = {}


def of(network: Network) -> Size:
    count([network])
    return _known[network][0]


def widths(extractor: Network) -> tuple[int, ...]:
    """Numbers of features and of logits per image."""
    count([extractor])
    return _known[extractor][1]


def count(networks: Iterable[Network]) -> None:
    """Count the networks that are not known yet, all at once."""
    new = [network for network in dict.fromkeys(networks) if network not in _known]
    if not new:
        return
    if "torch" in sys.modules:
        from uncanny.estimate.networks import counted

        counts = [counted(network) for network in new]
    else:
        counts = _elsewhere(new)
    _known.update(zip(new, counts, strict=True))


def _elsewhere(networks: list[Network]) -> list[tuple[Size, tuple[int, ...]]]:
    # Snakemake's interpreter is quoted for shell commands.
    command = [*shlex.split(sys.executable), "-m", "uncanny.estimate.networks"]
    text = json.dumps([vars(network) for network in networks])
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS), "CUDA_VISIBLE_DEVICES": ""}
    answer = subprocess.run(
        command, input=text, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return [(Size(**size), tuple(widths)) for size, widths in json.loads(answer.stdout)]
