"""A metric no longer changes beyond some number of images."""

from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import REPLICATES
from uncanny.claims.curves import generator
from uncanny.claims.finding import Finding
from uncanny.claims.records import Sizes
from uncanny.evaluation import sample_size
from uncanny.registry.option_types import Nonnegative, TwoOrMore

SELECTIONS = ("a",)


def settles(
    sizes: Sizes,
    *,
    at: TwoOrMore,
    metric: str = "is10",
    margin: Nonnegative = 0.01,
    expect: Literal["settled", "unsettled"] = "settled",
) -> Finding:
    """At n = `at` images the metric is within `margin` of its limit (unsettled: it is not).

    y(n) = limit + c/n is fitted to each cell's nested samples (sample_size.size_limit); the
    distance is (y(at) - limit)/limit, averaged over cells. Supported if its 95 % interval is on the
    claimed side of the margin, refuted if it is on the other.
    """
    fits, distances = [], []
    for number, (n, values, errors) in enumerate(sizes.curves(metric)):
        known_errors = errors if np.all(errors > 0) else None
        fits.append(sample_size.size_limit(n, values, known_errors))
        seed = int(generator(f"{sizes.seed}/{metric}/{number}").integers(2**31))
        limit, coefficient = fits[-1].replicates(REPLICATES, seed).T
        distances.append(coefficient / at / limit)  # (y(at) - limit) / limit
    distance = np.mean(distances, axis=0)
    if expect == "settled":
        decision = rules.within(distance, -margin, margin)
    else:
        decision = rules.within(np.abs(distance), margin, np.inf)
    estimate = 100 * float(np.mean([fit.remaining(at) for fit in fits]))
    low, high = rules.interval(100 * distance)
    return Finding(
        decision.verdict,
        f"{metric} of {at} images is {estimate:+.1f} % from its limit "
        f"{np.mean([fit.limit for fit in fits]):.4g} ({low:+.1f} to {high:+.1f} %)",
        estimate=estimate,
        low=low,
        high=high,
        unit="% of the limit",
        p=decision.p,
        detectable=rules.detectable(100 * distance),
        suffixes=sizes.suffixes,
        cells=sizes.names,
        details={
            "fits": [
                {"limit": f.limit, "coefficient": f.coefficient, "misfit": _finite(f.misfit)}
                for f in fits
            ]
        },
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
