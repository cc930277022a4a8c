"""The spread of a metric over splits falls as a power of the number of images."""

import numpy as np
from scipy import special

from uncanny.claims.finding import CONSTRUCTED, Finding, NotTestable
from uncanny.claims.records import Sizes

SELECTIONS = ("a",)
SPLITS = 10  # of the Inception Score; relative error of a spread over S splits: 1/sqrt(2 (S - 1))


def power_law(sizes: Sizes, *, metric: str = "is10") -> Finding:
    """The standard error of a mean goes as n to the power -1/2, by construction; the exponent of
    the metric's spread over splits, averaged over cells, is measured for comparison.

    Least squares of log spread on log n: slope = sum x y / sum x^2 with centred x, variance =
    1 / (2 (S - 1) sum x^2). Errors of the sizes count as independent, which is approximate for
    nested samples; those of cells may be as alike as their latents.
    """
    slopes, variances = [], []
    for n, _, errors in sizes.curves(metric):
        if not np.all(errors > 0):
            raise NotTestable(f"{metric} has no standard error")
        centred = np.log(n) - np.log(n).mean()
        slopes.append(centred @ np.log(errors) / (centred @ centred))
        variances.append(1 / (2 * (SPLITS - 1)) / (centred @ centred))
    estimate = float(np.mean(slopes))
    half = special.stdtrit(SPLITS - 1, 0.975) * np.mean(np.sqrt(variances))
    low, high = float(estimate - half), float(estimate + half)
    return Finding(
        CONSTRUCTED,
        f"the spread of {sizes.label('metrics', metric)} is that of a mean, which goes as n to the "
        "power -0.5; measured: "
        f"{estimate:.2f} ({low:.2f} to {high:.2f})",
        estimate=estimate,
        low=low,
        high=high,
        unit="exponent",
        cells=sizes.names,
    )
