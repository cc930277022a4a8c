"""How a sampling step amplifies an error of the network, by process and time."""

import itertools

import numpy as np
import pandas as pd
import torch

from uncanny.diffusion.linear_process import Process
from uncanny.registry import components
from uncanny.registry.option_types import OpenFraction, Positive, PositiveInt


def error_amplification(
    *,
    recipes: dict,
    beta_0: Positive = 8.0,
    beta_1: Positive | None = None,
    first: OpenFraction = 0.00001,
    points: PositiveInt = 41,
) -> tuple[pd.DataFrame, list[dict]]:
    """Tabulate |beta G G^T L^-T|, the error of an Euler step of unit length over the error of eps
    (`linear_process.Process.amplification`). No verdicts.

    One row per process, time, component of the state (column component), and component of eps
    (of_eps); component 0 is the image. recipes: name → block of `recipes`; names of models have
    their colours in figures. Times: `points` of them from `first` to 1, in equal ratios.
    """
    times = torch.logspace(np.log10(first), 0, points, dtype=torch.float64)
    rows = []
    for name, block in recipes.items():
        recipe = components.call("recipes", block)
        factors = Process(recipe, beta_0, beta_1).amplification(times).abs()
        for row, column in itertools.product(range(recipe.size), repeat=2):
            values = zip(times.tolist(), factors[:, row, column].tolist(), strict=True)
            rows += [(name, t, row, column, value) for t, value in values]
    return pd.DataFrame(rows, columns=["process", "t", "component", "of_eps", "value"]), []
