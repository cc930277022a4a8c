"""Forward processes by their matrices D and Q, and what these amount to."""

import pandas as pd
import torch

from uncanny.diffusion import recipes as registered
from uncanny.diffusion.recipe import Recipe
from uncanny.registry import components
from uncanny.tables import Contents

NEEDS = "config"


def recipes(contents: Contents) -> pd.DataFrame:
    """One row per process: those of `diffusion.recipes` with their defaults, then those of the
    table's models that differ.

    Matrices are those of unit speed: β(t) multiplies D, Q and the gap. Residual: the largest entry
    of FΣ∞ + Σ∞Fᵀ + GGᵀ, 0 in exact arithmetic. Spectral gap: the slowest rate of forgetting.
    """
    by_process = {}
    for kind in components.kinds("recipes"):
        options = components.signature("recipes", kind).options.values()
        if all(default is not components.REQUIRED for _, default in options):
            by_process[kind] = getattr(registered, kind)()
    for model, identity in contents.models.items():
        options = dict(identity["process"].get("recipe", {}))
        if not options:
            raise ValueError(f"table: model {model!r} has no recipe; expected models of recipes")
        recipe = getattr(registered, options.pop("kind"))(**options)
        if not any(_same(recipe, other) for other in by_process.values()):
            by_process[contents.label("models", model)] = recipe
    return pd.DataFrame([{"process": name} | _row(recipe) for name, recipe in by_process.items()])


def _same(one: Recipe, other: Recipe) -> bool:
    pairs = [(getattr(one, n), getattr(other, n)) for n in ("D", "Q", "Sigma_inf")]
    return all(
        a is b or (a is not None and b is not None and a.shape == b.shape and torch.allclose(a, b))
        for a, b in pairs
    )


def _row(recipe: Recipe) -> dict:
    report = recipe.validate()
    stationary = "none" if recipe.Sigma_inf is None else f"N(0, {_written(recipe.Sigma_inf)})"
    return {
        "D": _written(recipe.D),
        "Q": _written(recipe.Q),
        "H": _energy(recipe),
        "stationary law": stationary,
        "residual": report.lyapunov,
        "spectral gap": report.spectral_gap,
        "as a noising process": report.problem or "yes",
    }


def _written(matrix: torch.Tensor) -> str:
    """A matrix in a line: a number, a diagonal, or its rows."""
    numbers = [[f"{value:.4g}" for value in row] for row in matrix.tolist()]
    if len(matrix) == 1:
        return numbers[0][0]
    if torch.equal(matrix, torch.diag(matrix.diagonal())):
        return f"diag({', '.join(row[i] for i, row in enumerate(numbers))})"
    return "[" + "; ".join(", ".join(row) for row in numbers) + "]"


def _energy(recipe: Recipe) -> str:
    """H of the stationary law exp(-H)."""
    if recipe.Sigma_inf is None:
        return "constant"
    precision = torch.linalg.inv(recipe.Sigma_inf)
    if not torch.equal(precision, torch.diag(precision.diagonal())):
        return "½ zᵀΣ∞⁻¹z"
    names = ["x", "m"] if recipe.size <= 2 else ["x", *(f"m{i}" for i in range(1, recipe.size))]
    halves = (precision.diagonal() / 2).tolist()
    pairs = zip(halves, names, strict=False)
    return " + ".join(f"{half:.4g} {name}²" for half, name in pairs)
