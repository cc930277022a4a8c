"""A converges earlier than B."""

from typing import Annotated, Literal

from uncanny.claims import rules
from uncanny.claims.compare import check_gate, decided, grouped, interval_text, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.effects import difference
from uncanny.claims.finding import Finding
from uncanny.claims.gains import Window, descent
from uncanny.registry.option_types import Nonnegative, NotBelow, Positive, Quorum

SELECTIONS = ("a", "b")


def earlier(
    cells: Cells,
    *,
    start: Nonnegative,
    end: Annotated[Nonnegative, NotBelow("start")],
    budget: Positive,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    gate: bool = True,
) -> Finding:
    """From a window of epochs on (options as in `converged`), b still gains more than a: the
    difference of their gains, decided by rules.superior. gate: compare.check_gate.
    """
    measured = cells.label("metrics", metric)

    def pairs_of(keys=None):
        return [(b, a) for a, b in cells.paired(metric, keys)]

    def remaining(curve):
        return Window.of(curve, start, end, budget).remaining

    def evaluate(keys, _):
        pairs = pairs_of(keys)
        curves = list(dict.fromkeys(curve for pair in pairs for curve in pair))
        if gate:
            check_gate(cells, curves, metric)
        span = descent(cells, curves, metric)
        effect = difference(pairs, pairs_of(), cells.spreads, terms=remaining, span=span)
        text = f"from the window on, b's {measured} gains {interval_text(effect)} more than a's"
        return decided(rules.superior(effect), effect.gain, rules.SMALLEST_EFFECT, curves, text)

    return over_groups(grouped(cells, cells.pairs(), per), require, evaluate)
