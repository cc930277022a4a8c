"""SUP: A is better than B."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.bootstrap import Difference
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a", "b")


def superior(
    cells: Cells,
    *,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    best: Literal["none", "a", "b"] = "none",
) -> Finding:
    """Selection a is better than b over the epochs (rules.sup); options as in compare.compared."""
    return compared(cells, rule, metric=metric, per=per, require=require, best=best)


def rule(contrast: Difference) -> rules.Decision:
    """SUP on a difference; strict if the whole curve is above 0."""
    band = rules.lower_band(contrast.estimate, contrast.replicates)
    return rules.sup(contrast.relative_replicates, contrast.relative, band)
