"""A and B are not the same."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a", "b")


def differs(
    cells: Cells,
    *,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    gate: bool = True,
    allow_rising: bool = False,
) -> Finding:
    """Selections a and b differ, in either direction (rules.differ); options as in
    compare.compared.
    """
    return compared(
        cells,
        rules.differ,
        metric=metric,
        per=per,
        require=require,
        gate=gate,
        allow_rising=allow_rising,
    )
