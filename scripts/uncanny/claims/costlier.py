"""A needs more network evaluations than B."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.effects import FIXED
from uncanny.claims.finding import (
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    Finding,
    NotTestable,
    verdict_of,
)
from uncanny.evaluation.contrasts import repeated
from uncanny.registry.option_types import Positive

SELECTIONS = ("a", "b")


def costlier(cells: Cells, *, metric: str = "is10", factor: Positive = 1.0) -> Finding:
    """Every curve of a needs more than `factor` times the evaluations per image of each curve of b
    with which it is paired.

    Evaluations of a number of steps that the config sets are counted without error, so that no test
    applies. Those of a sampler that chooses its steps differ between runs: rules.side on the log
    ratio, with t intervals between training seeds, or between the sampling seeds of a single
    training. Inconclusive with a single run. The estimate is the least ratio of all pairs.
    """
    pairs = cells.paired(metric)
    decisions, intervals = zip(*(_decision(a, b, factor) for a, b in pairs), strict=True)
    verdict, p = verdict_of([Finding(d.verdict, "", p=d.p) for d in decisions])
    ratios = [a.nfe / b.nfe for a, b in pairs]
    least = min(ratios)
    ends = intervals[ratios.index(least)]
    shown = " ({low:.3g} to {high:.3g})".format(**ends) if ends else ""
    text = f"at least {least:.3g} times the evaluations of the others{shown}"
    if failing := [x for x, d in zip(pairs, decisions, strict=True) if d.verdict != SUPPORTED]:
        first = ", ".join(f"{curve.label} ({curve.nfe:.4g})" for curve in failing[0])
        required = "more" if factor == 1 else f"{factor:g} times as many"
        text += f"; not {required} in {len(failing)} of {len(pairs)} pairs: {first}"
    return Finding(
        verdict,
        text,
        estimate=float(least),
        **ends,
        unit="times",
        p=p,
        scope=_scope(pairs[0][0]) if p is not None else "",
        cells=tuple(dict.fromkeys(curve.name for pair in pairs for curve in pair)),
    )


def _decision(a: Curve, b: Curve, factor: float) -> tuple[rules.Decision, dict]:
    """Of a pair, and the ends of the 95 % interval of its ratio, if that differs between runs."""
    for curve in (a, b):
        if not np.isfinite(curve.nfe):
            raise NotTestable(f"missing: number of evaluations of {curve.label}")
    counted = rules.Decision(SUPPORTED if a.nfe > factor * b.nfe else REFUTED)
    if _is_counted(a) and _is_counted(b):
        return counted, {}
    # log(evaluations of a / of b) of each run; a number that is counted is the same in all
    runs = [c.evaluations[:1, :1] if _is_counted(c) else c.evaluations for c in (a, b)]
    if runs[0].size > 1 < runs[1].size and runs[0].shape != runs[1].shape:
        raise NotTestable(f"{a.label} and {b.label} were not sampled with the same seeds")
    logs = np.log(runs[0] / runs[1])
    values = logs.mean(axis=1) if len(logs) > 1 else logs[0]
    if len(values) < 2:
        return rules.Decision(INCONCLUSIVE, 1.0), {}
    contrast = repeated(values)
    if contrast.by_construction:  # the same in all runs
        return counted, {}
    ends = {name: float(np.exp(end)) for name, end in rules.interval(contrast).items()}
    return rules.side(contrast, float(np.log(factor)), above=True), ends


def _is_counted(curve: Curve) -> bool:
    """Whether all runs have the same whole number, as means of steps that are chosen do not."""
    return bool(np.all(curve.evaluations == round(curve.nfe)))


def _scope(curve: Curve) -> str:
    trainings = len(curve.seeds)
    return FIXED if trainings == 1 else f"{trainings} trainings"
