"""What an experiment measured on trained checkpoints, read from its records."""

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
    """One checkpoint: losses, its record of `level_losses`; scores, one entry of `comparing` per
    sampler and draw. step: updates made.
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
        """e^2 of the noise prediction at each level, per dimension, [M]."""
        return np.array(self.losses["distance"]) / (self.losses["dim"] * self.sigma**2)

    @cached_property
    def target(self) -> Measured:
        """The law of the data, as far as the best denoiser tells."""
        losses = self.losses
        return Measured(self.sigma, losses["mmse"], losses["dim"], losses["second_moment"])

    def terms(self, nodes: np.ndarray) -> Decomposition:
        """The three errors of the SDE sampler on nodes [N+1]."""
        return decompose(self.target, nodes, at_nodes(self.sigma, self.noise_error, nodes))

    def own_cost(self, nodes: np.ndarray) -> float:
        """The part of the path KL that a schedule changes, from the model's own loss alone."""
        explained = explained_noise(self.losses["loss"], self.sigma, self.losses["dim"])
        return float(variable_path_kl(at_nodes(self.sigma, explained, nodes), nodes))


def read(compared: Iterable[str | Path], losses: Iterable[str | Path]) -> list[Checkpoint]:
    """Checkpoints from the records of their samples, and of their losses in the same order.

    Raises ValueError that names a record which is missing, damaged, or not of its checkpoint.
    """
    return [_checkpoint(*pair) for pair in zip(compared, losses, strict=True)]


def _checkpoint(compared: str | Path, losses: str | Path) -> Checkpoint:
    scores = _record(compared, SCORES, "samples of a checkpoint")
    found = _record(losses, LOSSES, "losses of a checkpoint")
    same = ("model", "seed", "epoch")
    if any(scores[key] != found[key] for key in same):
        raise ValueError(
            f"{losses}: of {[found[key] for key in same]}; expected {[scores[key] for key in same]}"
        )
    named = ("model", "dataset", "metric", "seed", "epoch", "step")
    return Checkpoint(**{key: scores[key] for key in named}, losses=found, scores=scores["scores"])


def _record(path: str | Path, keys: set[str], what: str) -> dict:
    record = files.read_json(path)
    if not keys <= set(record):
        raise ValueError(f"{path}: not {what}: expected {', '.join(sorted(keys))}")
    return record
