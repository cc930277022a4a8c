"""What the panels of a figure's block name. No drawing and no data here: plans read it, too."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

CURVE = ["model", "sampler", "guidance"]


class Curve(NamedTuple):
    """One way to make images that a panel shows; `series` is the label of its group, or ""."""

    series: str
    model: str
    sampler: str
    guidance: str


def curves_of(panel: Mapping) -> list[Curve]:
    """All curves of a panel {models, samplers, guidances = ["none"], series}, in order, each once.

    Without `series` they are the product of the three lists. Each entry {label, models, samplers,
    guidances} of `series` is a product of its own; a list that it lacks is the panel's.
    """
    found = []
    for series in panel.get("series") or [{}]:
        lists = {"guidances": ["none"]} | dict(panel) | dict(series)
        names = itertools.product(lists["samplers"], lists["guidances"], lists["models"])
        found += [Curve(series.get("label", ""), m, s, g) for s, g, m in names]
    return list(dict.fromkeys(found))


def letter(index: int) -> str:
    """Letter of a panel: a, b, ... z, aa, ab, ..."""
    head, tail = divmod(index, 26)
    return (chr(ord("a") + head - 1) if head else "") + chr(ord("a") + tail)
