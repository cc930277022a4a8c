"""What curves gain from some epochs of a training to others: at its end, before and after a window.

Gains are positive where the metric gets better: in shares of the curve's level, for FID and KID of
their descent from noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from uncanny.claims import curve_rules
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.effects import Effect, Terms, at, by_model, effect, row
from uncanny.claims.finding import NotTestable
from uncanny.evaluation import late_gain


def late(curve: Curve) -> Terms:
    """Terms of the gain over a third of the training at the slope of its last 40 %
    (late_gain.weights). Raises NotTestable where fewer than two milestones are there.
    """
    try:
        weights = late_gain.weights(curve.epochs)
    except ValueError as problem:
        raise NotTestable(f"{curve.label}: {problem}") from None
    return [(float(w), (e,)) for w, e in zip(weights, curve.epochs, strict=True) if w]


@dataclass(frozen=True)
class Window:
    """Milestones of a curve: the last one before a window of epochs, those in it, all after it."""

    before: tuple[int, ...]
    inside: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of(cls, curve: Curve, start: float, end: float, budget: float) -> "Window":
        """The window from `start` to `end` in a training of `budget` epochs, at the same shares of
        the curve's. Raises NotTestable without a milestone before, in or after it.
        """
        share = np.array(curve.epochs) / curve.epochs[-1] * budget
        position = np.where(share < start - 1e-9, -1, np.where(share > end + 1e-9, 1, 0))
        sides = [
            tuple(e for e, p in zip(curve.epochs, position, strict=True) if p == side)
            for side in (-1, 0, 1)
        ]
        missing = [n for n, side in zip(("before", "in", "after"), sides, strict=True) if not side]
        if missing:
            window = f"{start:g} to {end:g}" if end > start else f"{start:g}"
            raise NotTestable(
                f"{curve.label}: no milestone {' or '.join(missing)} epochs {window} of {budget:g}"
            )
        return cls(sides[0][-1:], sides[1], sides[2])

    @property
    def ahead(self) -> Terms:
        """Terms of the gain from before the window: mean of all that follows less the last one."""
        return [(1.0, self.inside + self.after), (-1.0, self.before)]

    @property
    def remaining(self) -> Terms:
        """Terms of the gain from its end: mean of those after it less the last one inside."""
        return [(1.0, self.after), (-1.0, self.inside[-1:])]


def gained(
    cells: Cells,
    curves: Sequence[Curve],
    companions: Sequence[Curve],
    terms: Callable[[Curve], Terms],
    metric: str,
) -> Effect:
    """Mean gain of curves, positive where the metric gets better.

    companions: further curves, whose models take part in the spread between trainings where they
    have the same samplers and guidances. Raises NotTestable as `terms`, and for a falling metric
    without references.
    """
    alike = {curve.key[1:] for curve in curves}
    further = [curve for curve in companions if curve.key[1:] in alike]
    everything = list(dict.fromkeys([*curves, *further]))
    shares = {model: len(own) / len(curves) for model, own in by_model(curves).items()}
    rows = [
        row(shares.get(model, 0.0), at(own, terms), "level")
        for model, own in by_model(everything).items()
    ]
    span = descent(cells, curves, metric)
    return effect(rows, everything, curves, cells.spreads, span=span).gain


def descent(cells: Cells, curves: Sequence[Curve], metric: str) -> float | None:
    """How far curves of a falling metric are from noise at their last epoch, in the mean; None for
    a rising one. Raises NotTestable without references.
    """
    if curves[0].sign > 0:
        return None
    bounds = cells.scores.bounds(curves[0].model, metric)
    if bounds is None:
        raise NotTestable(f"missing: {metric} of noise and of real images for {curves[0].model}")
    return abs(bounds[0] - float(np.mean([curve.values[:, :, -1].mean() for curve in curves])))


def check_final_levels(cells: Cells, curves: Sequence[Curve], metric: str) -> None:
    """Raise NotTestable where final levels are compared and most curves still rise.

    Final levels: all curves are from the last 40 % of their training, with two milestones or more.
    """
    curves = list(dict.fromkeys(curves))
    if not all(_is_final(cells, curve) for curve in curves):
        return
    effects = [gained(cells, [curve], curves, late, metric) for curve in curves]
    states = [curve_rules.trend(effect)[0] for effect in effects]
    if (rising := states.count(late_gain.RISING)) > len(curves) / 2:
        raise NotTestable(
            f"{rising} of {len(curves)} curves still rise at the end: they have no final levels"
        )


def _is_final(cells: Cells, curve: Curve) -> bool:
    last = cells.scores.last_epochs[curve.model]
    is_late = bool(late_gain.is_late(curve.epochs, last).all())
    return is_late and curve.epochs[-1] == last and len(curve.epochs) > 1
