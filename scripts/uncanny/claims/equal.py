"""EQ: A and B are the same within a margin."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import Nonnegative, Quorum

SELECTIONS = ("a", "b")


def equal(
    cells: Cells,
    *,
    metric: str = "is10",
    delta: Nonnegative = 0.02,
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    best: Literal["none", "a", "b"] = "none",
) -> Finding:
    """Selections a and b differ by less than delta times the mean of b (rules.eq); options as in
    compare.compared.
    """
    return compared(
        cells,
        lambda contrast: rules.eq(contrast.relative_replicates, delta),
        metric=metric,
        per=per,
        require=require,
        best=best,
    )
