"""Processes of the phase-space oracle, and models of Gaussian data whose score is known there.

tests/data/psld.npz holds results of the public code of PSLD and CLD, run in float64, and of an
independent derivation: kernels, single steps, whole runs with their noise, moments of samplers.
"""

import re

import torch
from exact import arrays, tensor
from torch import Tensor

from uncanny.diffusion import recipes
from uncanny.diffusion.augmented_state import apply
from uncanny.diffusion.linear_process import Process

STORED = arrays("psld")
MEAN, VARIANCE = 0.3, 0.25  # of the data in every pixel
AUGMENTED = ["psld_gamma0.01", "psld_gamma0.25", "cld_gamma0"]


def stored(name: str) -> Tensor:
    return tensor(STORED[name])


def process(key: str, **options) -> Process:
    """The process that an oracle key names, e.g. psld_gamma0.01_nu4.01 or vp."""
    if key.startswith("vp"):
        return Process(recipes.vp(), 0.1, 20.0, **options)
    result = re.search(r"gamma([\d.]+)(?:_nu([\d.]+))?", key)
    gamma, nu = float(result[1]), float(result[2]) if result[2] else None
    speed = (0.1, 20.0) if "betalin" in key else (8.0, None)
    return Process(recipes.psld(gamma=gamma, nu=nu), *speed, **options)


def data_covariance(process: Process, variance: float = VARIANCE) -> Tensor:
    """Covariance of (x, m) at t = 0: data of that variance, momentum at its start."""
    initial = process.momentum.clone()
    initial[0, 0] = variance
    return initial


class ExactPhase:
    """Score of data N(mean, variance) in every pixel under a process; 0 where it is not learnt.

    where: on which entries of the image the data have their mean; all others have mean 0.
    """

    def __init__(self, process, mean=MEAN, variance=VARIANCE, where=1.0):
        self.process, self.where, self.calls = process, where, 0
        self.start = torch.zeros(process.size, dtype=torch.float64)
        self.start[0] = mean
        self.initial = data_covariance(process, variance)

    def moments(self, t) -> tuple[Tensor, Tensor]:
        """Mean [..., d] and covariance [..., d, d] at t."""
        return self.process.flow(t) @ self.start, self.process.covariance(t, self.initial)

    def __call__(self, z: Tensor, t, rows=None) -> Tensor:
        self.calls += 1
        mean, covariance = self.moments(t)
        shape = [-1, self.process.size] + [1] * (z.ndim - 1)
        blocks = z.unflatten(1, (self.process.size, -1))
        centred = (blocks - mean.reshape(shape) * self.where).flatten(1, 2)
        kept = torch.zeros(self.process.size, 1, dtype=torch.float64)
        kept[self.process.predicted] = 1
        return -apply(kept * torch.linalg.inv(covariance), centred)


class Tracked:
    """Independent sources of randomness followed through an affine sampler of one pixel.

    A state is [1, d, 1 + sources]: entry 0 carries the mean, entry k the coefficient of source k,
    so that mean and covariance of the output follow exactly.
    """

    def __init__(self, process: Process, draws: int):
        self.size = process.size
        self.entries = 1 + self.size * (1 + draws)
        self.where = torch.zeros(self.entries, dtype=torch.float64)
        self.where[0] = 1

    def begin(self, mean: Tensor, covariance: Tensor) -> Tensor:
        z = torch.zeros(1, self.size, self.entries, dtype=torch.float64)
        z[0, :, 0] = mean
        z[0, :, 1 : 1 + self.size] = torch.linalg.cholesky(covariance)
        return z

    def noise(self, step: int, like: Tensor) -> Tensor:
        fresh = torch.zeros_like(like)
        first = 1 + self.size * (step + 1)
        fresh[0, :, first : first + self.size] = torch.eye(self.size, dtype=like.dtype)
        return fresh

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [d] and covariance [d, d]."""
        spread = z[0, :, 1:]
        return z[0, :, 0], spread @ spread.T
