"""A curve has reached no plateau by its last epoch."""

from typing import Literal

import numpy as np

from uncanny.claims import plateaus, rules
from uncanny.claims.compare import grouped, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.evaluation.convergence import CODES
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a",)
CENSORED = CODES.index("not_converged")


def not_converged(
    cells: Cells,
    *,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "pair",
    require: Quorum = "all",
) -> Finding:
    """Curves of selection a have not converged by their last epoch: fewer than two points follow
    the start of a plateau. Of several curves, their mean probability.

    Supported with a bootstrap probability of at least 80 %, refuted with at most 5 %. Curves that
    never leave the noise do not count as unconverged.
    """

    def evaluate(keys, name):
        starts, codes = plateaus.starts(cells, keys, "a", metric, name)
        censored = float(np.mean(codes == CENSORED))
        frequencies = {code: float(np.mean(codes == i)) for i, code in enumerate(CODES)}
        curve = cells.curve("a", keys[0], metric)
        start = plateaus.middle(plateaus.median_start(starts))[0]
        return Finding(
            rules.mass(censored).verdict,
            f"no plateau by epoch {curve.epochs[-1]} with probability {censored:.2f} "
            f"(median start: {plateaus.epoch_text(start)})",
            estimate=censored,
            unit="probability",
            suffixes=cells.suffixes,
            cells=tuple(cells.curve("a", key, metric).name for key in keys),
            details={"statuses": frequencies},
        )

    return over_groups(grouped(cells.selected("a"), per), require, evaluate)
