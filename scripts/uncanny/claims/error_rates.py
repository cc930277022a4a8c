"""How often verdicts are wrong, and how often they are reached: simulated from records to verdict.

Each trial of the group STUDY is a study with three trainings (`simulated`), and one with a fourth
training whose intervals take the variance between trainings from the first. All its kinds are
assessed on each. Other kinds have trials of their own (`simulated_records`).
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from uncanny.claims import simulated
from uncanny.claims.assess import Assessment, Evidence, assess
from uncanny.claims.error_cases import (
    CASES,
    EDGE,
    EFFECTS,
    FAILS,
    HOLDS,
    STORED,
    STUDY,
    THREE,
    TRAININGS,
    Case,
)
from uncanny.claims.finding import CANNOT_DECIDE, INCONCLUSIVE, REFUTED, SUPPORTED
from uncanny.claims.rules import ALPHA

LUCKS = (0.0, 0.02, 0.05)
FALSE = {HOLDS: (REFUTED,), FAILS: (SUPPORTED,), EDGE: (SUPPORTED, REFUTED)}
# Row of trials of STUDY with a wrong verdict on any claim, after Holm's correction
TOGETHER = "all together"
COLUMNS = ("kind", "trainings", "luck", "effect", "truth", SUPPORTED, REFUTED, INCONCLUSIVE)
COLUMNS += ("trials",)
RARE = 0.001  # probability with which a row at exactly the level exceeds the limit
GROUPS = {case.name: case.group for case in CASES} | {TOGETHER: STUDY}  # name of rows -> group
# Those of the study first, with TOGETHER as the last of them
NAMES = sorted(GROUPS, key=lambda name: GROUPS[name] != STUDY)


def rows(group: str, luck: float, effect: float, trials: int, seed: int) -> list[dict]:
    """Numbers of verdicts of each case of a group and number of trainings."""
    cases = [case for case in CASES if case.group == group]
    if group == STUDY:
        return _rows(_trial, cases, luck, effect, trials, [seed])
    stream = [seed, zlib.crc32(group.encode())]  # of its own, whatever other cases there are
    return _rows(_trial_of, cases, luck, effect, trials, stream)


def _rows(
    trial, cases: Sequence[Case], luck: float, effect: float, trials: int, seed: list
) -> list:
    counts: dict[tuple[str, str], Counter] = {}
    for rng in np.random.default_rng([*seed, *_key(luck, effect)]).spawn(trials):
        for trainings, verdicts in trial(rng, cases, luck, effect):
            for name, verdict in verdicts.items():
                counts.setdefault((name, trainings), Counter())[verdict] += 1
    truths = _truths(effect) | {TOGETHER: EDGE}
    return [
        {"kind": name, "trainings": trainings, "luck": luck, "effect": effect}
        | {"truth": truths[name], SUPPORTED: count[SUPPORTED], REFUTED: count[REFUTED]}
        | {INCONCLUSIVE: count[INCONCLUSIVE] + count[CANNOT_DECIDE], "trials": count.total()}
        for (name, trainings), count in counts.items()
    ]


def _truths(effect: float) -> dict[str, str]:
    return {case.name: case.truths[EFFECTS.index(effect)] for case in CASES}


def _key(*shares: float) -> list[int]:
    return [round(1000 * share) for share in shares]


def _trial(
    rng: np.random.Generator, cases: Sequence[Case], luck: float, effect: float
) -> Iterator[tuple[str, dict]]:
    """(number of trainings, verdict of each case) of one simulated study."""
    claims = {case.name: case.claim for case in cases}
    times = simulated.timings(rng, effect)
    scores = simulated.scores(rng, TRAININGS[THREE], luck, effect)
    three = Evidence(scores, TRAININGS[THREE], (0,), timings=times)
    assessments = assess(claims, three)
    yield THREE, _verdicts(assessments, effect)
    spreads = {
        name: replace(spread, source="another study")
        for a in assessments
        for name, spread in a.alone.spreads.items()
    }
    scores = simulated.scores(rng, TRAININGS[STORED], luck, effect)
    one = Evidence(scores, TRAININGS[STORED], (0,), timings=times, spreads=spreads)
    yield STORED, _verdicts(assess(claims, one), effect)


def _trial_of(
    rng: np.random.Generator, cases: Sequence[Case], luck: float, effect: float
) -> Iterator[tuple[str, dict]]:
    """The same of simulated records. What is not about several trainings has no luck."""
    (case,) = cases
    for trainings in case.trainings:
        if trainings == THREE or not luck:
            evidence = case.evidence(rng, TRAININGS[trainings], luck, effect)
            (assessment,) = assess({case.name: case.claim}, evidence)
            yield trainings, {case.name: assessment.alone.verdict}


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
    """Rows by kind, in the order of NAMES, number of trainings, luck and effect."""
    order = {"kind": NAMES.index, "trainings": [*TRAININGS].index}
    keys = pd.DataFrame(
        {
            key: table[key].map(order.get(key, float))
            for key in ("kind", "trainings", "luck", "effect")
        }
    )
    return table.loc[keys.sort_values([*keys]).index, [*COLUMNS]].reset_index(drop=True)
