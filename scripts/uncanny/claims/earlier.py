"""A converges earlier than B."""

from typing import Annotated, Literal

from uncanny.claims import rules
from uncanny.claims.compare import check_gate, grouped, interval_text, numbers, over_groups
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

    def pairs_of(keys):
        return [(cells.curve("b", b, metric), cells.curve("a", a, metric)) for a, b in keys]

    def remaining(curve):
        return Window.of(curve, start, end, budget).remaining

    def evaluate(keys, _):
        pairs = pairs_of(keys)
        curves = list(dict.fromkeys(curve for pair in pairs for curve in pair))
        if gate:
            check_gate(cells, curves, metric)
        everything, span = pairs_of(cells.pairs()), descent(cells, curves, metric)
        effect = difference(pairs, everything, cells.spreads, terms=remaining, span=span)
        decision = rules.superior(effect)
        return Finding(
            decision.verdict,
            f"from the window on, b's {measured} gains {interval_text(effect)} more than a's",
            cells=tuple(curve.name for curve in curves),
            **numbers(decision, effect.gain, rules.SMALLEST_EFFECT),
        )

    return over_groups(grouped(cells, cells.pairs(), per), require, evaluate)
