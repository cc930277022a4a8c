"""All curves of a selection that differ along one axis are the same: EQ of every pair."""

from itertools import combinations
from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import draws
from uncanny.claims.compare import attempt, finding_of
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import Finding, combined

SELECTIONS = ("a",)


def alike(
    cells: Cells,
    *,
    metric: str = "is10",
    delta: float = 0.02,
    over: Literal["model", "sampler", "guidance"] = "sampler",
    require: str | int = "all",
) -> Finding:
    """Curves of selection a that differ only in their `over` are pairwise equal (rules.eq).

    The numbers are those of the widest range: max - min over such curves of the mean over epochs,
    as a share of their mean. Its interval is that of the range in each draw; chance alone keeps it
    above 0.
    """
    families = _families(cells.curves("a", metric), ("model", "sampler", "guidance").index(over))

    def judge(pair, name):
        return finding_of(cells, rule, [pair], metric, name)

    def rule(found):
        return rules.eq(found.relative_draws, delta)

    pairs = [pair for curves in families.values() for pair in combinations(curves, 2)]
    named = {f"{a.name} against {b.name}": (a, b) for a, b in pairs}
    findings = {name: attempt(judge, pair, name) for name, pair in named.items()}
    ranges = [_range(cells, curves, metric, name) for name, curves in families.items()]
    return combined(findings, require, max(ranges, key=lambda found: found.estimate))


def _families(curves: list[Curve], place: int) -> dict[str, list[Curve]]:
    """Curves by what they share: their key without the name at `place`."""
    found: dict[str, list[Curve]] = {}
    for curve in curves:
        shared = [name for i, name in enumerate(curve.key) if i != place and name != "none"]
        found.setdefault(" ".join(shared), []).append(curve)
    return found


def _range(cells: Cells, curves: list[Curve], metric: str, name: str) -> Finding:
    levels = [curve.level(per_epoch=False) for curve in curves]
    values, errors = (np.concatenate(parts, axis=1) for parts in zip(*levels, strict=True))
    drawn = draws(values, errors, cells.rng(f"{metric}/range/{name}"))
    middle = values.mean(axis=0)
    estimate = float(100 * np.ptp(middle) / abs(middle.mean()))
    low, high = rules.interval(100 * np.ptp(drawn, axis=1) / abs(middle.mean()))
    text = f"the means of {name} span {estimate:.1f} % ({low:.1f} to {high:.1f} %)"
    numbers = {"estimate": estimate, "low": low, "high": high, "unit": "%"}
    order = sorted(zip(middle.tolist(), [c.name for c in curves], strict=True))
    return Finding("", text, **numbers, details={"means": {name: mean for mean, name in order}})
