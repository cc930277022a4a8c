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
) -> Finding:
    """Selections a and b differ, in either direction (rules.differ); options as in
    compare.compared.
    """
    return compared(
        cells,
        lambda contrast: rules.differ(contrast.relative_replicates),
        metric=metric,
        per=per,
        require=require,
    )
