"""Curves that differ along one axis are the same within a margin."""

from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.compare import attempt, check_levels, finding_of
from uncanny.claims.curves import AXES, Cells, Curve
from uncanny.claims.finding import Finding, combined
from uncanny.registry.option_types import Positive, Quorum

SELECTIONS = ("a",)


def alike(
    cells: Cells,
    *,
    metric: str = "is10",
    delta: Positive = 0.02,
    over: Literal["model", "sampler", "guidance"] = "sampler",
    require: Quorum = "all",
    gate: bool = True,
) -> Finding:
    """Curves of a that differ only in their `over` are equal in all pairs (rules.equal), for each
    combination of the other names apart, of which `require` must be supported.

    The numbers are those of the pair that decides; the text has the range of each combination.
    gate: as in compare.compared.
    """
    measured = cells.label("metrics", metric)
    families = _families(cells.curves("a", metric), AXES.index(f"{over}s"))
    everything = [pair for curves in families.values() for pair in combinations(curves, 2)]

    rule = partial(rules.equal, delta=delta)

    def evaluate(pair):
        return finding_of(cells, rule, [pair], everything, metric, delta)

    def of_family(curves):
        if gate:
            check_levels(cells, curves, metric)
        pairs = {f"{a.label} against {b.label}": (a, b) for a, b in combinations(curves, 2)}
        return combined({name: attempt(evaluate, pair) for name, pair in pairs.items()})

    findings = {name: attempt(of_family, curves) for name, curves in families.items()}
    ranges = ", ".join(f"{name} {_range(curves):.1f} %" for name, curves in families.items())
    together = combined(findings, require)
    text = f"range of {measured} over {over}s: {ranges}; {together.text}"
    return replace(together, text=text)


def _families(curves: list[Curve], axis: int) -> dict[str, list[Curve]]:
    """Curves by their key without the name at `axis`."""
    families: dict[str, list[Curve]] = {}
    for curve in curves:
        shared = [i for i, name in enumerate(curve.key) if i != axis and name != "none"]
        families.setdefault(curve.words(shared), []).append(curve)
    return families


def _range(curves: list[Curve]) -> float:
    """Range of the curves' means over epochs, in % of their mean."""
    means = [curve.values.mean() for curve in curves]
    return float(100 * np.ptp(means) / abs(np.mean(means)))
