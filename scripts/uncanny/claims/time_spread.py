"""RAT of extremes: the longest time over the shortest."""

from typing import Literal

import numpy as np

from uncanny.claims.finding import Finding
from uncanny.claims.records import Timings
from uncanny.claims.time_ratio import finding
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a",)


def time_spread(
    timings: Timings,
    *,
    high: Nonnegative,
    quantity: Literal["seconds_per_image", "ms_per_nfe", "ms_per_update"] = "ms_per_update",
) -> Finding:
    """The longest time of a over its shortest is at most `high`.

    As chance alone increases the ratio of extremes, its interval is the simultaneous one of all
    pairs (as Tukey's): log ratio ± the range of the errors of all log times.
    """
    keys = timings.selected("a")
    times = [timings.log_time(key, quantity) for key in keys]
    estimate = float(np.ptp([mean for mean, _ in times]))
    error = np.ptp([replicates - mean for mean, replicates in times], axis=0)
    error[::2] *= -1  # half of the replicates below the estimate
    log_ratios = np.maximum(estimate + error, 0.0)
    return finding(timings, estimate, log_ratios, (1.0, high), [keys], quantity)
