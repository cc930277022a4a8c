"""How often verdicts are wrong, and how often they are reached: simulated from scores to verdict.

Each trial is a study with three trainings (`simulated`), and one with a fourth training whose
intervals take the variance between trainings from the first. All kinds are assessed on each.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import special

from uncanny.claims import simulated
from uncanny.claims.assess import Assessment, Evidence, assess
from uncanny.claims.finding import CANNOT_DECIDE, INCONCLUSIVE, REFUTED, SUPPORTED
from uncanny.claims.rules import ALPHA
from uncanny.claims.simulated import (
    BASE,
    BETTER,
    BUMPED,
    EPOCHS,
    METRIC,
    NEAR_NOISE,
    RISING,
    TIMED,
)
from uncanny.registry import components

LUCKS, EFFECTS = (0.0, 0.02, 0.05), (0.0, 0.05, 0.1, 0.2)
HOLDS, FAILS, EDGE = "holds", "fails", "edge"  # edge: on the border, where neither may be found
FALSE = {HOLDS: (REFUTED,), FAILS: (SUPPORTED,), EDGE: (SUPPORTED, REFUTED)}
TOGETHER = (
    "all together"  # row of trials with a wrong verdict on any claim, after Holm's correction
)
TRAININGS = ("3", "1, spread stored")
COLUMNS = ("kind", "trainings", "luck", "effect", "truth", SUPPORTED, REFUTED, INCONCLUSIVE)
COLUMNS += ("trials",)
MARGIN = 0.05
RARE = 0.001  # probability with which a row at exactly the level exceeds the limit


@dataclass(frozen=True)
class Case:
    """A claim on simulated scores or times. truths: whether it holds, at each of EFFECTS."""

    name: str
    kind: str
    selections: Mapping[str, Mapping]
    truths: Sequence[str]
    options: dict = field(default_factory=dict)

    @property
    def claim(self) -> dict:
        source = components.signature("claims", self.kind).first
        metric = {"metric": METRIC} if source == "cells" else {}
        part = {"kind": self.kind, source: dict(self.selections), "options": metric | self.options}
        return {"block": {"statement": self.name, "source": "", "parts": {"only": part}}}


def _selection(models: Sequence[str], *samplers: str) -> dict:
    epochs = {model: list(EPOCHS) for model in models}
    return {"models": [*models], "samplers": [*samplers], "guidances": ["none"], "epochs": epochs}


PAIR = {"a": _selection(BETTER, "S"), "b": _selection(BASE, "S")}
SWAPPED = {"a": PAIR["b"], "b": PAIR["a"]}
SAME_WEIGHTS = {"a": _selection(BASE, "T"), "b": _selection(BASE, "S")}
ENDS = {"a": _selection(RISING, "S")}
SCALES = {"a": _selection(BASE, "S", "scale_10", "scale_100")}
FEW_AND_MANY = {"a": _selection(BASE, "few", "many"), "b": _selection(BASE, "S")}
HARM = {"a": _selection(BASE, "S", "harmful"), "b": _selection(BASE, "T")}
NEAR = {"a": _selection([NEAR_NOISE], "S")}
WINDOW = {"start": 15, "end": 45, "budget": 100}  # of the training: one milestone before it
AT_BUMP = {"start": 55, "end": 65, "budget": 100}  # BUMP of EPOCHS
SLOWER = {"a": {"training": ["slow"]}, "b": {"training": ["quick_1"]}}
ALL_TIMES = {"a": {"training": [*TIMED]}}
TIMES = {"quantity": "ms_per_update"}
ANY_ABOVE_0 = (EDGE, HOLDS, HOLDS, HOLDS)
BETTER_FROM_5 = (FAILS, HOLDS, HOLDS, HOLDS)
WITHIN_5 = (HOLDS, EDGE, FAILS, FAILS)
CASES = (
    Case("superior", "superior", PAIR, BETTER_FROM_5),
    Case("superior, same weights", "superior", SAME_WEIGHTS, BETTER_FROM_5),
    Case("superior, each pair", "superior", PAIR, BETTER_FROM_5, {"per": "pair"}),
    Case("superior, each epoch", "superior", PAIR, BETTER_FROM_5, {"per": "epoch"}),
    Case("differs", "differs", PAIR, BETTER_FROM_5),
    Case(
        "best_on_average",
        "best_on_average",
        {"best": PAIR["a"], "others": PAIR["b"]},
        BETTER_FROM_5,
    ),
    Case("equal", "equal", PAIR, WITHIN_5, {"delta": MARGIN}),
    Case("equal, same weights", "equal", SAME_WEIGHTS, WITHIN_5, {"delta": MARGIN}),
    Case("alike", "alike", {"a": _selection(BASE, "S", "T")}, WITHIN_5, {"delta": MARGIN}),
    Case("no_worse", "no_worse", SWAPPED, WITHIN_5, {"delta": MARGIN}),
    Case("late_gain, rising", "late_gain", ENDS, BETTER_FROM_5, {"expect": "rising"}),
    Case(
        "late_gain, settled",
        "late_gain",
        ENDS,
        (HOLDS, FAILS, FAILS, FAILS),
        {"expect": "settled", "margin": 0.02},
    ),
    Case("converged", "converged", ENDS, (HOLDS, FAILS, FAILS, FAILS), WINDOW),
    Case("earlier", "earlier", {"a": PAIR["b"], "b": ENDS["a"]}, BETTER_FROM_5, WINDOW),
    Case("bump", "bump", {"a": _selection(BUMPED, "S")}, BETTER_FROM_5, AT_BUMP),
    Case("stays_noise", "stays_noise", NEAR, WITHIN_5),
    Case("slope", "slope", SCALES, ANY_ABOVE_0, {"expect": "rises"}),
    Case("gap_closes", "gap_closes", FEW_AND_MANY, WITHIN_5, {"margin": MARGIN}),
    Case("harmful_scale", "harmful_scale", HARM, BETTER_FROM_5),
    Case(
        "time_ratio", "time_ratio", SLOWER, (EDGE, HOLDS, HOLDS, HOLDS), {"side": "above"} | TIMES
    ),
    Case("time_spread", "time_spread", ALL_TIMES, (HOLDS, HOLDS, EDGE, FAILS), {"bound": 1.1}),
)


def rows(luck: float, effect: float, trials: int, seed: int) -> list[dict]:
    """Numbers of verdicts of each case and number of trainings."""
    counts: dict[tuple[str, str], Counter] = {}
    key = [seed, round(1000 * luck), round(1000 * effect)]
    for rng in np.random.default_rng(key).spawn(trials):
        for trainings, verdicts in _trial(rng, luck, effect):
            for name, verdict in verdicts.items():
                counts.setdefault((name, trainings), Counter())[verdict] += 1
    truths = _truths(effect) | {TOGETHER: EDGE}
    return [
        {"kind": name, "trainings": trainings, "luck": luck, "effect": effect}
        | {"truth": truths[name], SUPPORTED: found[SUPPORTED], REFUTED: found[REFUTED]}
        | {INCONCLUSIVE: found[INCONCLUSIVE] + found[CANNOT_DECIDE], "trials": found.total()}
        for (name, trainings), found in counts.items()
    ]


def _truths(effect: float) -> dict[str, str]:
    return {case.name: case.truths[EFFECTS.index(effect)] for case in CASES}


def _trial(rng: np.random.Generator, luck: float, effect: float) -> Iterator[tuple[str, dict]]:
    """(number of trainings, verdict of each case) of one simulated study."""
    claims = {case.name: case.claim for case in CASES}
    times = simulated.timings(rng, effect)
    scores = simulated.scores(rng, (0, 1, 2), luck, effect)
    three = Evidence(scores, (0, 1, 2), (0,), timings=times)
    found = assess(claims, three)
    yield TRAININGS[0], _verdicts(found, effect)
    spreads = {
        name: replace(spread, source="another study")
        for a in found
        for name, spread in a.alone.spreads.items()
    }
    scores = simulated.scores(rng, (3,), luck, effect)
    one = Evidence(scores, (3,), (0,), timings=times, spreads=spreads)
    yield TRAININGS[1], _verdicts(assess(claims, one), effect)


def _verdicts(assessments: Sequence[Assessment], effect: float) -> dict[str, str]:
    """Verdicts before Holm's correction, and the first wrong one after it."""
    truths = _truths(effect)
    false = [a.finding.verdict for a in assessments if a.finding.verdict in FALSE[truths[a.claim]]]
    alone = {a.claim: a.alone.verdict for a in assessments}
    return alone | {TOGETHER: false[0] if false else INCONCLUSIVE}


def wrong(row: Mapping) -> int:
    """Number of verdicts that say the contrary of the truth; on the edge, of the more frequent."""
    return max(row[verdict] for verdict in FALSE[row["truth"]])


def limit(trials: int, level: float = ALPHA) -> int:
    """Most wrong verdicts of a row whose rate is the level, but for one row in a thousand."""
    counts = np.arange(trials + 1)
    # P(X <= k) of the binomial distribution
    return int(np.argmax(special.bdtr(counts, trials, level) >= 1 - RARE))


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by kind, in the order of CASES, number of trainings, luck and effect."""
    names = [*(case.name for case in CASES), TOGETHER]
    order = {"kind": names.index, "trainings": TRAININGS.index}
    keys = pd.DataFrame(
        {
            key: table[key].map(order.get(key, float))
            for key in ("kind", "trainings", "luck", "effect")
        }
    )
    return table.loc[keys.sort_values([*keys]).index, [*COLUMNS]].reset_index(drop=True)
