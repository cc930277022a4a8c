"""Plateaus of curves over training epochs.

A plateau is read off the curve by thresholds (no model of its shape); its uncertainty comes from
seeded replicates of the curve. Metrics that fall during training (FID, KID) are analysed as -value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_POINTS = 6
FOLLOWING = 2  # fewest points after E*: a plateau of fewer may be chance
CHANCE = 0.2  # share of the way from noise to real images that a trained model must exceed
REPLICATES = 2000  # of a curve
RISING, FALLING = 0.01, 0.02  # default thresholds: of the maximum, of the descent
CODES = ("converged", "peaked", "not_converged", "failed")


@dataclass(frozen=True)
class Plateau:
    """Reading of one curve.

    status: one of CODES; not_converged is right-censored at the last epoch. epoch: start of the
    plateau E*, None unless converged or peaked. level: mean value from E* on; for a peaked curve
    the best value, as its end is no plateau; else None. threshold: largest gain or loss that counts
    as none, in the metric's unit. reached: first epoch with no gain left, whatever the status.
    peaked: the curve ends worse than its best by more than the threshold. best, best_epoch: its
    best value and where. points: number of points that were used.
    """

    status: str
    epoch: float | None
    level: float | None
    threshold: float
    reached: float
    peaked: bool
    best: float
    best_epoch: float
    points: int


def plateau(
    epochs: Sequence[float],
    values: Sequence[float] | np.ndarray,
    se: Sequence[float] | np.ndarray | None = None,
    *,
    floor: float | None,
    ceiling: float | None,
    rel: float | None = None,
    increasing: bool = True,
) -> Plateau:
    """Find the plateau of values [m] at epochs [m], in any order.

    With y the values (their negatives for a falling metric) and best = max y, gains up to
    tau = max(rel best, 2 median se) count as none; for a falling metric rel is a share of the
    descent from the first value to the best. E* is the first epoch i with max_{j>=i} y_j - y_i <=
    tau. The curve is failed if its best lies within the first fifth of the way from floor (metric
    of noise images) to ceiling (of real images); not_converged if fewer than two points follow E*;
    peaked if the best from E* on exceeds the last value by more than tau; else converged.

    values [R, m]: the mean over R training seeds is read. se: standard errors of the evaluation,
    like values, None or NaN where unknown; a difference between training seeds that all epochs
    share does not belong to it (shape_error). rel: None means 0.01, or 0.02 for a falling metric.
    floor, ceiling: None for no failure test. Points without a finite value are left out. Raises
    ValueError when fewer than six are left, when an epoch is repeated, for a negative se or rel,
    and when floor and ceiling are the wrong way round.
    """
    epochs, values, se = _checked(epochs, values, se)
    curve, error, sign = values.mean(axis=0), shape_error(values, se), 1 if increasing else -1
    bar = _failure_bar(floor, ceiling, sign)
    code, first, tau = _read(sign * curve[None], error, bar, rel, increasing)
    status, onset, best = CODES[code[0]], int(first[0]), int(np.argmax(sign * curve))
    levels = {"converged": float(curve[onset:].mean()), "peaked": float(curve[best])}
    return Plateau(
        status=status,
        epoch=float(epochs[onset]) if status in levels else None,
        level=levels.get(status),
        threshold=float(tau[0]),
        reached=float(epochs[onset]),
        peaked=bool(sign * (curve[best] - curve[-1]) > tau[0]),
        best=float(curve[best]),
        best_epoch=float(epochs[best]),
        points=len(curve),
    )


def _checked(epochs, values, se) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Epochs [m], values and standard errors [R, m] of the complete points, in order of epochs."""
    epochs, values = np.asarray(epochs, float), np.atleast_2d(np.asarray(values, float))
    se = np.full(values.shape, np.nan) if se is None else np.atleast_2d(np.asarray(se, float))
    if values.ndim > 2 or values.shape != se.shape or epochs.shape != values.shape[1:]:
        shapes = f"{epochs.shape}, {values.shape}, {se.shape}"
        raise ValueError(f"epochs, values and se have the shapes {shapes}, expected one length")
    if len(np.unique(epochs)) < len(epochs):
        raise ValueError(f"an epoch is repeated in {epochs.tolist()}")
    if np.any(se < 0):
        raise ValueError(f"se has the negative value {np.nanmin(se)}")
    # An epoch counts only where all training seeds have it: else the mean would jump between seeds.
    order = np.argsort(epochs)
    used = order[np.isfinite(values[:, order]).all(axis=0)]
    if len(used) < FEWEST_POINTS:
        raise ValueError(f"{len(used)} points: a plateau needs at least {FEWEST_POINTS}")
    return epochs[used], values[:, used], se[:, used]


