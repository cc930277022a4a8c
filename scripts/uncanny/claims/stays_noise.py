"""The images of a model stay near noise."""

from dataclasses import replace

from uncanny.claims import curve_rules
from uncanny.claims.compare import grouped, over_groups, share_numbers
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.effects import Effect, effect, row
from uncanny.claims.finding import CONSTRUCTED, Finding, NotTestable
from uncanny.evaluation import late_gain
from uncanny.registry.option_types import Fraction, Quorum

SELECTIONS = ("a",)


def stays_noise(
    cells: Cells, *, metric: str = "is10", share: Fraction = 0.2, require: Quorum = "all"
) -> Finding:
    """Every curve of a stays within the first `share` of the way from noise to real images,
    (y - noise)/(real - noise): the intervals of all milestones in the last 40 % of the training are
    below it; refuted if the last one's is above (curve_rules.stays_below).
    """
    measured = cells.label("metrics", metric)

    def evaluate(keys, _):
        curve = cells.curve("a", keys[0], metric)
        late = [e for e in curve.epochs if late_gain.is_late([e], curve.epochs[-1])[0]]
        ways = [_way(cells, curve, epoch, metric) for epoch in late]
        decision, decider = curve_rules.stays_below([way.contrast for way in ways], share)
        shared = {"scope": ways[0].source, "cells": (curve.name,)}
        if decision.verdict == CONSTRUCTED:
            text = f"{measured} of the same images"
            return Finding(decision.verdict, text, p=decision.p, **shared)
        epoch = late[[way.contrast for way in ways].index(decider)]
        entries = share_numbers(decision, decider, share)
        return Finding(
            decision.verdict,
            f"at epoch {epoch}, {measured} is {entries['estimate']:.0f} % of the way from noise to "
            f"real images ({entries['low']:.0f} to {entries['high']:.0f} %), {len(late)} "
            "milestones in the last 40 % of the training",
            unit="% of the way to real images",
            details={"epochs": late, "way": [100 * w.contrast.value for w in ways]},
            spreads={name: spread for way in ways for name, spread in way.spreads.items()},
            **entries,
            **shared,
        )

    return over_groups(grouped(cells, cells.selected("a"), "pair"), require, evaluate)


def _way(cells: Cells, curve: Curve, epoch: int, metric: str) -> Effect:
    """Share of the way from noise to real images at an epoch."""
    bounds = cells.scores.bounds(curve.model, metric)
    if bounds is None:
        raise NotTestable(f"missing: {metric} of noise and of real images for {curve.model}")
    (noise, real), at = bounds, curve.at([epoch])
    rows = [row(1.0, [(1.0, [at])], "level")]
    way = effect(rows, [at], [at], cells.spreads, span=abs(real - noise))
    # (y - noise)/(real - noise), in which sign (real - noise) = |real - noise|
    start = curve.sign * noise / abs(real - noise)
    return replace(way, contrast=replace(way.contrast, value=way.contrast.value - start))
