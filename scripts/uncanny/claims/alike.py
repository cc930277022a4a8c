"""EQ of every pair of curves that differ along one axis."""

from itertools import combinations
from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import replicates
from uncanny.claims.compare import attempt, finding_of
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import Finding, combined
from uncanny.registry.option_types import Nonnegative, Quorum

SELECTIONS = ("a",)


def alike(
    cells: Cells,
    *,
    metric: str = "is10",
    delta: Nonnegative = 0.02,
    over: Literal["model", "sampler", "guidance"] = "sampler",
    require: Quorum = "all",
) -> Finding:
    """Curves of selection a that differ only in their `over` are pairwise equal (rules.eq).

    The numbers are those of the widest range, (max - min) / mean of the curves' means over epochs.
    Its interval is from the range in each replicate, which chance alone keeps above 0.
    """
    families = _families(cells.curves("a", metric), ("model", "sampler", "guidance").index(over))

    def evaluate(pair, name):
        return finding_of(cells, rule, [pair], metric, name)

    def rule(contrast):
        return rules.eq(contrast.relative_replicates, delta)

    pairs = [pair for curves in families.values() for pair in combinations(curves, 2)]
    named_pairs = {f"{a.name} against {b.name}": (a, b) for a, b in pairs}
    findings = {name: attempt(evaluate, pair, name) for name, pair in named_pairs.items()}
    ranges = [_range(cells, curves, metric, name) for name, curves in families.items()]
    return combined(findings, require, max(ranges, key=lambda finding: finding.estimate))


def _families(curves: list[Curve], axis: int) -> dict[str, list[Curve]]:
    """Curves by their key without the name at `axis`."""
    families: dict[str, list[Curve]] = {}
    for curve in curves:
        shared = [name for i, name in enumerate(curve.key) if i != axis and name != "none"]
        families.setdefault(" ".join(shared), []).append(curve)
    return families


def _range(cells: Cells, curves: list[Curve], metric: str, name: str) -> Finding:
    levels = [curve.level(per_epoch=False) for curve in curves]
    values, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*levels, strict=True))
    replicate_levels = replicates(values, errors, cells.rng(f"{metric}/range/{name}"))
    middle = values.mean(axis=0)
    estimate = float(100 * np.ptp(middle) / abs(middle.mean()))
    low, high = rules.interval(100 * np.ptp(replicate_levels, axis=1) / abs(middle.mean()))
    text = f"the means of {name} span {estimate:.1f} % ({low:.1f} to {high:.1f} %)"
    numbers = {"estimate": estimate, "low": low, "high": high, "unit": "%"}
    order = sorted(zip(middle.tolist(), [c.name for c in curves], strict=True))
    return Finding("", text, **numbers, details={"means": {name: mean for mean, name in order}})