def _failure_bar(floor: float | None, ceiling: float | None, sign: int) -> float:
    """Largest best value of a failed curve, as sign * value."""
    if floor is None or ceiling is None:
        return -np.inf
    if sign * ceiling <= sign * floor:
        raise ValueError(f"floor {floor} (noise) is no worse than ceiling {ceiling} (real images)")
    # floor + (ceiling - floor)/5
    return sign * (floor + CHANCE * (ceiling - floor))


def _read(y, se, bar, rel, increasing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Code of the status, index of E* and threshold of each upward curve of y [B, m]."""
    rel = (RISING if increasing else FALLING) if rel is None else rel
    if rel < 0:
        raise ValueError(f"rel is {rel}, expected at least 0")
    best = y.max(axis=1)
    # tau = max(rel * scale, 2 median se); scale: the maximum, or y_best - y_0 of a falling metric.
    # The median is over known se (finite); without any, rel alone decides.
    noise = 2 * np.median(se[np.isfinite(se)]) if np.isfinite(se).any() else 0.0
    tau = np.maximum(rel * (best if increasing else best - y[:, 0]), noise)
    # E* = min {i : max_{j >= i} y_j - y_i <= tau}; argmax finds the first True
    future_best = np.maximum.accumulate(y[:, ::-1], axis=1)[:, ::-1]
    first = np.argmax(future_best - y <= tau[:, None], axis=1)
    # The remaining gain is zero at the best, which therefore lies at or after E*.
    # The first condition that holds decides: failed, not converged, peaked.
    conditions = [best <= bar, y.shape[1] - 1 - first < FOLLOWING, best - y[:, -1] > tau]
    return np.select(conditions, [3, 2, 1], 0), first, tau


# --- Uncertainty ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlateauDistribution:
    """Plateaus of B replicates of a curve: start [B] is E*, infinite without one; code [B]."""

    epochs: np.ndarray
    start: np.ndarray
    code: np.ndarray

    @property
    def censored(self) -> float:
        """Probability that the plateau is not reached within the epochs."""
        return self.frequencies["not_converged"]

    @property
    def frequencies(self) -> dict[str, float]:
        """Probability of each status."""
        return {name: float(np.mean(self.code == code)) for code, name in enumerate(CODES)}

    @property
    def probabilities(self) -> dict[float, float]:
        """Probability of each epoch of being E*; the rest of 1 has no plateau."""
        return {float(epoch): float(np.mean(self.start == epoch)) for epoch in self.epochs}

    def mass(self, low: float, high: float) -> float:
        """Probability of low <= E* <= high."""
        return float(np.mean((self.start >= low) & (self.start <= high)))

    def quantiles(self, *levels: float) -> list[float]:
        """Quantiles of E*, on the grid of the epochs; infinite where there is no plateau."""
        # inverted_cdf takes no mean of two values, one of which may be infinite.
        return [float(q) for q in np.quantile(self.start, levels, method="inverted_cdf")]


def plateau_distribution(
    epochs: Sequence[float],
    values: np.ndarray,
    se: np.ndarray | None,
    *,
    floor: float | None,
    ceiling: float | None,
    rel: float | None = None,
    increasing: bool = True,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> PlateauDistribution:
    """Distribution of the plateau under the errors of values [m], or [R, m] for R training seeds.

    Each of curve_replicates is read as in plateau. The observed curve already holds noise and a
    replicate adds as much again, so that its E* comes somewhat late. An epoch that one seed lacks
    is left out. Raises ValueError as plateau does, and where the error is unknown.
    """
    rng = np.random.default_rng(seed)
    weights = replicate_weights(len(np.atleast_2d(values)), replicates, rng)
    options = {"floor": floor, "ceiling": ceiling, "rel": rel, "increasing": increasing}
    return plateau_replicates(epochs, values, se, weights, rng, **options)


def plateau_replicates(
    epochs, values, se, weights, rng, *, floor, ceiling, rel=None, increasing=True
):
    """plateau_distribution from weights [B, R], which curves of the same runs share."""
    epochs, values, se = _checked(epochs, values, se)
    sign = 1 if increasing else -1
    bar = _failure_bar(floor, ceiling, sign)
    curves = curve_replicates(values, se, weights, rng)
    code, first, _ = _read(sign * curves, shape_error(values, se), bar, rel, increasing)
    # Converged (0) and peaked curves (1) have a plateau.
    return PlateauDistribution(epochs, np.where(code <= 1, epochs[first], np.inf), code)


def shape_error(values: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Standard error [m] of the mean over R training seeds of values [R, m], apart from its level.

    A seed that is better at all epochs moves no plateau, and must not widen the threshold. The
    larger of the spread between curves less their own means and the evaluation error
    sqrt(sum se²)/R: curves that agree by chance promise no more than their evaluation can.
    """
    # Independent evaluation errors: Var(mean over r) = Σ_r se_r² / R²
    evaluation = np.sqrt(np.sum(se**2, axis=0)) / len(se)
    if len(values) < 2:
        return evaluation
    # Spread of the shapes y_r(t) - mean_t y_r, without the level of each curve
    shapes = values - values.mean(axis=1, keepdims=True)
    # fmax ignores NaN, an unknown evaluation error.
    return np.fmax(shapes.std(axis=0, ddof=1) / np.sqrt(len(values)), evaluation)


def replicate_weights(runs: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Weights [B, R] of R runs: mean + weights @ (values - mean) are B replicates of their mean.

    Resampling R = 3 runs would understate their spread by sqrt(2/3) and know only ten samples. Here
    every single value has exactly its t distribution with R - 1 degrees of freedom, and values of
    one run keep their correlation. R = 1: zeros.
    """
    if runs < 2:
        return np.zeros((replicates, runs))
    freedom = runs - 1
    # Σ_r z_r (y_r - ȳ)/sqrt(R) ~ N(0, s²/R) for z ~ N(0, 1): the deviations sum to zero.
    # Times sqrt((R-1)/χ²_{R-1}), as the spread s is itself estimated: Student's t.
    scale = np.sqrt(freedom / rng.chisquare(freedom, (replicates, 1)))
    return scale * rng.standard_normal((replicates, runs)) / np.sqrt(runs * freedom)


def curve_replicates(values: np.ndarray, se: np.ndarray, weights: np.ndarray, rng) -> np.ndarray:
    """Replicates [B, m] of the mean over the R training seeds of values [R, m].

    Evaluation errors are drawn independently per epoch; differences between seeds are drawn as
    whole curves (replicate_weights), shrunk by the share of their variance that is evaluation
    error, so that no error counts twice. Raises ValueError where R = 1 and a se is unknown.
    """
    # ȳ(t) + share Σ_r w_r (y_r(t) - ȳ(t)) + e(t) z(t), with e² = Σ_r se_r²/R² and z ~ N(0, 1)
    deviations = values - values.mean(axis=0)
    known = np.isfinite(se).all(axis=0)
    if len(values) < 2 and not known.all():
        raise ValueError("one training seed and no standard error: the curve's error is unknown")
    # Standard error of the mean from the evaluation alone; zero where unknown, as the spread has it
    evaluation = np.where(known, np.sqrt(np.sum(se**2, axis=0)), 0.0) / len(values)
    # Var between curves = Var(seed) + Var(evaluation): share² = 1 - mean se²/spread
    spread = np.mean(deviations**2) * len(values) / max(len(values) - 1, 1)
    noise = np.mean(np.where(known, se, 0.0) ** 2)
    share = np.sqrt(max(0.0, 1 - noise / spread)) if spread > 0 else 0.0
    errors = evaluation * rng.standard_normal((len(weights), values.shape[1]))
    return values.mean(axis=0) + share * weights @ deviations + errors
