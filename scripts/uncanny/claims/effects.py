"""Effects: contrasts of curves on a relative scale, with the variance between trainings."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from uncanny.claims.curves import Curve, Pair
from uncanny.claims.finding import NotTestable
from uncanny.evaluation.contrasts import Contrast
from uncanny.evaluation.trainings import Runs, Spread, Term, is_positive
from uncanny.runtime import files

FIXED = "these weights only"  # what intervals without the variance between trainings are about

# Of a curve: coefficients of its means over some epochs
Terms = Sequence[tuple[float, Sequence[int]]]


@dataclass(frozen=True)
class Row:
    """One model in a contrast: weight × Σ of terms.

    terms [R]: of each training seed. kind: rows of one family and kind share a spread: "level" (a
    mean of scores) or "within" (a contrast of scores of the same model).
    """

    model: str
    family: str
    kind: str
    weight: float
    terms: Sequence[Sequence[Term]]
    identity: str = ""  # of everything but seeds that determines the value


@dataclass(frozen=True)
class Effect:
    """A contrast in which more is better, relative to `base`.

    contrast: on the scale "log" (of a ratio) or "difference" (in multiples of base). sign: 1, or -1
    where less of the metric is better. source: of the variance between trainings, in words.
    spreads: between trainings, by fingerprint of what varies.
    """

    contrast: Contrast
    sign: int
    base: float
    source: str
    spreads: Mapping[str, Spread]

    def margin(self, share: float) -> float:
        """A share of the base on the contrast's scale."""
        return float(np.log1p(share)) if self.contrast.scale == "log" else share

    def percent(self, value: float) -> float:
        """Change of the metric itself, in % of the base, at a value of the contrast."""
        change = self.sign * value
        return 100 * float(np.expm1(change) if self.contrast.scale == "log" else change)

    @property
    def gain(self) -> "Effect":
        """The same with changes that are positive where the metric gets better."""
        return replace(self, sign=1)

    def percents(self) -> tuple[float, float, float]:
        """Estimate and interval of that change. Raises as Contrast.interval."""
        low, high = sorted(map(self.percent, self.contrast.interval()))
        return self.percent(self.contrast.value), low, high


def difference(
    pairs: Sequence[Pair],
    everything: Sequence[Pair],
    stored: Mapping[str, Spread],
    *,
    terms: Callable[[Curve], Terms] = lambda curve: [(1.0, curve.epochs)],
    span: float | None = None,
) -> Effect:
    """Mean of the pairs' first curves against that of their second ones, by the metric's mean over
    epochs, or other terms; means over models are geometric on the log scale.

    everything: further pairs, whose models take part in the spread between trainings where they
    have the same samplers and guidances. stored: spreads from other studies, by fingerprint, for
    one training seed. span: as in `effect`. Raises NotTestable for different training seeds or a
    base of 0.
    """
    alike = {_signature(pair) for pair in pairs}
    companions = [pair for pair in everything if _signature(pair) in alike]
    weights = _weights(pairs)
    rows = _rows(companions, weights, terms)
    worse = list(dict.fromkeys(b for _, b in pairs))
    return effect(rows, [c for pair in companions for c in pair], worse, stored, span=span)


def effect(
    rows: Sequence[Row],
    curves: Sequence[Curve],
    base: Sequence[Curve],
    stored: Mapping,
    *,
    span: float | None = None,
) -> Effect:
    """Σ weight × row, relative to the mean of the curves `base`; curves: all that rows are of.

    span: the rows are differences in multiples of it, None: logarithms where these are defined,
    else differences in multiples of that mean. Raises NotTestable as `difference`.
    """
    _check_runs(curves)
    level = abs(float(np.mean([curve.values.mean() for curve in base]))) if span is None else span
    if level == 0:
        raise NotTestable("the mean that differences are compared with is 0")
    scores = [score for curve in curves for score in curve.scores.flat]
    is_log = span is None and not curves[0].signed and is_positive(scores)
    runs = Runs.of([row.terms for row in rows], base=None if is_log else level)
    spreads, source = _spreads(runs, rows, stored)
    sign = curves[0].sign
    known = [(pool, spread) for pool, spread in spreads.values()]
    contrast = runs.contrast([sign * row.weight for row in rows], known)
    kept = {fingerprint: spread for fingerprint, (_, spread) in spreads.items()}
    return Effect(contrast, sign, level, source, kept)


