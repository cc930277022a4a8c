"""A metric rises or falls with the guidance scale or the number of evaluations."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from uncanny.claims import curve_rules, rules
from uncanny.claims.compare import check_gate, grouped, over_groups
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.effects import Effect, by_model, effect, row
from uncanny.claims.finding import CONSTRUCTED, Finding, NotTestable
from uncanny.registry.option_types import Quorum

SELECTIONS = ("a",)


def slope(
    cells: Cells,
    *,
    expect: Literal["rises", "falls"],
    x: Literal["scale", "nfe"] = "scale",
    metric: str = "is10",
    per: Literal["none", "model"] = "none",
    require: Quorum = "all",
    gate: bool = True,
) -> Finding:
    """The metric itself, whether more or less is better, rises (falls) with log10 x: the interval
    of the least-squares slope is above (below) 0; refuted if it is on the other side
    (curve_rules.direction). In % of the mean per tenfold x; means over epochs, samplers and models
    at each x. gate: compare.check_gate.
    """
    measured = cells.label("metrics", metric)

    def evaluate(keys, _):
        curves, everything = cells.curves("a", metric, keys), cells.curves("a", metric)
        if gate:
            check_gate(cells, curves, metric)
        change = _slope(cells, curves, everything, x)
        decision = curve_rules.direction(change, 1 if expect == "rises" else -1)
        shared = {
            "p": decision.p,
            "scope": change.source,
            "cells": tuple(curve.name for curve in curves),
            "spreads": change.spreads,
        }
        if decision.verdict == CONSTRUCTED:
            return Finding(decision.verdict, f"{measured} of the same images", **shared)
        estimate, low, high = change.percents()
        return Finding(
            decision.verdict,
            f"{measured} changes by {estimate:+.1f} % per tenfold {x} ({low:+.1f} to "
            f"{high:+.1f} %)",
            estimate=estimate,
            low=low,
            high=high,
            unit=f"% per tenfold {x}",
            detectable=abs(change.percent(rules.detectable(change.contrast))),
            **shared,
        )

    return over_groups(grouped(cells, cells.selected("a"), per), require, evaluate)


def _slope(cells: Cells, curves: Sequence[Curve], everything: Sequence[Curve], x: str) -> Effect:
    """Slope of the mean over models of their metric."""
    models = {curve.model for curve in curves}
    rows = [
        row(float(model in models) / len(models), _terms(own, x), "level")
        for model, own in by_model(everything).items()
    ]
    return effect(rows, everything, curves, cells.spreads)


def _terms(curves: Sequence[Curve], x: str) -> list[tuple[float, list[Curve]]]:
    """Least-squares weights of one model's curves at each x."""
    positions = sorted({getattr(curve, x) for curve in curves})
    if len(positions) < 3 or not all(np.isfinite(p) and p > 0 for p in positions):
        raise NotTestable(f"{x} is {positions}; a slope takes three different numbers above 0")
    # slope = Σ (log x - mean) y / Σ (log x - mean)²
    centred = np.log10(positions) - np.mean(np.log10(positions))
    weights = centred / np.sum(centred**2)
    return [
        (float(weight), [curve for curve in curves if getattr(curve, x) == position])
        for weight, position in zip(weights, positions, strict=True)
    ]
