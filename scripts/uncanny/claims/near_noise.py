"""The images of a model never become much better than noise."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import replicates
from uncanny.claims.compare import grouped, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding, NotTestable
from uncanny.registry.option_types import Fraction, Quorum

SELECTIONS = ("a",)


def near_noise(
    cells: Cells,
    *,
    metric: str = "is10",
    share: Fraction = 0.2,
    require: Quorum = "all",
) -> Finding:
    """The best value of every curve of a is within the first `share` of the way from noise to real
    images: (y - noise) / (real - noise) <= share.

    Supported if the 95 % interval of the best is, refuted if it is entirely beyond. The best of
    several epochs is biased upwards, against the claim.
    """

    def evaluate(keys, name):
        curve = cells.curve("a", keys[0], metric)
        bounds = cells.scores.bounds(curve.model, metric)
        if bounds is None:
            raise NotTestable(f"missing: {metric} of noise and real images for {curve.model}")
        floor, ceiling = bounds
        values, errors = (
            (curve.sampling_means[0] - floor) / (ceiling - floor),
            curve.sampling_means[1],
        )
        progress = replicates(values, errors / abs(ceiling - floor), cells.rng(f"{metric}/{name}"))
        best = progress.max(axis=1)
        low, high = rules.interval(best)
        mean = values.mean(axis=0)
        decision = rules.within(best, -np.inf, share)
        return Finding(
            decision.verdict,
            f"the best, at epoch {curve.epochs[int(mean.argmax())]}, is {100 * mean.max():.0f} % "
            f"of the way from noise to real images ({100 * low:.0f} to {100 * high:.0f} %)",
            estimate=float(100 * mean.max()),
            low=100 * low,
            high=100 * high,
            unit="% of the way to real images",
            p=decision.p,
            detectable=100 * rules.detectable(best),
            suffixes=cells.suffixes,
            cells=(curve.name,),
            details={"epochs": list(curve.epochs), "way": mean.tolist()},
        )

    return over_groups(grouped(cells.selected("a"), "pair"), require, evaluate)
