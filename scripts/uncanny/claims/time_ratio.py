"""One time is longer or shorter than another."""

from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.finding import CONSTRUCTED, Finding
from uncanny.claims.records import Timings
from uncanny.registry.option_types import Positive

SELECTIONS = ("a", "b")


def time_ratio(
    timings: Timings,
    *,
    side: Literal["above", "below"],
    bound: Positive = 1.0,
    quantity: Literal["seconds_per_image", "ms_per_nfe", "ms_per_update"] = "seconds_per_image",
) -> Finding:
    """The time of a, as a multiple of that of b, is above (below) the bound: the geometric mean
    over pairs, with a t interval from the ratios of at least five rounds in which both were timed
    (rules.side).

    By construction where both have the same network and guidance, and the config sets their numbers
    of steps: their times are as their evaluations.
    """
    pairs = timings.pairs()
    measured = finding(timings, pairs, quantity, side, bound)
    counts = timings.evaluations(pairs) if quantity == "seconds_per_image" else []
    if not counts:
        return measured
    listed = " and ".join(f"{a} against {b}" for a, b in counts)
    text = f"follows from the numbers of network evaluations per image, {listed}; {measured.text}"
    return Finding(
        CONSTRUCTED,
        text,
        **{name: getattr(measured, name) for name in ("estimate", "low", "high", "unit", "cells")},
    )


def finding(
    timings: Timings,
    pairs: list,
    quantity: str,
    side: str,
    bound: float,
    level: float = 0.95,
) -> Finding:
    """Finding on a ratio of times and one bound, with an interval of some level."""
    contrast = timings.log_ratio(pairs, quantity)
    decision = rules.side(contrast, float(np.log(bound)), above=side == "above")
    names = [list(dict.fromkeys(timings.name(pair[i]) for pair in pairs)) for i in (0, 1)]
    a, b = map(" and ".join, names)
    words = quantity.replace("_", " ")
    ratio = float(np.exp(contrast.value))
    numbers: dict = {"estimate": ratio, "unit": "times"}
    interval = ""
    if not contrast.by_construction:
        low, high = np.exp(contrast.interval(level))
        numbers |= {"low": float(low), "high": float(high)}
        numbers |= {"detectable": float(np.exp(rules.detectable(contrast)))}
        interval = f" ({low:.3g} to {high:.3g})"
    return Finding(
        decision.verdict,
        f"{words} of {a} is {ratio:.3g} times that of {b}{interval}; claimed: {side} {bound:g}",
        margin=bound,
        p=decision.p,
        cells=tuple(dict.fromkeys(names[0] + names[1])),
        **numbers,
    )
