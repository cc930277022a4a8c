"""A metric no longer changes beyond some number of images."""

from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.compare import limit_of, share_numbers
from uncanny.claims.effects import FIXED
from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding, NotTestable
from uncanny.claims.records import Sizes
from uncanny.evaluation import sample_size
from uncanny.evaluation.contrasts import Contrast, half_width
from uncanny.evaluation.jackknife import GROUPS
from uncanny.registry.option_types import Nonnegative, TwoOrMore

SELECTIONS = ("a",)
OPPOSITE = {SUPPORTED: REFUTED, REFUTED: SUPPORTED}


def settles(
    sizes: Sizes,
    *,
    at: TwoOrMore,
    metric: str = "is10",
    margin: Nonnegative = 0.01,
    expect: Literal["settled", "unsettled"] = "settled",
) -> Finding:
    """At n = `at` images the metric is within `margin` of its limit (unsettled: it is not), by
    rules.within on (y(n) - limit)/limit, averaged over cells.

    y(n) = limit + c/n is fitted to each cell's nested samples of 200 images or more
    (sample_size.size_limit). The distance falls with n: where `at` is below the smallest of them,
    that size is examined instead, and a distance within the margin there shows nothing of `at`.
    Raises NotTestable for a metric without standard errors, and for a limit that may be 0.
    """
    curves = sizes.curves(metric)
    n = max(at, *(numbers[0] for numbers, _, _ in curves))
    fits = [_fit(*curve, metric) for curve in curves]
    contrast = _mean([remaining(fit, n) for fit in fits])
    decision = rules.within(contrast, margin)
    verdict, p = decision.verdict, decision.p
    if n > at and verdict == SUPPORTED:
        verdict, p = INCONCLUSIVE, 1.0
    if expect == "unsettled":
        verdict = OPPOSITE.get(verdict, verdict)
    entries = share_numbers(decision, contrast, margin) | {"p": p}
    estimate, limit = entries["estimate"], np.mean([fit.limit for fit in fits])
    more = f"; {at} images are further from it" if n > at else ""
    could = None if decision.margin is None else 100 * decision.margin
    return Finding(
        verdict,
        f"{sizes.label('metrics', metric)} of {n:g} images is {abs(estimate):.1f} % "
        f"{'below' if estimate < 0 else 'above'} its limit {limit:.4g} ({entries['low']:+.1f} to "
        f"{entries['high']:+.1f} %){more}",
        unit="% of the limit",
        scope=FIXED,
        limit=limit_of(could, 100 * margin),
        cells=sizes.names,
        details={
            "images": n,
            "fits": [
                {"limit": f.limit, "coefficient": f.coefficient, "misfit": f.misfit} for f in fits
            ],
        },
        **entries,
    )


def _fit(
    n: np.ndarray, values: np.ndarray, errors: np.ndarray, metric: str
) -> sample_size.SizeLimit:
    if not np.all(errors > 0):  # residuals of nested samples are too small to replace them
        raise NotTestable(f"{metric} has no standard error at some number of images")
    fit = sample_size.size_limit(n, values, errors)
    if abs(fit.limit) <= half_width(np.sqrt(fit.covariance[0, 0]), GROUPS - 1.0):
        raise NotTestable(
            f"the limit of {metric}, {fit.limit:.3g}, may be 0: nothing is a share of it"
        )
    return fit


def remaining(fit: sample_size.SizeLimit, n: float) -> Contrast:
    """(y(n) - limit)/limit of a fit. Its error is to first order in those of limit and c."""
    # f = c/(n L): df/dL = -f/L, df/dc = f/c = 1/(n L)
    value = fit.remaining(n)
    gradient = np.array([-value, 1 / n]) / fit.limit
    se = float(np.sqrt(gradient @ fit.covariance @ gradient))
    return Contrast(value, se, GROUPS - 1.0, GROUPS)  # degrees of freedom of the errors of scores


def _mean(contrasts: list[Contrast]) -> Contrast:
    """Mean over cells whose errors may be as alike as their latents: its error is their mean."""
    value, se = (float(np.mean([getattr(c, name) for c in contrasts])) for name in ("value", "se"))
    return Contrast(value, se, min(c.freedom for c in contrasts), GROUPS)
