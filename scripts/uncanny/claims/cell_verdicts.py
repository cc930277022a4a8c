"""The verdicts that experiments came to, cell by cell, in the words of claims."""

from dataclasses import replace
from typing import Literal

from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding, NotTestable, combined
from uncanny.claims.records import Experiments

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
    nfe: list[int] | None = None,
    target: str | None = None,
    family: str | None = None,
    model: str | None = None,
    require: Literal["all", "any"] | int = "all",
) -> Finding:
    """Of the cells that options name, `need` have the verdict "supports" (theory.verdicts;
    for ways to train, design_space.weighting).

    nfe: numbers of evaluations. What is not given may be any. "No crossover" refutes, "partial" is
    inconclusive, and so are cells of which some refute and some do not. The estimate is the
    relative difference at the well trained end, or the ratio of times to the strictest threshold
    that was reached.
    """
    wanted = {"metric": metric, "solver": solver, "target": target, "family": family}
    wanted |= {"model": model}
    found = [
        line
        for line in experiments.lines("a")
        if all(value is None or line.get(key) == value for key, value in wanted.items())
        and (nfe is None or line["nfe"] in nfe)
    ]
    if not found:
        named = ", ".join(f"{key} {value}" for key, value in wanted.items() if value is not None)
        raise NotTestable(f"missing: a verdict on {named}, {nfe or 'any'} evaluations")
    suffixes = experiments.suffixes(found)
    findings = {_name(line): _finding(line, suffixes) for line in found}
    if len(found) == 1:
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
    known = {"suffixes": suffixes, "cells": cells, "details": {"line": line}}
    if "thresholds" in line:
        return Finding(verdict, _text_of_times(line), **known, **_ratio(line))
    effect = line["effect"]
    numbers = {} if effect["well"] is None else {"estimate": 100 * effect["well"], "unit": "%"}
    return Finding(verdict, _text_of_schedules(line), **known, **numbers)


def _text_of_schedules(line: dict) -> str:
    at, ends = line["crossing"], ("well", "less")
    key = "epoch" if "epoch" in at else "strength"
    turn = at.get("epoch", at.get("knob"))
    better = {end: line[f"better_when_{end}_trained"] for end in ends}
    told = ", ".join(
        f"{better[end]} when {end} trained ({100 * line['effect'][end]:+.1f} %)" for end in ends
    )
    turned = f"changes at {key} {turn:.3g}" if turn is not None else "no change"
    return f"{_name(line)}: {line['verdict'].replace('_', ' ')}: {told}, {turned}"


def _text_of_times(line: dict) -> str:
    told = ", ".join(
        f"{'at least ' if entry['is_bound'] else ''}{entry['ratio']:.2f} ({entry['low']:.2f} to "
        f"{entry['high']:.2f}) to {entry['factor']:g} times the best"
        if entry["ratio"] is not None
        else f"none to {entry['factor']:g} times the best"
        for entry in line["thresholds"]
    )
    return f"updates over those of the bell-shaped way, in {line['metric']}: {told}"


def _ratio(line: dict) -> dict:
    reached = [entry for entry in line["thresholds"] if entry["ratio"] is not None]
    if not reached:
        return {}
    last = reached[-1]
    return {"estimate": last["ratio"], "low": last["low"], "high": last["high"], "unit": "ratio"}
