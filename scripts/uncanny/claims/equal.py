"""A and B are the same within a margin."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import Positive, Quorum

SELECTIONS = ("a", "b")


def equal(
    cells: Cells,
    *,
    metric: str = "is10",
    delta: Positive = 0.02,
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    best: Literal["none", "a", "b"] = "none",
    gate: bool = True,
    allow_rising: bool = False,
) -> Finding:
    """Selections a and b differ by less than delta times the mean of b (rules.equal); options as in
    compare.compared.
    """
    return compared(
        cells,
        lambda effect: rules.equal(effect, delta),
        metric=metric,
        per=per,
        require=require,
        best=best,
        gate=gate,
        allow_rising=allow_rising,
        margin=delta,
    )
