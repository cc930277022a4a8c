"""The two sizes at which things are compared, and our models at these sizes."""

import dataclasses
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch

from uncanny.datasets import Split
from uncanny.networks import building
from uncanny.registry import blocks
from uncanny.sampling import drawing
from uncanny.training import loop
from uncanny.training.stream import Stream

RECIPE = {"lr": 0.0002, "lr_rampup_images": 0, "grad_clip": 1.0, "augment": "none"}
RECIPE |= {"ema": {"kind": "constant", "beta": 0.9999}}


@dataclass(frozen=True)
class Scale:
    """shape: of an image. batch: images at once. steps: of a solver. groups: of norms in a peer.
    precision: of our recipe.
    """

    shape: tuple[int, ...]
    batch: int
    steps: int
    groups: int
    unet: dict
    song_unet: dict
    precision: str = "fp32"

    def of(self, batch: int | None) -> "Scale":
        return self if batch is None else dataclasses.replace(self, batch=batch)

    def identity(self, family: str) -> dict:
        """Complete parameters of the DDPM U-Net (`discrete`) or of DDPM++ with VP (`continuous`)."""
        kinds = {
            "discrete": ("unet", {}, {"kind": "linear", "scale": 1.0}),
            "continuous": ("song_unet", {"preconditioning": "vp"}, None),
        }
        kind, process, schedule = kinds[family]
        return {
            "process": {"kind": family} | process,
            "schedule": schedule,
            "network": {"kind": kind} | getattr(self, kind),
            "training": RECIPE | {"batch_size": self.batch, "precision": self.precision},
            "conditional": False,
        }

    def images(self, count: int = 512) -> np.ndarray:
        """Pixels of noise, uint8."""
        return np.random.default_rng(0).integers(0, 256, (count, *self.shape), dtype=np.uint8)


CIFAR = {"width": 128, "blocks": 2, "multipliers": [1, 2, 2, 2], "attention": [16], "dropout": 0.1}
DIGITS = {"width": 16, "blocks": 1, "multipliers": [1, 2], "attention": [4], "dropout": 0.0}
SCALES = {
    "cifar": Scale((3, 32, 32), 8, 4, 32, CIFAR, {"width": 128, "blocks": 4, "dropout": 0.13}),
    "digits": Scale((1, 8, 8), 32, 18, 4, DIGITS, DIGITS),
}


def begun(scale: Scale, family: str, device: torch.device) -> loop.Run:
    """A training before its first update."""
    identity = scale.identity(family)
    loss = building.build_family(identity).loss
    data = SimpleNamespace(
        train=Split(scale.images(), np.zeros(512, np.int64)), num_classes=0, shape=scale.shape
    )
    stream = Stream(data, scale.batch, 0, conditional=False)
    build = partial(building.build_network, identity, scale.shape, 0)
    return loop.begin(build, loss, stream, identity["training"], 0, device)


def updates(scale: Scale, family: str, device: torch.device, count: int = 1):
    """(so many updates of our training as a work, the network)."""
    run = begun(scale, family, device)
    return lambda _: loop.advance(run, count), run.network


def sampler(family: str, options: dict) -> dict:
    """The complete block of a sampler. options: its kind, and options as a config has them."""
    rest = {key: value for key, value in options.items() if key != "kind"}
    return blocks.sampler(options["kind"], family, rest, "sampler")


def model(scale: Scale, family: str, device: torch.device) -> drawing.Trained:
    """A model with random weights, ready to be sampled."""
    identity, torch_seed = scale.identity(family), 0
    torch.manual_seed(torch_seed)
    network = building.build_network(identity, scale.shape, 0).to(device)
    for parameter in network.parameters():  # layers that start at zero would give an easy network
        torch.nn.init.normal_(parameter, std=0.02)
    network.eval().requires_grad_(False)
    return drawing.Trained(building.build_family(identity), network, scale.shape, 0, False)
