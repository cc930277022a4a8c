"""Curves named by the panels of a figure's block. Free of matplotlib, as the plan reads it, too."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

CURVE = ["model", "sampler", "guidance"]


class Curve(NamedTuple):
    """Model, sampler and guidance of a curve; `series` is the label of its group, or ""."""

    series: str
    model: str
    sampler: str
    guidance: str


def curves_of(panel: Mapping) -> list[Curve]:
    """All curves of a panel {models, samplers, guidances = ["none"], series}, in order, without
    repetitions.

    Without `series` they are the product of the three lists. Each entry {label, models, samplers,
    guidances} of `series` is a product of its own, with the panel's lists as defaults.
    """
    product = []
    for series in panel.get("series") or [{}]:
        lists = {"guidances": ["none"]} | dict(panel) | dict(series)
        combinations = itertools.product(lists["samplers"], lists["guidances"], lists["models"])
        product += [Curve(series.get("label", ""), m, s, g) for s, g, m in combinations]
    return list(dict.fromkeys(product))


def letter(index: int) -> str:
    """Letter of a panel: a, b, ... z, aa, ab, ..."""
    head, tail = divmod(index, 26)
    return (chr(ord("a") + head - 1) if head else "") + chr(ord("a") + tail)
