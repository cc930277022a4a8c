"""Curves still rise at the end of their training, fall, or have settled."""

from typing import Literal

from uncanny.claims import curve_rules
from uncanny.claims.compare import decided, grouped, interval_text, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.claims.gains import gained, late
from uncanny.registry.option_types import Positive, Quorum

SELECTIONS = ("a",)


def late_gain(
    cells: Cells,
    *,
    expect: Literal["rising", "falling", "settled"],
    metric: str = "is10",
    margin: Positive = 0.02,
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
) -> Finding:
    """Selection a is in the expected state at the end of its training (curve_rules.ends), by the
    gain in a third of the training at the slope of its last 40 %; of several curves, by their mean
    gain.

    A gain is in % of the level, for FID and KID of the descent from noise, and positive where the
    metric gets better. Not testable with fewer than two milestones in the last 40 %.
    """
    measured = cells.label("metrics", metric)

    def evaluate(keys, _):
        curves, companions = cells.curves("a", metric, keys), cells.curves("a", metric)
        effect = gained(cells, curves, companions, late, metric)
        decision = curve_rules.ends(effect, expect, margin)
        state, _ = curve_rules.trend(effect, margin)
        text = (
            f"{measured} gains {interval_text(effect)} in a third of the training, at its end: "
            f"{state or 'not certain whether rising, falling or settled'}"
        )
        return decided(decision, effect, margin, curves, text)

    return over_groups(grouped(cells, cells.selected("a"), per), require, evaluate)
