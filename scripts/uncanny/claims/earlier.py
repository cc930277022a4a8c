"""ORD: the plateau of A starts before that of B."""

from typing import Literal

import numpy as np

from uncanny.claims import plateaus, rules
from uncanny.claims.compare import grouped, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding, NotTestable
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a", "b")


def earlier(
    cells: Cells,
    *,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
) -> Finding:
    """The plateau of a starts before that of b; of several pairs, the median difference.

    A curve without a plateau counts as one spacing of the epochs later than its last epoch. Ties
    count for neither side. Not testable if most pairs have no plateau on either side. Verdict by
    rules.order.
    """

    def evaluate(keys, name):
        sides = list(zip(*keys, strict=True))
        last = cells.curve("a", sides[0][0], metric)
        late = last.epochs[-1] + plateaus.spacing(last)
        starts = [
            plateaus.starts(cells, side, name_of_side, metric, f"{name}/{name_of_side}")[0]
            for side, name_of_side in zip(sides, "ab", strict=True)
        ]
        if np.mean(np.isinf(starts[0]) & np.isinf(starts[1])) > 0.5:
            raise NotTestable("most curves reach no plateau on either side: they cannot be ordered")
        first, second = (np.minimum(side, late) for side in starts)
        gain = np.median(second - first, axis=1)
        return _finding(cells, keys, metric, gain, plateaus.spacing(last))

    return over_groups(grouped(cells.pairs(), per), require, evaluate)


def _finding(cells: Cells, keys: list, metric: str, gain: np.ndarray, spacing: float) -> Finding:
    probability = float(np.mean(gain > 0))
    estimate, (low, high) = float(np.median(gain)), rules.interval(gain)
    decision = rules.order(gain > 0)
    curves = [
        cells.curve(s, key, metric) for pair in keys for s, key in zip("ab", pair, strict=True)
    ]
    return Finding(
        decision.verdict,
        f"{estimate:g} epochs earlier ({low:g} to {high:g}); earlier with probability "
        f"{probability:.2f}, a tie with {float(np.mean(gain == 0)):.2f}",
        estimate=estimate,
        low=low,
        high=high,
        unit="epochs",
        p=decision.p,
        detectable=spacing,
        suffixes=cells.suffixes,
        cells=tuple(dict.fromkeys(curve.name for curve in curves)),
        details={"probability": probability},
    )
