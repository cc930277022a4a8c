"""Verdicts of experiments, cell by cell, as findings."""

from dataclasses import replace

from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding, NotTestable, combined
from uncanny.claims.records import Experiments
from uncanny.registry.option_types import PositiveInt, Quorum

SELECTIONS = ("a",)
WORDS = {
    "supports": SUPPORTED,
    "contradicts": REFUTED,
    "no_crossover": REFUTED,
    "partial": INCONCLUSIVE,
    "inconclusive": INCONCLUSIVE,
}


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
    """Of the cells that match the options, `require` have the verdict "supports" (theory.verdicts,
    or theory.weighting for training weights).

    nfe: numbers of evaluations. Options that are None match all cells. "No crossover" refutes;
    "partial" is inconclusive, and so is the whole if only some cells refute. The estimate is the
    relative difference at the well trained end, or the ratio of times to the strictest threshold
    that was reached.
    """
    conditions = {
        "metric": metric,
        "solver": solver,
        "target": target,
        "family": family,
        "model": model,
    }
    lines = [
        line
        for line in experiments.lines("a")
        if all(value is None or line.get(key) == value for key, value in conditions.items())
        and (nfe is None or line["nfe"] in nfe)
    ]
    if not lines:
        names = ", ".join(
            f"{key} {value}" for key, value in conditions.items() if value is not None
        )
        raise NotTestable(f"missing: a verdict on {names}, {nfe or 'any'} evaluations")
    suffixes = experiments.suffixes(lines)
    findings = {_name(line): _finding(line, suffixes) for line in lines}
    if len(lines) == 1:
        return next(iter(findings.values()))
    verdict = combined(findings, require)
    if verdict.verdict == REFUTED and not all(f.verdict == REFUTED for f in findings.values()):
        return replace(verdict, verdict=INCONCLUSIVE)
    return verdict


def _name(line: dict) -> str:
    words = [line.get("model") or line["target"], line.get("family"), line["solver"]]
    seed = line.get("train_seed")
    words += [f"{line['nfe']} evaluations", None if seed is None else f"seed {seed}"]
    return " ".join(word for word in words if word)


def _finding(line: dict, suffixes: frozenset) -> Finding:
    verdict, cells = WORDS[line["verdict"]], (_name(line),)
    shared = {"suffixes": suffixes, "cells": cells, "details": {"line": line}}
    if "thresholds" in line:
        return Finding(verdict, _text_of_times(line), **shared, **_ratio(line))
    effect = line["effect"]
    numbers = {} if effect["well"] is None else {"estimate": 100 * effect["well"], "unit": "%"}
    return Finding(verdict, _text_of_schedules(line), **shared, **numbers)


def _text_of_schedules(line: dict) -> str:
    crossing, ends = line["crossing"], ("well", "less")
    key = "epoch" if "epoch" in crossing else "strength"
    position = crossing.get("epoch", crossing.get("knob"))
    better = {end: line[f"better_when_{end}_trained"] for end in ends}
    better_text = ", ".join(
        f"{better[end]} when {end} trained ({100 * line['effect'][end]:+.1f} %)" for end in ends
    )
    change = f"changes at {key} {position:.3g}" if position is not None else "no change"
    return f"{_name(line)}: {line['verdict'].replace('_', ' ')}: {better_text}, {change}"


def _text_of_times(line: dict) -> str:
    ratios = ", ".join(
        f"{'at least ' if entry['is_bound'] else ''}{entry['ratio']:.2f} ({entry['low']:.2f} to "
        f"{entry['high']:.2f}) to {entry['factor']:g} times the best"
        if entry["ratio"] is not None
        else f"none to {entry['factor']:g} times the best"
        for entry in line["thresholds"]
    )
    return f"updates over those of the base, in {line['metric']}: {ratios}"


def _ratio(line: dict) -> dict:
    reached = [entry for entry in line["thresholds"] if entry["ratio"] is not None]
    if not reached:
        return {}
    last = reached[-1]
    return {"estimate": last["ratio"], "low": last["low"], "high": last["high"], "unit": "ratio"}
