"""Verdicts of experiments, cell by cell, as findings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from uncanny.claims import rules
from uncanny.claims.compare import direction
from uncanny.claims.effects import FIXED
from uncanny.claims.finding import (
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    Finding,
    NotTestable,
    combined,
    untestable,
)
from uncanny.claims.records import Experiments
from uncanny.diffusion.theory import weighting
from uncanny.evaluation.contrasts import Contrast, repeated
from uncanny.evaluation.jackknife import GROUPS
from uncanny.registry.option_types import PositiveInt, Quorum

SELECTIONS = ("a",)
WORDS = {
    "supports": SUPPORTED,
    "contradicts": REFUTED,
    "no_crossover": REFUTED,
    "partial": INCONCLUSIVE,
    "inconclusive": INCONCLUSIVE,
}
ENDS = {"well": "exponential", "less": "polynomial"}  # which schedule is better there, as claimed


def cell_verdicts(
    experiments: Experiments,
    *,
    metric: str,
    solver: str = "sde",
    nfe: list[PositiveInt] | None = None,
    target: str | None = None,
    family: str | None = None,
    model: str | None = None,
    require: Quorum = "all",
) -> Finding:
    """Of the cells that match the options, `require` support the claim.

    nfe: numbers of evaluations. Options that are None match all cells.

    Exact scores: their verdict (theory.verdicts), which has no sampling error; inconclusive where a
    single training has none because it is not known. Trained models: the
    exponential schedule is better at the well trained end and the polynomial one at the other, both
    by rules.positive; t intervals between training seeds, or between the sampling seeds of a single
    training. Ways to train: the base is faster to two thirds of the thresholds (theory.weighting).
    """
    conditions = {
        "metric": metric,
        "solver": solver,
        "target": target,
        "family": family,
        "model": model,
    }
    cells: dict[str, list[Mapping]] = {}
    for line in experiments.lines("a"):
        is_wanted = all(value in (None, line.get(key)) for key, value in conditions.items())
        if is_wanted and (nfe is None or line["nfe"] in nfe):
            cells.setdefault(_name(line), []).append(line)
    if not cells:
        named = [f"{key} {value}" for key, value in conditions.items() if value is not None]
        raise NotTestable(f"missing: a verdict on {', '.join(named)}, {nfe or 'any'} evaluations")
    findings = {name: _finding(name, lines) for name, lines in cells.items()}
    only = next(iter(findings.values()))
    return only if len(findings) == 1 else combined(findings, require)


def _name(line: Mapping) -> str:
    words = [line.get("model") or line["target"], line.get("family"), line["solver"]]
    return " ".join(word for word in [*words, f"{line['nfe']} evaluations"] if word)


def _finding(name: str, lines: Sequence[Mapping]) -> Finding:
    """Finding of a cell, from its line or, of trained models, those of its training seeds."""
    first = lines[0]
    if "thresholds" in first:
        finding = _of_times(first)
    elif len(lines) == 1 and first.get("error", {}).get("well") is None:
        finding = _without_error(first)
    else:
        finding = _of_trainings(lines)
    return replace(
        finding, cells=(name,), text=f"{name}: {finding.text}", details={"lines": [*lines]}
    )


# ---- Schedules ---------------------------------------------------------------------------------


def _without_error(line: Mapping) -> Finding:
    numbers = {"estimate": 100 * line["effect"]["well"], "unit": "%"}
    if "train_seed" in line:  # of a divergence from measured losses
        text = f"of a single training, without a known error; {_text(line)}"
        return Finding(INCONCLUSIVE, text, p=1.0, scope=FIXED, **numbers)
    return Finding(WORDS[line["verdict"]], _text(line), **numbers)


def _of_trainings(lines: Sequence[Mapping]) -> Finding:
    findings = {f"{end} trained": _of_end(lines, end) for end in ENDS}
    both = combined(findings)
    text = "; ".join(f"{name}, {finding.text}" for name, finding in findings.items())
    return replace(both, text=f"{text}{_crossings(lines)}", scope=_scope(len(lines)))


def _scope(trainings: int) -> str:
    return FIXED if trainings == 1 else f"{trainings} trainings"


def _of_end(lines: Sequence[Mapping], end: str) -> Finding:
    """Is the schedule better that is claimed to be at one end? Numbers: exponential over polynomial
    - 1, in %.
    """
    contrast = _contrast(lines, end)
    sign = -1 if ENDS[end] == "exponential" else 1
    claimed = replace(contrast, value=sign * contrast.value)
    decision = rules.positive(claimed, float(np.log1p(rules.SMALLEST_EFFECT)))
    estimate = 100 * float(np.expm1(contrast.value))
    numbers: dict = {"estimate": estimate, "unit": "%"}
    interval = ""
    if not contrast.by_construction:
        low, high = 100 * np.expm1(contrast.interval())
        detectable = 100 * float(np.expm1(rules.detectable(contrast)))
        numbers |= {"low": float(low), "high": float(high), "detectable": detectable}
        interval = f" ({low:+.1f} to {high:+.1f} %)"
    metric, margin = lines[0]["metric"], 100 * rules.SMALLEST_EFFECT
    text = f"{metric} of the exponential schedule is {direction(estimate)} that of the polynomial"
    return Finding(decision.verdict, text + interval, p=decision.p, margin=margin, **numbers)


def _contrast(lines: Sequence[Mapping], end: str) -> Contrast:
    """log(exponential / polynomial) at one end: the mean over trainings or, of a single one, over
    its sampling seeds.
    """
    ratios = np.array([1 + line["effect"][end] for line in lines])
    if len(lines) > 1:
        return repeated(np.log(ratios))
    (line,) = lines
    # Error of a logarithm: that of the ratio over the ratio
    se = line["error"][end] / float(ratios[0])
    return Contrast(float(np.log(ratios[0])), se, line["seeds"] - 1.0, GROUPS)


def _crossings(lines: Sequence[Mapping]) -> str:
    at = [line["crossing"]["epoch"] for line in lines]
    known = ", ".join("none" if epoch is None else f"{epoch:g}" for epoch in at)
    return f"; epoch from which the exponential one is better, by training: {known}"


def _text(line: Mapping) -> str:
    crossing = line["crossing"]
    key = "epoch" if "epoch" in crossing else "strength"
    position = crossing.get("epoch", crossing.get("knob"))
    better = {end: line[f"better_when_{end}_trained"] for end in ENDS}
    better_text = ", ".join(
        f"{better[end]} when {end} trained ({100 * line['effect'][end]:+.1f} %)" for end in ENDS
    )
    change = f"changes at {key} {position:.3g}" if position is not None else "no change"
    return f"{line['verdict'].replace('_', ' ')}: {better_text}, {change}"


# ---- Times -------------------------------------------------------------------------------------


def _of_times(line: Mapping) -> Finding:
    findings = {
        f"to {entry['factor']:g} times the best": _of_threshold(entry)
        for entry in line["thresholds"]
    }
    text = ", ".join(f"{finding.text} {name}" for name, finding in findings.items())
    return replace(
        combined(findings, weighting.needed(len(findings))),
        text=f"updates over those of the base, in {line['metric']}: {text}",
        scope=_scope(line["trainings"]),
    )


def _of_threshold(entry: Mapping) -> Finding:
    if entry["ratio"] is None:
        return replace(untestable("neither arrives"), text="none")
    numbers = {name: entry.get(name) for name in ("low", "high", "p")}
    ratio = weighting.Ratio(entry["ratio"], is_bound=entry["is_bound"], **numbers)
    verdict = INCONCLUSIVE
    if weighting.is_slower(ratio):
        verdict = SUPPORTED
    elif weighting.is_faster(ratio):
        verdict = REFUTED
    bound = "at least " if ratio.value >= 1 else "at most "
    shown = f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    text = bound + shown if ratio.is_bound else shown
    p = ratio.p if verdict != INCONCLUSIVE else 1.0
    return Finding(verdict, text, ratio.value, ratio.low, ratio.high, "times", weighting.RATIO, p)
