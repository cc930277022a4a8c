"""Some scale of guidance costs quality."""

import numpy as np

from uncanny.claims import curve_rules
from uncanny.claims.compare import check_gate, decided
from uncanny.claims.curves import Cells, Pair
from uncanny.claims.effects import difference
from uncanny.claims.finding import Finding, NotTestable
from uncanny.registry.option_types import Positive

SELECTIONS = ("a", "b")


def harmful_scale(
    cells: Cells, *, metric: str = "is10", loss: Positive = 0.02, gate: bool = True
) -> Finding:
    """With some guidance scale of a, the metric is worse than that of b by more than `loss` of its
    mean (curve_rules.harmed); refuted if it is no worse at every scale.

    The numbers are those of the smallest scale at which harm is shown, else of the scale that
    decides. gate: compare.check_gate, for b.
    """
    measured = cells.label("metrics", metric)
    by_scale: dict[float, list[Pair]] = {}
    for pair in cells.paired(metric):
        by_scale.setdefault(pair[0].scale, []).append(pair)
    scales = sorted(by_scale)
    if len(scales) < 2 or not all(np.isfinite(s) and s > 0 for s in scales):
        raise NotTestable(f"scales are {scales}, expected at least two numbers above 0")
    everything = [pair for scale in scales for pair in by_scale[scale]]
    if gate:
        check_gate(cells, [b for _, b in everything], metric)
    effects = [difference(by_scale[s], everything, cells.spreads).gain for s in scales]
    decision, decider = curve_rules.harmed(effects, loss)
    changes = [e.percent(e.contrast.value) for e in effects]
    shown = ", ".join(f"{c:+.1f} % at {s:g}" for s, c in zip(scales, changes, strict=True))
    text = f"{measured} against no guidance, by scale: {shown}; decided at {scales[decider]:g}"
    curves = [curve for pair in everything for curve in pair]
    return decided(decision, effects[decider], loss, curves, text)
