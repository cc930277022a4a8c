"""A difference at few steps vanishes at many: it is one of discretisation."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.compare import finding_of
from uncanny.claims.curves import Cells
from uncanny.claims.finding import INCONCLUSIVE, SUPPORTED, Finding, NotTestable
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a", "b")


def gap_closes(cells: Cells, *, metric: str = "is10", margin: Nonnegative = 0.01) -> Finding:
    """Of pairs of a and b, the one with the most evaluations is equal within the margin, the one
    with the fewest is not.

    Verdict by rules.eq on the pair with the most evaluations; inconclusive instead of supported if
    there is no gap at the fewest: its 95 % interval includes 0, or the difference is below the
    margin.
    """
    pairs = [(cells.curve("a", a, metric), cells.curve("b", b, metric)) for a, b in cells.pairs()]
    levels = sorted({float(np.mean([a.nfe, b.nfe])) for a, b in pairs})
    if len(levels) < 2:
        raise NotTestable("all pairs have the same number of evaluations")

    def at(nfe):
        chosen = [pair for pair in pairs if np.mean([c.nfe for c in pair]) == nfe]
        return finding_of(cells, rule, chosen, metric, f"nfe {nfe:g}")

    def rule(contrast):
        return rules.eq(contrast.relative_replicates, margin)

    gaps = {nfe: at(nfe) for nfe in levels}
    first, last = gaps[levels[0]], gaps[levels[-1]]
    had_gap = abs(first.estimate) >= 100 * margin and (first.low > 0 or first.high < 0)
    is_closed = last.verdict == SUPPORTED
    shown = ", ".join(f"{gap.estimate:+.1f} % at {nfe:g}" for nfe, gap in gaps.items())
    return Finding(
        **{name: getattr(last, name) for name in ("estimate", "low", "high", "unit", "detectable")},
        verdict=INCONCLUSIVE if is_closed and not had_gap else last.verdict,
        text=f"difference in {metric} by evaluations: {shown}"
        + ("" if had_gap else "; no gap at the fewest"),
        p=last.p if had_gap or not is_closed else 1.0,
        suffixes=cells.suffixes,
        cells=tuple(dict.fromkeys(name for gap in gaps.values() for name in gap.cells)),
        details={"gaps": {f"{nfe:g}": [g.estimate, g.low, g.high] for nfe, g in gaps.items()}},
    )
