"""The spread of a metric falls as a power of the number of images."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import REPLICATES
from uncanny.claims.curves import generator
from uncanny.claims.finding import Finding, NotTestable
from uncanny.claims.records import Sizes
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a",)
SPLITS = 10  # of the Inception Score; relative error of a spread over S splits: 1/sqrt(2 (S - 1))


def power_law(
    sizes: Sizes, *, metric: str = "is10", exponent: float = -0.5, tolerance: Nonnegative = 0.25
) -> Finding:
    """The standard error of the metric, proportional to its spread over splits, goes as n to the
    power `exponent`, within the tolerance (rules.eq).

    Least squares of log spread on log n, averaged over cells: slope = sum x y / sum x^2 with
    centred x, variance = 1 / (2 (S - 1) sum x^2). Errors of the sizes count as independent, which
    is approximate for nested samples.
    """
    slopes, variances = [], []
    for n, _, errors in sizes.curves(metric):
        if not np.all(errors > 0):
            raise NotTestable(f"{metric} has no standard error")
        centred = np.log(n) - np.log(n).mean()
        slopes.append(centred @ np.log(errors) / (centred @ centred))
        variances.append(1 / (2 * (SPLITS - 1)) / (centred @ centred))
    estimate, se = float(np.mean(slopes)), np.sqrt(np.sum(variances)) / len(slopes)
    rng = generator(f"{sizes.seed}/{metric}/power")
    exponents = estimate + se * rng.standard_normal(REPLICATES)
    decision = rules.eq(exponents - exponent, tolerance)
    low, high = rules.interval(exponents)
    return Finding(
        decision.verdict,
        f"the spread of {metric} goes as n to the power {estimate:.2f} ({low:.2f} to {high:.2f})",
        estimate=estimate,
        low=low,
        high=high,
        unit="exponent",
        p=decision.p,
        detectable=rules.detectable(exponents),
        suffixes=sizes.suffixes,
        cells=sizes.names,
    )
