"""A metric rises or falls with epochs, guidance scale or number of evaluations."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import replicates
from uncanny.claims.compare import grouped, over_groups
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding, NotTestable
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a",)


def slope(
    cells: Cells,
    *,
    expect: Literal["rises", "falls"],
    x: Literal["epoch", "scale", "nfe"] = "epoch",
    metric: str = "is10",
    per: Literal["none", "model"] = "none",
    require: Quorum = "all",
) -> Finding:
    """The metric itself, whether more or less is better, rises (falls) along x: the 95 % interval
    of the slope is above (below) 0; refuted if it is on the other side.

    Least squares on the mean curve of the selection, sum (x - mean x) y / sum (x - mean x)^2, in %
    of its mean per epoch, or per tenfold scale or number of evaluations (then of means over
    epochs).
    """

    def evaluate(keys, name):
        curves = [cells.curve("a", key, metric) for key in keys]
        points, values, errors = _along_epochs(curves) if x == "epoch" else _along(curves, x)
        if len(points) < 3:
            raise NotTestable(f"{len(points)} points along {x}: a slope needs at least 3")
        centred = points - points.mean()
        estimator = 100 * centred / np.sum(centred**2) / abs(values.mean())
        slopes = replicates(values, errors, cells.rng(f"{metric}/{x}/{name}")) @ estimator
        return _finding(cells, curves, values.mean(axis=0) @ estimator, slopes, (expect, metric, x))

    return over_groups(grouped(cells.selected("a"), per), require, evaluate)


def _along_epochs(curves: list[Curve]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if len({curve.epochs for curve in curves}) > 1:
        raise NotTestable("curves have different epochs")
    return np.array(curves[0].epochs, float), *_mean(curves, lambda c: c.sampling_means)


def _along(curves: list[Curve], x: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log10 of the different x, and the mean over epochs and curves at each [R, x]."""
    positions = sorted({getattr(curve, x) for curve in curves})
    if not all(np.isfinite(position) and position > 0 for position in positions):
        raise NotTestable(f"{x} is {positions}, expected numbers above 0")
    columns = [
        _mean([c for c in curves if getattr(c, x) == position], lambda c: c.level(per_epoch=False))
        for position in positions
    ]
    return np.log10(positions), *(
        np.concatenate(arrays, axis=1) for arrays in zip(*columns, strict=True)
    )


def _mean(curves: list[Curve], level: Callable) -> tuple[np.ndarray, np.ndarray]:
    values, errors = zip(*map(level, curves), strict=True)
    return np.mean(values, axis=0), np.sqrt(np.sum(np.square(errors), axis=0)) / len(curves)


def _finding(cells: Cells, curves, estimate: float, slopes: np.ndarray, names) -> Finding:
    expect, metric, x = names
    low, high = rules.interval(slopes)
    up, down = (SUPPORTED, REFUTED) if expect == "rises" else (REFUTED, SUPPORTED)
    verdict = up if low > 0 else down if high < 0 else INCONCLUSIVE
    p = 2 * min(rules.tail(slopes <= 0), rules.tail(slopes >= 0))
    unit = "% per epoch" if x == "epoch" else f"% per tenfold {x}"
    return Finding(
        verdict,
        f"{metric} changes by {estimate:+.2g} {unit} ({low:+.2g} to {high:+.2g})",
        estimate=float(estimate),
        low=low,
        high=high,
        unit=unit,
        p=1.0 if verdict == INCONCLUSIVE else min(1.0, p),
        detectable=rules.detectable(slopes),
        suffixes=cells.suffixes,
        cells=tuple(curve.name for curve in curves),
    )
