"""Plateaus of curves with their uncertainty: what plateau, not_converged and earlier share."""

from collections.abc import Sequence

import numpy as np

from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import NotTestable
from uncanny.evaluation import convergence


def starts(cells: Cells, keys: Sequence[tuple], selection: str, metric: str, question: str):
    """Draws [B, C] of the plateau's start E* of C curves, infinite where there is none, and of
    its code [B, C] (convergence.CODES).

    Curves share the weights of their runs: what one training seed does to all moves all.
    """
    curves = [cells.curve(selection, key, metric) for key in keys]
    rng = cells.rng(f"{metric}/runs")
    weights = convergence.replicate_weights(len(curves[0].seeds), convergence.DRAWS, rng)
    found = [
        _read(cells, curve, metric, weights, f"{metric}/{question}/{curve.name}")
        for curve in curves
    ]
    return tuple(np.stack([getattr(f, name) for f in found], axis=1) for name in ("start", "code"))


def _read(cells: Cells, curve: Curve, metric: str, weights: np.ndarray, question: str):
    floor, ceiling = cells.scores.bounds(curve.model, metric) or (None, None)
    values, errors = curve.over_draws
    try:
        return convergence.read_draws(
            *(curve.epochs, values, errors, weights, cells.rng(question)),
            **{"floor": floor, "ceiling": ceiling, "increasing": curve.sign > 0},
        )
    except ValueError as problem:
        raise NotTestable(f"{curve.name}: {problem}") from None


def middle(drawn: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Median of draws [B] of E* and their 95 % interval; None where it is infinite."""
    levels = [0.5, 0.025, 0.975]
    found = np.quantile(drawn, levels, method="inverted_cdf")
    return tuple(float(q) if np.isfinite(q) else None for q in found)


def spacing(curve: Curve) -> float:
    """Resolution of E*: the median spacing of the epochs. Smaller differences are ties."""
    return float(np.median(np.diff(curve.epochs)))


def median_start(drawn: np.ndarray) -> np.ndarray:
    """Median over curves of draws [B, C], infinite where half of them have no plateau."""
    return np.quantile(drawn, 0.5, axis=1, method="inverted_cdf")


def epoch_text(value: float | None) -> str:
    return "not within the epochs" if value is None else f"at epoch {value:g}"
