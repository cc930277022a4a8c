"""A needs more network evaluations than B."""

from uncanny.claims.curves import Cells
from uncanny.claims.finding import REFUTED, SUPPORTED, Finding

SELECTIONS = ("a", "b")


def costlier(cells: Cells, *, metric: str = "is10") -> Finding:
    """Every curve of a takes more evaluations per image than every curve of b that it is paired
    with. Evaluations are counted, so there is no error.
    """
    pairs = [(cells.curve("a", a, metric), cells.curve("b", b, metric)) for a, b in cells.pairs()]
    least = min(a.nfe / b.nfe for a, b in pairs)
    cheaper = [f"{a.name} ({a.nfe:g}), {b.name} ({b.nfe:g})" for a, b in pairs if a.nfe <= b.nfe]
    text = f"at least {least:.2g} times the evaluations of the others"
    return Finding(
        REFUTED if cheaper else SUPPORTED,
        text
        + (f"; not more in {len(cheaper)} of {len(pairs)} pairs: {cheaper[0]}" if cheaper else ""),
        **{"estimate": float(least), "unit": "times"},
        cells=tuple(dict.fromkeys(curve.name for pair in pairs for curve in pair)),
    )
