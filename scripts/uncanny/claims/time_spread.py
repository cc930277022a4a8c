"""RAT of extremes: the longest time over the shortest."""

from typing import Literal

import numpy as np

from uncanny.claims.finding import Finding
from uncanny.claims.records import Timings
from uncanny.claims.time_ratio import finding

SELECTIONS = ("a",)


def time_spread(
    timings: Timings,
    *,
    high: float,
    quantity: Literal["seconds_per_image", "ms_per_nfe", "ms_per_update"] = "ms_per_update",
) -> Finding:
    """The longest time of a over its shortest is at most `high`.

    Chance makes the ratio of extremes larger, never smaller, which speaks against the claim.
    """
    keys = timings.selected("a")
    times = [timings.log_time(key, quantity) for key in keys]
    drawn = np.ptp([draws for _, draws in times], axis=0)
    estimate = float(np.ptp([mean for mean, _ in times]))
    return finding(timings, estimate, drawn, (1.0, high), [keys], quantity)
