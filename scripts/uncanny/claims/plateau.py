"""PLAT: the plateau of a curve starts within a window of epochs."""

from typing import Annotated, Literal

from uncanny.claims import plateaus, rules
from uncanny.claims.compare import grouped, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import SCALED, Finding
from uncanny.registry.option_types import Nonnegative, NotBelow, Positive, Quorum

SELECTIONS = ("a",)


def plateau(
    cells: Cells,
    *,
    start: Nonnegative,
    end: Annotated[Nonnegative, NotBelow("start")],
    budget: Positive,
    metric: str = "is10",
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
) -> Finding:
    """The plateau of selection a starts at `start` to `end` epochs, plus or minus the spacing of
    the epochs; of several curves, the median of their starts.

    start, end: in a training of `budget` epochs; they are rescaled to the last epoch of the curve,
    and the verdict then has the suffix "scaled". Supported with a bootstrap probability of at least
    80 %, refuted with at most 5 %.
    """

    def evaluate(keys, name):
        curve = cells.curve("a", keys[0], metric)
        scale, slack = curve.epochs[-1] / budget, plateaus.spacing(curve)
        low, high = start * scale - slack, end * scale + slack
        starts = plateaus.median_start(plateaus.starts(cells, keys, "a", metric, name)[0])
        inside = float(((starts >= low) & (starts <= high)).mean())
        estimate, bottom, top = plateaus.middle(starts)
        window = f"epochs {max(low, 0):g} to {high:g}"
        return Finding(
            rules.mass(inside).verdict,
            f"the plateau starts {plateaus.epoch_text(estimate)}; in {window} with probability "
            f"{inside:.2f}",
            estimate=estimate,
            low=bottom,
            high=top,
            unit="epochs",
            detectable=slack,
            suffixes=cells.suffixes | ({SCALED} if scale != 1 else set()),
            cells=tuple(cells.curve("a", key, metric).name for key in keys),
            details={"window": [low, high], "probability": inside},
        )

    return over_groups(grouped(cells.selected("a"), per), require, evaluate)
