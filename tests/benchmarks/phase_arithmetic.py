"""What a sampler in phase space computes beside the network, per evaluation: at most 3 % of it.

PYTHONPATH=scripts python tests/benchmarks/phase_arithmetic.py [IMAGES]

The PSLD model of 39.4M parameters (config/psld_paper.yaml) on CIFAR-10's shape, one thread. Each
sampler walks twice in a round: with the network, and with a stand-in that returns what it is shown.
"""

import statistics
import sys
import time
from pathlib import Path

import torch
import yaml

from uncanny.networks import building
from uncanny.sampling import drawing
from uncanny.study import configuration
from uncanny.study.study import Study

ROOT = Path(__file__).resolve().parents[2]
SHAPE, ROUNDS = (3, 32, 32), 3
STEPS = {"EMQ_50": 4, "SSQ_50": 4, "RK_1": None}


class Shown(torch.nn.Module):
    """In the network's place: the components of the state that a network predicts."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels, self.weight = channels, torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, noise, labels=None):
        return x[:, : self.channels]


def seconds(model, options: dict, images: int) -> tuple[float, float]:
    """Processor seconds of a walk, and its evaluations."""
    before = time.process_time()
    drawn = drawing.draw_images(model, options, list(range(images)))
    return time.process_time() - before, drawn.nfe


def main(images: int = 4) -> None:
    torch.set_num_threads(1)
    config = yaml.safe_load((ROOT / "config/psld_paper.yaml").read_text())
    study = Study(configuration.validated(config, ROOT))
    identity = study.identity("psld_01")
    network = building.build_network(identity, SHAPE, 0).eval()
    family = building.build_family(identity)
    stand_in = Shown(len(family.process.predicted) * SHAPE[0])
    for name, steps in STEPS.items():
        options = study.sampler(name, "psld_01")
        if steps:
            options["init_sampling"] |= {"num_steps": steps}
        shares = []
        for _ in range(ROUNDS):
            bare, bare_nfe = seconds(
                drawing.Trained(family, stand_in, SHAPE, 0, False), options, images
            )
            spent, nfe = seconds(drawing.Trained(family, network, SHAPE, 0, False), options, images)
            shares.append(bare / bare_nfe / (spent / nfe - bare / bare_nfe))
        result = f"{100 * statistics.median(shares):.2f} % ({100 * min(shares):.2f} to {100 * max(shares):.2f})"
        print(f"{options['kind']:18} {result} of a network evaluation, {images} images", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