def share_of_way(curves: Sequence[Curve], bounds: tuple[float, float]) -> float:
    """Mean way from noise (0) to real images (1) of the last epochs of curves."""
    noise, real = bounds
    last = np.mean([curve.values[:, :, -1].mean() for curve in curves])
    return float((last - noise) / (real - noise))


# ---- Rows of a comparison ----------------------------------------------------------------------


def _signature(pair: Pair) -> tuple:
    a, b = pair
    return a.sampler, a.guidance, b.sampler, b.guidance


def _weights(pairs: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    """Shares of each model in the means of both sides."""
    shares: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for side in (0, 1):
        curves = list(dict.fromkeys(pair[side] for pair in pairs))
        for curve in curves:
            shares[curve.model][side] += 1 / len(curves)
    return {model: (a, b) for model, (a, b) in shares.items()}


def _rows(pairs: Sequence[Pair], weights: Mapping[str, tuple[float, float]], terms) -> list[Row]:
    sides = [by_model(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1)]
    rows = []
    for model in dict.fromkeys([*sides[0], *sides[1]]):
        a, b = (side.get(model, []) for side in sides)
        on_a, on_b = weights.get(model, (0.0, 0.0))
        if a and b and on_a == on_b:  # the same weights of the network on both sides
            rows.append(row(on_a, at(a, terms) + at(b, terms, -1.0), "within"))
        elif a and b:
            rows.append(row(1.0, at(a, terms, on_a) + at(b, terms, -on_b), f"within {model}"))
        else:
            rows.append(row(on_a - on_b, at(a or b, terms), "level"))
    return rows


def at(curves: Sequence[Curve], terms: Callable[[Curve], Terms], factor: float = 1.0) -> list:
    """Terms of a model's curves, times a factor: (coefficient, curves at the epochs)."""
    # The curves of one model have the same epochs.
    return [(factor * c, [curve.at(epochs) for curve in curves]) for c, epochs in terms(curves[0])]


def row(weight: float, terms: Sequence[tuple[float, Sequence[Curve]]], kind: str) -> Row:
    """Row of a model: Σ coefficient × T(mean over curves and their epochs)."""
    first = terms[0][1][0]
    per_seed = [
        [
            Term(coefficient, tuple(s for curve in curves for s in curve.scores[seed].flat))
            for coefficient, curves in terms
        ]
        for seed in range(len(first.seeds))
    ]
    identity = [[c, sorted(curve.identity for curve in curves)] for c, curves in terms]
    return Row(first.model, first.family, kind, weight, per_seed, json.dumps(identity))


def by_model(curves: Iterable[Curve]) -> dict[str, list[Curve]]:
    """Curves of each model, in their order."""
    models = defaultdict(list)
    for curve in curves:
        models[curve.model].append(curve)
    return models


def _check_runs(curves: Sequence[Curve]) -> None:
    runs = {curve.seeds for curve in curves}
    if len(runs) > 1:
        raise NotTestable(f"curves have different training seeds: {sorted(runs)}")


# ---- Variance between trainings ----------------------------------------------------------------


def _spreads(runs: Runs, rows: Sequence[Row], stored: Mapping[str, Spread]):
    """Fingerprint → (positions of rows, their spread), and the spreads' source in words."""
    pools = defaultdict(list)
    for position, one in enumerate(rows):
        pools[one.family, one.kind].append(position)
    weighted = {
        _fingerprint([rows[i] for i in pool], runs.scale): pool
        for pool in pools.values()
        if any(rows[i].weight for i in pool)
    }
    seeds = runs.values.shape[1]
    if seeds > 1:
        spreads = {name: (pool, runs.spread(pool)) for name, pool in weighted.items()}
        return spreads, f"{seeds} trainings"
    if not all(name in stored for name in weighted):
        return {}, FIXED
    names = dict.fromkeys(stored[name].source for name in weighted)
    spreads = {name: (pool, stored[name]) for name, pool in weighted.items()}
    return spreads, f"training spread from {', '.join(names)}"


def _fingerprint(rows: Sequence[Row], scale: str) -> str:
    """Checksum of models, metric, epochs, sampling and weights of rows that share a spread."""
    identities = [scale, *sorted(one.identity for one in rows)]
    return files.checksum(["\n".join(identities)])[:16]
