"""A difference at few steps vanishes at many: it is one of discretisation."""

from dataclasses import replace
from functools import partial

import numpy as np

from uncanny.claims import rules
from uncanny.claims.compare import check_gate, finding_of
from uncanny.claims.curves import Cells
from uncanny.claims.finding import INCONCLUSIVE, SUPPORTED, Finding, NotTestable
from uncanny.registry.option_types import Positive

SELECTIONS = ("a", "b")


def gap_closes(
    cells: Cells, *, metric: str = "is10", margin: Positive = 0.01, gate: bool = True
) -> Finding:
    """Of pairs of a and b, the ones with the most evaluations are equal within the margin
    (rules.equal), the ones with the fewest are not: their interval excludes 0, and they differ by
    the margin or more. Without that first gap inconclusive instead of supported.

    gate: compare.check_gate, for the pairs with the most evaluations.
    """
    measured = cells.label("metrics", metric)
    pairs = cells.paired(metric)
    by_nfe: dict[float, list] = {}
    for pair in sorted(pairs, key=_evaluations):
        by_nfe.setdefault(_evaluations(pair), []).append(pair)
    if len(by_nfe) < 2:
        raise NotTestable("all pairs have the same number of evaluations")
    rule = partial(rules.equal, delta=margin)
    gaps = {n: finding_of(cells, rule, own, pairs, metric, margin) for n, own in by_nfe.items()}
    first, last = gaps[min(gaps)], gaps[max(gaps)]
    if gate:
        check_gate(cells, [curve for pair in by_nfe[max(gaps)] for curve in pair], metric)
    had_gap = first.low is not None and _is_gap(first, margin)
    is_open = last.verdict == SUPPORTED and not had_gap
    shown = ", ".join(f"{gap.estimate or 0:+.1f} % at {nfe:g}" for nfe, gap in gaps.items())
    return replace(
        last,
        verdict=INCONCLUSIVE if is_open else last.verdict,
        text=f"difference in {measured} by evaluations: {shown}"
        + ("" if had_gap else "; no gap at the fewest"),
        p=1.0 if is_open else last.p,
        cells=tuple(dict.fromkeys(name for gap in gaps.values() for name in gap.cells)),
        details=last.details
        | {"gaps": {f"{nfe:g}": [g.estimate, g.low, g.high] for nfe, g in gaps.items()}},
    )


def _evaluations(pair: tuple) -> float:
    return float(np.mean([curve.nfe for curve in pair]))


def _is_gap(gap: Finding, margin: float) -> bool:
    return abs(gap.estimate) >= 100 * margin and (gap.low > 0 or gap.high < 0)
