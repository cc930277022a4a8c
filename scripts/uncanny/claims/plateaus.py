"""Plateaus of curves with their uncertainty, for the kinds plateau, not_converged and earlier."""

from collections.abc import Sequence

import numpy as np

from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import NotTestable
from uncanny.evaluation import convergence


def starts(cells: Cells, keys: Sequence[tuple], selection: str, metric: str, question: str):
    """Replicates [B, C] of the plateau's start E* of C curves, infinite without a plateau, and of
    its code [B, C] (convergence.CODES).

    All curves share the weights of the runs, as a training seed may affect all of them alike.
    """
    curves = [cells.curve(selection, key, metric) for key in keys]
    rng = cells.rng(f"{metric}/runs")
    weights = convergence.replicate_weights(len(curves[0].seeds), convergence.REPLICATES, rng)
    plateaus = [
        _read(cells, curve, metric, weights, f"{metric}/{question}/{curve.name}")
        for curve in curves
    ]
    return tuple(
        np.stack([getattr(p, name) for p in plateaus], axis=1) for name in ("start", "code")
    )


def _read(cells: Cells, curve: Curve, metric: str, weights: np.ndarray, question: str):
    floor, ceiling = cells.scores.bounds(curve.model, metric) or (None, None)
    values, errors = curve.sampling_means
    try:
        return convergence.plateau_replicates(
            *(curve.epochs, values, errors, weights, cells.rng(question)),
            floor=floor,
            ceiling=ceiling,
            increasing=curve.sign > 0,
        )
    except ValueError as problem:
        raise NotTestable(f"{curve.name}: {problem}") from None


def middle(starts: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Median of replicates [B] of E* and their 95 % interval; None for infinite values."""
    levels = [0.5, 0.025, 0.975]
    quantiles = np.quantile(starts, levels, method="inverted_cdf")
    return tuple(float(q) if np.isfinite(q) else None for q in quantiles)


def spacing(curve: Curve) -> float:
    """Resolution of E*: the median spacing of the epochs."""
    return float(np.median(np.diff(curve.epochs)))


def median_start(starts: np.ndarray) -> np.ndarray:
    """Median over curves of replicates [B, C], infinite if half of the curves have no plateau."""
    return np.quantile(starts, 0.5, axis=1, method="inverted_cdf")


def epoch_text(value: float | None) -> str:
    return "not within the epochs" if value is None else f"at epoch {value:g}"
