"""What an error of the network becomes in a step of the sampler, by process and time."""

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
    """One row per process, time, component of the state that errs, and component of eps whose error
    it is: |beta G G^T L^-T|, the error of an Euler step of unit length over that of eps
    (`phase_space.Process.amplification`). No verdicts.

    recipes: name -> block of `recipes`; names of models take their colours in figures. times:
    `points` from `first` to 1, in equal ratios. Components are numbered: 0 is the image.
    """
    times = torch.logspace(np.log10(first), 0, points, dtype=torch.float64)
    rows = []
    for name, block in recipes.items():
        options = dict(block)
        recipe = components.load("recipes", options.pop("kind"))(**options)
        factors = Process(recipe, beta_0, beta_1).amplification(times).abs()
        for of, by in itertools.product(range(recipe.size), repeat=2):
            values = zip(times.tolist(), factors[:, of, by].tolist(), strict=True)
            rows += [(name, t, of, by, value) for t, value in values]
    return pd.DataFrame(rows, columns=["process", "t", "component", "of_eps", "value"]), []
