"""NON: A is at least as good as B, or better."""

from typing import Literal

from uncanny.claims import rules
from uncanny.claims.bootstrap import Difference
from uncanny.claims.compare import compared
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.registry.option_types import Nonnegative, Quorum

SELECTIONS = ("a", "b")


def no_worse(
    cells: Cells,
    *,
    metric: str = "is10",
    delta: Nonnegative = 0.02,
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    best: Literal["none", "a", "b"] = "none",
) -> Finding:
    """Selection a loses less than `delta` of the mean of b over the epochs (rules.non); options as
    in compare.compared.
    """

    def rule(contrast: Difference) -> rules.Decision:
        return rules.non(contrast.relative_replicates, delta)

    return compared(cells, rule, metric=metric, per=per, require=require, best=best)
