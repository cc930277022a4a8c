"""A difference at few steps vanishes at many: it is one of discretisation."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.compare import finding_of
from uncanny.claims.curves import Cells
from uncanny.claims.finding import INCONCLUSIVE, SUPPORTED, Finding, NotTestable
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a", "b")


def gap_closes(cells: Cells, *, metric: str = "is10", margin: Nonnegative = 0.01) -> Finding:
    """Pairs of a and b, ordered by their number of evaluations: the pair with the most is equal
    within the margin, that with the fewest is not.

    Supported as rules.eq where the first pair's 95 % interval excludes 0 and its difference exceeds
    the margin; inconclusive where there is no gap to close; refuted where one is left.
    """
    pairs = [(cells.curve("a", a, metric), cells.curve("b", b, metric)) for a, b in cells.pairs()]
    levels = sorted({float(np.mean([a.nfe, b.nfe])) for a, b in pairs})
    if len(levels) < 2:
        raise NotTestable("all pairs have the same number of evaluations")

    def at(nfe):
        chosen = [pair for pair in pairs if np.mean([c.nfe for c in pair]) == nfe]
        return finding_of(cells, rule, chosen, metric, f"nfe {nfe:g}")

    def rule(found):
        return rules.eq(found.relative_draws, margin)

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
