"""Curves named by the panels of a figure's block. Free of matplotlib, as the plan reads it, too."""

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from uncanny.runtime.result_paths import Cell

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


def cells_of(panel: Mapping, cells: Iterable[Cell]) -> list[Cell]:
    """The cell of every curve of a panel at each of its epochs, by default the curve's last one.

    Of several training and sampling seeds in `cells` it is the first. What `cells` do not have is
    in the list with seeds 0.
    """
    wanted = []
    for _, model, sampler, guidance in curves_of(panel):
        curve = (model, sampler, guidance)
        own = sorted(c for c in cells if (c.model, c.sampler, c.guidance) == curve)
        for epoch in panel.get("epochs") or [max((c.epoch for c in own), default=0)]:
            absent = Cell(model, 0, sampler, guidance, 0, epoch)
            wanted.append(next((c for c in own if c.epoch == epoch), absent))
    return wanted


def letter(index: int) -> str:
    """Letter of a panel: a, b, ... z, aa, ab, ..."""
    head, tail = divmod(index, 26)
    return (chr(ord("a") + head - 1) if head else "") + chr(ord("a") + tail)
