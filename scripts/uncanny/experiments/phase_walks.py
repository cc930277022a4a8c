"""Walks of a toy in phase space: one pixel whose data are a mixture, so that its score is exact."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.distributions import Normal

from uncanny.diffusion.linear_process import Process, walk_times
from uncanny.registry import components
from uncanny.registry.option_types import Positive, PositiveInt, Seed, SmallInt
from uncanny.samplers.phase_euler import phase_euler

BINS = 40
COLUMNS = ["process", "role", "path", "component", "t", "x", "m", "low", "high", "density", "exact"]


def phase_walks(
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
    """Euler-Maruyama walks of every process, with the exact score of a mixture in equal parts.

    recipes: name -> block of `recipes` with two components. centres, width: means of the data's
    parts and their standard deviation. num_steps: on quadratic times, to 0.001, without denoising.
    Rows of role "path" are the states (x, m) of the first `shown` walks at every time; those of
    role "marginal" the density of x and of m at the end, in bins from low to high, of all walks and
    of the truth at that time. No verdicts. Raises ValueError for recipes of another size.
    """
    rows = []
    for name, block in recipes.items():
        options = dict(block)
        recipe = components.load("recipes", options.pop("kind"))(**options)
        if recipe.size != 2:
            raise ValueError(
                f"recipes.{name}: {recipe.size} components; expected position and momentum"
            )
        toy = Toy(Process(recipe, beta_0), centres, width, shown)
        end = toy.walk(num_steps, paths, seed)
        found = [*toy.paths(end), *toy.marginals(end)]
        rows += [{"process": name} | row for row in found]
    return pd.DataFrame(rows, columns=COLUMNS), []


class Toy:
    """Score of the mixture under a process, as samplers ask for it; keeps what it is shown."""

    def __init__(self, process: Process, centres: list[float], width: float, shown: int):
        self.process, self.width, self.shown = process, width, shown
        self.means = torch.tensor([[centre, 0.0] for centre in centres], dtype=torch.float64)
        self.initial = process.momentum.clone()
        self.initial[0, 0] = width**2
        self.end = 0.0
        self.seen: list[tuple[float, Tensor]] = []

    def __call__(self, z: Tensor, t: float) -> Tensor:
        """grad log p_t, [N, 2] for z [N, 2]."""
        self.seen.append((float(t), z[: self.shown].clone()))
        moved = self.means @ self.process.flow(t).T
        inverse = torch.linalg.inv(self.process.covariance(t, self.initial))
        away = z[:, None] - moved
        pulled = away @ inverse
        share = torch.softmax(-(away * pulled).sum(dim=2) / 2, dim=1)
        return -(share[:, :, None] * pulled).sum(dim=1)

    def walk(self, num_steps: int, paths: int, seed: int) -> Tensor:
        """States [paths, 2] at the end."""
        generator = torch.Generator().manual_seed(seed)

        def noise(step: int, like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=generator, dtype=like.dtype)

        z = self.process.prior(noise(0, torch.empty(paths, 2)))
        times = walk_times(num_steps, "quadratic", denoise=False)
        self.end = float(times[-1])
        return phase_euler(self, z, times, noise=noise)

    def paths(self, end: Tensor) -> Iterator[dict]:
        for t, states in [*self.seen, (self.end, end[: self.shown])]:
            for path, (x, m) in enumerate(states.tolist()):
                yield {"role": "path", "path": path, "t": t, "x": x, "m": m}

    def marginals(self, end: Tensor) -> Iterator[dict]:
        """Densities of both components in BINS bins that hold all but a few walks."""
        moved = self.means @ self.process.flow(self.end).T
        spreads = self.process.covariance(self.end, self.initial).diagonal().sqrt()
        for component in (0, 1):
            means, scale = moved[:, component], float(spreads[component])
            ends = float(means.min()) - 4 * scale, float(means.max()) + 4 * scale
            density, edges = np.histogram(end[:, component].numpy(), BINS, ends)
            density = density / len(end) / np.diff(edges)
            exact = _mean_density(means, scale, torch.from_numpy(edges))
            for low, high, found, true in zip(edges, edges[1:], density, exact, strict=False):
                bin_of = {"low": float(low), "high": float(high), "density": float(found)}
                yield {"role": "marginal", "component": component, "exact": true} | bin_of


def _mean_density(means: Tensor, scale: float, edges: Tensor) -> list[float]:
    """Density of the mixture averaged over each bin."""
    below = Normal(means, scale).cdf(edges[:, None]).mean(dim=1)
    return (below.diff() / edges.diff()).tolist()
