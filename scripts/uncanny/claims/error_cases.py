"""Claims whose error rates are simulated, and whether each is true, by the size of an effect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from uncanny.claims import simulated_records as records
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

EFFECTS = (0.0, 0.05, 0.1, 0.2)
HOLDS, FAILS, EDGE = "holds", "fails", "edge"  # edge: on the border, where neither may be found
THREE, STORED, ALONE, NOTHING = "3", "1, spread stored", "1, these weights", "no training"
TRAININGS = {THREE: (0, 1, 2), STORED: (3,), ALONE: (0,), NOTHING: (0,)}  # -> seeds
MARGIN = 0.05
STUDY = "study"  # group of the claims on the scores and times of one simulated study


@dataclass(frozen=True)
class Case:
    """A claim on simulated results. truths: whether it holds, at each of EFFECTS. evidence: a
    function of simulated_records, None for scores and times of a study (simulated). trainings: of
    TRAININGS.
    """

    name: str
    kind: str
    selections: Mapping[str, Mapping]
    truths: Sequence[str]
    options: dict = field(default_factory=dict)
    evidence: Callable | None = None
    trainings: Sequence[str] = (THREE, STORED)

    @property
    def claim(self) -> dict:
        source = components.signature("claims", self.kind).first
        metric = {"metric": METRIC} if source in ("cells", "sizes") else {}
        part = {"kind": self.kind, source: dict(self.selections), "options": metric | self.options}
        return {"block": {"statement": self.name, "source": "", "parts": {"only": part}}}

    @property
    def group(self) -> str:
        """What is simulated together: STUDY, or the case alone."""
        return self.name if self.evidence else STUDY


def _selection(models: Sequence[str], *samplers: str, at: Sequence[int] = EPOCHS) -> dict:
    epochs = {model: list(at) for model in models}
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
LAST = {"at": [records.EPOCH]}
COUNTED = {"a": _selection([records.HUNGRY], "S", **LAST)}
COUNTED |= {"b": _selection([records.FRUGAL], "S", **LAST)}
FAMILIES = {
    name: _selection(models, *records.SAMPLERS, **LAST) for name, models in records.FAMILIES.items()
}
SIZED = {"a": _selection(["base_1"], "S", **LAST)}
CLASSIFIER, CLASSIFIERS = (
    {"a": {"classifiers": [f"classifier_{k}" for k in range(n)]}} for n in (1, 3)
)
MADE = {"a": {"experiments": [records.EXPERIMENT]}}
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
    # ---- Not on the scores and times of a study ------------------------------------------------
    Case(
        "costlier, steps chosen",
        "costlier",
        COUNTED,
        ANY_ABOVE_0,
        evidence=records.evaluations,
        trainings=(THREE, ALONE),
    ),
    Case(
        "dominates",
        "dominates",
        FAMILIES,
        (FAILS, EDGE, HOLDS, HOLDS),
        evidence=records.families,
        trainings=(THREE, ALONE),
    ),
    Case(
        "settles",
        "settles",
        SIZED,
        WITHIN_5,
        {"at": records.AT, "margin": MARGIN},
        records.sizes,
        (ALONE,),
    ),
    Case(
        "classifier_report, accuracy",
        "classifier_report",
        CLASSIFIER,
        ANY_ABOVE_0,
        {"side": "above", "bound": records.ACCURACY},
        records.accuracies,
        (ALONE,),
    ),
    Case(
        "classifier_report, gradient",
        "classifier_report",
        CLASSIFIERS,
        ANY_ABOVE_0,
        {"side": "above", "bound": records.GRADIENT, "quantity": "gradient_rms"},
        records.gradients,
        (THREE,),
    ),
    Case(
        "cell_verdicts, schedules",
        "cell_verdicts",
        MADE,
        BETTER_FROM_5,
        {"metric": "w2"},
        records.schedules,
        (THREE, ALONE),
    ),
    Case(
        "cell_verdicts, ways to train",
        "cell_verdicts",
        MADE,
        ANY_ABOVE_0,
        {"metric": "w2", "family": "both"},
        records.weightings,
        (THREE, ALONE),
    ),
    Case(
        "cell_verdicts, base slower",
        "cell_verdicts",
        MADE,
        (EDGE, FAILS, FAILS, FAILS),
        {"metric": "w2", "family": "both"},
        records.faster_weightings,
        (THREE, ALONE),
    ),
    Case(
        "terms_add_up",
        "terms_add_up",
        MADE,
        WITHIN_5,
        {"margin": MARGIN},
        records.identity,
        (NOTHING,),
    ),
)
