"""The metric is better in a window of epochs than before and after it."""

from typing import Annotated

from uncanny.claims import rules
from uncanny.claims.compare import attempt, decided, interval_text
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding, combined
from uncanny.claims.gains import Window, gained
from uncanny.registry.option_types import Nonnegative, NotBelow, Positive

SELECTIONS = ("a",)


def bump(
    cells: Cells,
    *,
    start: Nonnegative,
    end: Annotated[Nonnegative, NotBelow("start")],
    budget: Positive,
    metric: str = "is10",
) -> Finding:
    """The mean of selection a in a window of epochs (options as in `converged`) is better than its
    last milestone before the window and than its first one after: both by rules.superior.
    """
    measured = cells.label("metrics", metric)

    def evaluate(side):
        curves = cells.curves("a", metric)

        def terms(curve):
            window = Window.of(curve, start, end, budget)
            return [(1.0, window.inside), (-1.0, (getattr(window, side)[0],))]

        effect = gained(cells, curves, [], terms, metric)
        text = f"{measured} in the window is {interval_text(effect)} above that {side} it"
        return decided(rules.superior(effect), effect, rules.SMALLEST_EFFECT, curves, text)

    return combined({side: attempt(evaluate, side) for side in ("before", "after")})
