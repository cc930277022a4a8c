"""Trajectories of a toy model in phase space: one pixel, data from a mixture, an exact score."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.distributions import Normal

from uncanny.diffusion.linear_process import Process, sampling_times
from uncanny.registry import components
from uncanny.registry.option_types import Positive, PositiveInt, Seed, SmallInt
from uncanny.samplers.phase_euler import phase_euler

BINS = 40
COLUMNS = ["process", "role", "path", "component", "t", "x", "m", "low", "high", "density", "exact"]


def phase_trajectories(
    *,
    recipes: dict,
    centres: list[float] = [-1.0, 1.0],  # noqa: B006
    width: Positive = 0.25,
    beta_0: Positive = 8.0,
    num_steps: PositiveInt = 250,
    paths: PositiveInt = 10000,
    shown: SmallInt = 4,
    seed: Seed = 0,
) -> tuple[pd.DataFrame, list[dict]]:
    """Sample every process by Euler-Maruyama with the exact score of an equally weighted mixture.

    recipes: name → block of `recipes` with two components. centres, width: means and standard
    deviation of the mixture's components. num_steps: on quadratic times down to 0.001, without
    denoising. Rows of role "path": states (x, m) of the first `shown` of `paths` trajectories at
    every time. Rows of role "marginal": density of x and of m at the last time in bins from low to
    high, of all trajectories and, exact, of the process. No verdicts. Raises ValueError for recipes
    of another size.
    """
    rows = []
    for name, block in recipes.items():
        recipe = components.call("recipes", block)
        if recipe.size != 2:
            raise ValueError(
                f"recipes.{name}: {recipe.size} components; expected position and momentum"
            )
        toy = Toy(Process(recipe, beta_0), centres, width, shown)
        end = toy.sample(num_steps, paths, seed)
        rows += [{"process": name} | row for row in (*toy.paths(end), *toy.marginals(end))]
    return pd.DataFrame(rows, columns=COLUMNS), []


class Toy:
    """Score of the mixture under a process, as samplers call it; records the states it is given."""

    def __init__(self, process: Process, centres: list[float], width: float, shown: int):
        self.process, self.width, self.shown = process, width, shown
        self.means = torch.tensor([[centre, 0.0] for centre in centres], dtype=torch.float64)
        self.initial = process.momentum.clone()
        self.initial[0, 0] = width**2
        self.end = 0.0
        self.history: list[tuple[float, Tensor]] = []

    def __call__(self, z: Tensor, t: float) -> Tensor:
        """grad log p_t, [N, 2] for z [N, 2].

        p_t = mean_k N(m_k, S): grad log p_t = -sum_k w_k S^-1 (z - m_k), with w_k the
        posterior probability of component k.
        """
        self.history.append((float(t), z[: self.shown].clone()))
        means_t = self.means @ self.process.flow(t).T
        inverse = torch.linalg.inv(self.process.covariance(t, self.initial))
        offsets = z[:, None] - means_t
        scaled = offsets @ inverse
        share = torch.softmax(-(offsets * scaled).sum(dim=2) / 2, dim=1)
        return -(share[:, :, None] * scaled).sum(dim=1)

    def sample(self, num_steps: int, paths: int, seed: int) -> Tensor:
        """States [paths, 2] at the last time."""
        generator = torch.Generator().manual_seed(seed)

        def noise(step: int, like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=generator, dtype=like.dtype)

        z = self.process.prior(noise(0, torch.empty(paths, 2)))
        times = sampling_times(num_steps, "quadratic", denoise=False)
        self.end = float(times[-1])
        return phase_euler(self, z, times, noise=noise)

    def paths(self, end: Tensor) -> Iterator[dict]:
        for t, states in [*self.history, (self.end, end[: self.shown])]:
            for path, (x, m) in enumerate(states.tolist()):
                yield {"role": "path", "path": path, "t": t, "x": x, "m": m}

    def marginals(self, end: Tensor) -> Iterator[dict]:
        """Densities of both components in BINS bins, four standard deviations beyond the means."""
        means_t = self.means @ self.process.flow(self.end).T
        spreads = self.process.covariance(self.end, self.initial).diagonal().sqrt()
        for component in (0, 1):
            means, scale = means_t[:, component], float(spreads[component])
            ends = float(means.min()) - 4 * scale, float(means.max()) + 4 * scale
            density, edges = np.histogram(end[:, component].numpy(), BINS, ends)
            density = density / len(end) / np.diff(edges)
            exact = _mean_density(means, scale, torch.from_numpy(edges))
            for low, high, measured, true in zip(edges, edges[1:], density, exact, strict=False):
                in_bin = {"low": float(low), "high": float(high), "density": float(measured)}
                yield {"role": "marginal", "component": component, "exact": true} | in_bin


def _mean_density(means: Tensor, scale: float, edges: Tensor) -> list[float]:
    """Mean density of the mixture in each bin."""
    below = Normal(means, scale).cdf(edges[:, None]).mean(dim=1)
    return (below.diff() / edges.diff()).tolist()
