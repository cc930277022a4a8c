"""The longest of several times is not much longer than the shortest."""

from dataclasses import replace
from itertools import combinations
from typing import Literal

from uncanny.claims.finding import Finding, NotTestable, combined
from uncanny.claims.records import Timings
from uncanny.claims.time_ratio import finding
from uncanny.registry.option_types import Positive

SELECTIONS = ("a",)


def time_spread(
    timings: Timings,
    *,
    bound: Positive,
    quantity: Literal["seconds_per_image", "ms_per_nfe", "ms_per_update"] = "ms_per_update",
) -> Finding:
    """No time of a is `bound` times another, or more.

    Supported if all pairs are below the bound, refuted if one of them is above it, with its p times
    the number of pairs. The estimate is the largest ratio; as it is chosen among n ratios, its
    interval has the level 1 - 0.05/n.
    """
    pairs = [
        _longer_first(timings, pair, quantity) for pair in combinations(timings.selected("a"), 2)
    ]
    if not pairs:
        raise NotTestable("a single time has no spread")
    level = 1 - 0.05 / len(pairs)
    findings = {
        " against ".join(map(timings.name, pair)): finding(
            timings, [pair], quantity, "below", bound, level
        )
        for pair in pairs
    }
    largest = max(findings.values(), key=lambda f: f.estimate)
    names = ("estimate", "low", "high", "unit", "margin", "detectable")
    return replace(
        combined(findings, "all"),
        text=f"{largest.text}; the largest of {len(pairs)} ratios, simultaneous interval",
        **{name: getattr(largest, name) for name in names},
    )


def _longer_first(timings: Timings, pair: tuple, quantity: str) -> tuple:
    return pair if timings.log_ratio([pair], quantity).value >= 0 else pair[::-1]
