"""A needs more network evaluations than B."""

from uncanny.claims.curves import Cells
from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding
from uncanny.registry.option_types import Positive

SELECTIONS = ("a", "b")


def costlier(cells: Cells, *, metric: str = "is10", factor: Positive = 1.0) -> Finding:
    """Every curve of a needs more than `factor` times the evaluations per image of each curve of b
    with which it is paired.

    Evaluations are counted without error, so that no test applies. Those of a sampler that chooses
    its steps differ between seeds; the verdict must hold for the extremes of their ranges, else it
    is inconclusive.
    """
    pairs = cells.paired(metric)
    least = min(a.nfe / b.nfe for a, b in pairs)
    cheaper = [pair for pair in pairs if _ratio(*pair, 1, 0) <= factor]
    unsure = [pair for pair in pairs if _ratio(*pair, 0, 1) <= factor]
    text = f"at least {least:.3g} times the evaluations of the others"
    if failing := cheaper or unsure:
        first = ", ".join(f"{curve.label} ({curve.nfe:.4g})" for curve in failing[0])
        required = "more" if factor == 1 else f"{factor:g} times as many"
        text += f"; not {required} in {len(failing)} of {len(pairs)} pairs: {first}"
    return Finding(
        REFUTED if cheaper else INCONCLUSIVE if unsure else SUPPORTED,
        text,
        estimate=float(least),
        unit="times",
        cells=tuple(dict.fromkeys(curve.name for pair in pairs for curve in pair)),
    )


def _ratio(a, b, end: int, other: int) -> float:
    """Evaluations of a over those of b, at these ends (0: least, 1: most) of their ranges."""
    return a.nfe_range[end] / b.nfe_range[other]
