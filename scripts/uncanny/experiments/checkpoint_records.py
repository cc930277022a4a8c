"""Read what an experiment measured on trained checkpoints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from uncanny.diffusion.theory.decomposition import Decomposition, decompose
from uncanny.diffusion.theory.leading_order import explained_noise, variable_path_kl
from uncanny.diffusion.theory.measured import Measured, at_nodes
from uncanny.runtime import files

SCORES = {"model", "dataset", "metric", "seed", "epoch", "step", "scores"}
LOSSES = {"model", "seed", "epoch", "sigma", "loss", "mmse", "distance", "dim", "second_moment"}


@dataclass(frozen=True)
class Checkpoint:
    """Measurements of one checkpoint.

    losses: its record of `denoising_losses`. scores: entries of its record of `sampler_comparison`,
    one per sampler and sampling seed. step: updates of training.
    """

    model: str
    dataset: str
    metric: str
    seed: int
    epoch: int
    step: int
    losses: Mapping
    scores: list[Mapping]

    @cached_property
    def sigma(self) -> np.ndarray:
        """Noise levels of the losses, [M]."""
        return np.array(self.losses["sigma"])

    @cached_property
    def noise_error(self) -> np.ndarray:
        """Excess error of the noise prediction at each level, per dimension, [M]:
        e² = E‖D - D*‖² / (dim σ²), with D* the best denoiser.
        """
        return np.array(self.losses["distance"]) / (self.losses["dim"] * self.sigma**2)

    @cached_property
    def target(self) -> Measured:
        """The data distribution as the losses of the best denoiser determine it."""
        losses = self.losses
        return Measured(self.sigma, losses["mmse"], losses["dim"], losses["second_moment"])

    def terms(self, nodes: np.ndarray) -> Decomposition:
        """The three errors of the SDE sampler on nodes [N+1]."""
        return decompose(self.target, nodes, at_nodes(self.sigma, self.noise_error, nodes))

    def own_cost(self, nodes: np.ndarray) -> float:
        """The part of the path KL that depends on the schedule, from the model's own loss alone."""
        explained = explained_noise(self.losses["loss"], self.sigma, self.losses["dim"])
        return float(variable_path_kl(at_nodes(self.sigma, explained, nodes), nodes))


def read(compared: Iterable[str | Path], losses: Iterable[str | Path]) -> list[Checkpoint]:
    """Checkpoints from the records of their samples, and of their losses in the same order.

    Raises ValueError that names a record which is missing, damaged, or not of its checkpoint.
    """
    return [_checkpoint(*pair) for pair in zip(compared, losses, strict=True)]


def _checkpoint(compared: str | Path, losses: str | Path) -> Checkpoint:
    scores = _record(compared, SCORES, "samples of a checkpoint")
    measured = _record(losses, LOSSES, "losses of a checkpoint")
    shared = ("model", "seed", "epoch")
    if any(scores[key] != measured[key] for key in shared):
        raise ValueError(
            f"{losses}: {', '.join(shared)} are {[measured[key] for key in shared]}; expected "
            f"{[scores[key] for key in shared]}"
        )
    names = ("model", "dataset", "metric", "seed", "epoch", "step")
    return Checkpoint(
        **{key: scores[key] for key in names}, losses=measured, scores=scores["scores"]
    )


def _record(path: str | Path, keys: set[str], kind: str) -> dict:
    record = files.read_json(path)
    if not keys <= set(record):
        raise ValueError(f"{path}: not {kind}; expected the keys {', '.join(sorted(keys))}")
    return record
