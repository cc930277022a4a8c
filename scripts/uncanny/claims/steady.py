"""A metric does not move by more than its error."""

import numpy as np

from uncanny.claims.bootstrap import draws
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
        drawn = draws(*curve.over_draws, cells.rng(f"{metric}/{curve.name}"))
        low, high = np.quantile(drawn, [0.1587, 0.8413], axis=0)
        se = np.median(high - low) / 2
        ratios[curve.name] = float(np.ptp(curve.over_draws[0].mean(axis=0)) / se)
    widest = max(ratios.values())
    return Finding(
        SUPPORTED if widest <= errors else REFUTED,
        f"{metric} spans {widest:.1f} standard errors over the epochs",
        **{"estimate": widest, "unit": "standard errors"},
        suffixes=cells.suffixes,
        cells=tuple(ratios),
    )
