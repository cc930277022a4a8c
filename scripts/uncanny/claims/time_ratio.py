"""RAT: the ratio of two times."""

from typing import Annotated, Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.finding import Finding
from uncanny.claims.records import Timings
from uncanny.registry.option_types import Nonnegative, NotBelow

SELECTIONS = ("a", "b")


def time_ratio(
    timings: Timings,
    *,
    low: Nonnegative,
    high: Annotated[Nonnegative, NotBelow("low")],
    quantity: Literal["seconds_per_image", "ms_per_nfe", "ms_per_update"] = "seconds_per_image",
) -> Finding:
    """The time of a over that of b, the geometric mean over pairs, is in [low, high].

    Supported if the 95 % interval of the ratio is (on the log scale, from the spread of at least
    five rounds in which both were timed), refuted if it is entirely outside.
    """
    keys = timings.pairs()
    sides = [[timings.log_time(k, quantity) for k in pair] for pair in keys]
    estimate = np.mean([a[0] - b[0] for a, b in sides])
    log_ratios = np.mean([a[1] - b[1] for a, b in sides], axis=0)
    return finding(timings, float(estimate), log_ratios, (low, high), keys, quantity)


def finding(
    timings, estimate: float, log_ratios: np.ndarray, window, keys, quantity: str
) -> Finding:
    """Finding on a window of the ratio, from a log ratio and its replicates [B]."""
    bounds = [np.log(edge) if edge > 0 else -np.inf for edge in window]
    decision = rules.within(log_ratios, *bounds)
    ratio, (bottom, top) = np.exp(estimate), np.exp(rules.interval(log_ratios))
    names = dict.fromkeys(
        " ".join(n for n in k if n not in (None, "none")) for p in keys for k in p
    )
    return Finding(
        decision.verdict,
        f"ratio of {quantity.replace('_', ' ')} {ratio:.3g} ({bottom:.3g} to {top:.3g}); "
        f"claimed {window[0]:g} to {window[1]:g}",
        estimate=float(ratio),
        low=float(bottom),
        high=float(top),
        unit="ratio",
        p=decision.p,
        detectable=float(np.expm1(rules.detectable(log_ratios))),
        cells=tuple(names),
    )
