"""A metric changes by no more than a few standard errors."""

import numpy as np

from uncanny.claims.bootstrap import replicates
from uncanny.claims.curves import Cells
from uncanny.claims.finding import REFUTED, SUPPORTED, Finding
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a",)


def steady(cells: Cells, *, metric: str = "is10", errors: Nonnegative = 3.0) -> Finding:
    """The range of every curve of a over its epochs is at most `errors` standard errors of a point
    (the median one).
    """
    ratios = {}
    for curve in cells.curves("a", metric):
        values = replicates(*curve.sampling_means, cells.rng(f"{metric}/{curve.name}"))
        low, high = np.quantile(values, [0.1587, 0.8413], axis=0)
        se = np.median(high - low) / 2
        ratios[curve.name] = float(np.ptp(curve.sampling_means[0].mean(axis=0)) / se)
    widest = max(ratios.values())
    return Finding(
        SUPPORTED if widest <= errors else REFUTED,
        f"{metric} spans {widest:.1f} standard errors over the epochs",
        estimate=widest,
        unit="standard errors",
        suffixes=cells.suffixes,
        cells=tuple(ratios),
    )
