"""A is better than B."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a", "b")


def superior(
    cells: Cells,
    *,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair", "epoch"] = "none",
    require: Quorum = "all",
    best: Literal["none", "a", "b"] = "none",
    gate: bool = True,
    allow_rising: bool = False,
) -> Finding:
    """Selection a is better than b in the mean over epochs (rules.superior); options as in
    compare.compared.
    """
    return compared(
        cells,
        rules.superior,
        metric=metric,
        per=per,
        require=require,
        best=best,
        gate=gate,
        allow_rising=allow_rising,
    )
