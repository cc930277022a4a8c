"""SUP: A is better than B."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.bootstrap import Difference
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import SmallInt

SELECTIONS = ("a", "b")


def superior(
    cells: Cells,
    *,
    metric: str = "is10",
    each: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    need: Literal["all", "any"] | SmallInt = "all",
    best: Literal["none", "a", "b"] = "none",
) -> Finding:
    """Selection a is better than b over the epochs (rules.sup); options as in compare.compared."""
    return compared(cells, rule, metric=metric, each=each, need=need, best=best)


def rule(found: Difference) -> rules.Decision:
    """SUP on a difference; strictly where the whole curve is above 0."""
    band = rules.lower_band(found.estimate, found.draws)
    return rules.sup(found.relative_draws, found.relative, band)
