"""How often intervals of a study contain what they should: the same quantity measured again.

Redraws: other latents, the same weights. Each is compared with the mean of the others. Further
trainings: each, with the spread between trainings of the study's own, is compared with the mean of
these. A claim is restricted to what was measured again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import special

from uncanny.claims.assess import Evidence
from uncanny.claims.finding import CONSTRUCTED, Finding, NotTestable, short
from uncanny.evaluation.contrasts import Contrast
from uncanny.registry import components

REDRAWS, TRAININGS, HALVES = "redraws", "further trainings", "three trainings again"


@dataclass(frozen=True)
class Coverage:
    """Intervals of one quantity. kind: REDRAWS, TRAININGS or HALVES. models: that were measured.

    covered of count intervals contain the value; width: their median width, % of the value.
    chi2: Σ (z - z̄)²/se² of redraws, with `freedom`; None for trainings.
    """

    claim: str
    part: str
    kind: str
    models: tuple[str, ...]
    covered: int
    count: int
    width: float
    chi2: float | None = None
    freedom: int = 0


def of_claims(
    claims: Mapping[str, Mapping], evidence: Evidence, names: Sequence[str]
) -> list[Coverage]:
    """Coverage of all parts of some claims that compare cells, as far as they were measured again.

    claims: complete, as in assess.assess. Trainings of the study: its seeds and those of the claim.
    """
    return [
        row
        for name in names
        for part_name, part in claims[name]["block"].get("parts", {}).items()
        if "cells" in part and f"parts.{part_name}" not in claims[name].get("missing", {})
        for row in _of_part(name, part_name, part, evidence)
    ]


def _of_part(claim: str, name: str, part: Mapping, evidence: Evidence) -> Iterator[Coverage]:
    own = tuple(next(iter(part["cells"].values())).get("seeds", evidence.seeds))
    draws, measured = evidence.sampling_seeds[:1], Measured.of(evidence)
    runs = measured.among(part, [(own[:1], [draw]) for draw in measured.draws - set(draws)])
    if len(runs) > 1:
        restricted = measured.restricted(part, runs)
        # At fixed weights: a stored spread between trainings would only widen the intervals.
        fixed = replace(evidence, spreads={})
        by_run = [_contrasts(restricted, fixed, *run) for run in runs]
        for label, values in _shared(by_run):
            yield _redrawn(claim, _label(name, label), _models(restricted), values)
    runs = measured.among(part, [([seed], draws) for seed in measured.seeds - set(own)])
    restricted = measured.restricted(part, [(own, draws), *runs]) if runs else None
    if restricted:
        trainings = Trainings(restricted, evidence, own, [seed for (seed,), _ in runs])
        shown = claim, name.replace("_", " "), _models(restricted)
        yield from trainings.single(*shown)
        yield from trainings.together(*shown)


@dataclass(frozen=True)
class Trainings:
    """A part, restricted to what was measured, after the study's own and further trainings."""

    part: Mapping
    evidence: Evidence
    own: Sequence[int]
    further: Sequence[int]

    def single(self, claim: str, part: str, models: tuple) -> Iterator[Coverage]:
        """Each further training against the mean of the study's own; with one of its own, each
        training against the mean of all others.
        """
        everything = [*self.own, *self.further]
        splits = [(self.own, self.further)]
        if len(self.own) == 1:
            splits = [([s for s in everything if s != one], [one]) for one in everything]
        intervals: dict[str, list[tuple[bool, float]]] = {}
        for base, singles in splits if len(splits[0][0]) > 1 else []:
            for label, one in self._against(base, singles):
                intervals.setdefault(label, []).append(one)
        for label, contained in intervals.items():
            inside, widths = zip(*contained, strict=True)
            numbers = sum(inside), len(inside), float(np.median(widths))
            yield Coverage(claim, _label(part, label), TRAININGS, models, *numbers)

    def _against(self, base: Sequence[int], singles: Sequence[int]) -> Iterator[tuple]:
        """(name, (contained, width)) of intervals of single trainings and the mean of others."""
        draws = self.evidence.sampling_seeds[:1]
        together = _findings(self.part, self.evidence, base, draws)
        spreads = {
            k: replace(s, source="-") for f in together.values() for k, s in f.spreads.items()
        }
        stored = replace(self.evidence, spreads=spreads)
        # The mean of R trainings has 1/R of the variance of one.
        factor = np.sqrt(1 + 1 / len(base))
        for seed in singles:
            alone = _contrasts(self.part, stored, [seed], draws)
            for label in [name for name in together if name in alone]:
                value = contrast_of(together[label]).value
                yield label, (_contains(alone[label], value, factor), _width(alone[label]))

    def together(self, claim: str, part: str, models: tuple) -> Iterator[Coverage]:
        """The study's own trainings against as many further ones."""
        if len(self.own) < 2 or len(self.further) != len(self.own):
            return
        draws = self.evidence.sampling_seeds[:1]
        by_half = [_contrasts(self.part, self.evidence, s, draws) for s in (self.own, self.further)]
        for label, (whole, other) in _shared(by_half):
            inside = _contains(whole, other.value, np.sqrt(2))
            numbers = int(inside), 1, _width(whole)
            yield Coverage(claim, _label(part, label), HALVES, models, *numbers)


def _redrawn(claim: str, part: str, models: tuple, values: Sequence[Contrast]) -> Coverage:
    z = np.array([value.value for value in values])
    count = len(z)
    others = (z.sum() - z) / (count - 1)  # mean of the other redraws
    factor = np.sqrt(1 + 1 / (count - 1))
    inside = [_contains(v, mean, factor) for v, mean in zip(values, others, strict=True)]
    chi2 = np.sum((z - z.mean()) ** 2) / np.mean([value.se**2 for value in values])
    width = float(np.median([_width(value) for value in values]))
    return Coverage(claim, part, REDRAWS, models, sum(inside), count, width, float(chi2), count - 1)


def _contains(contrast: Contrast, value: float, factor: float) -> bool:
    low, high = replace(contrast, se=contrast.se * factor).interval()
    return bool(low <= value <= high)


def _width(contrast: Contrast) -> float:
    low, high = contrast.interval()
    return 100 * (high - low)


def chi2_limits(freedom: int, level: float = 0.95) -> tuple[float, float]:
    """Central interval of the chi-square distribution."""
    # chdtri is the inverse of the upper tail.
    return tuple(
        float(special.chdtri(freedom, tail)) for tail in ((1 + level) / 2, (1 - level) / 2)
    )


# ---- Quantities -------------------------------------------------------------------------------


def _findings(part: Mapping, evidence: Evidence, seeds, draws) -> dict[str, Finding]:
    """Finding of the part with some training and sampling seeds, or one for each of its contrasts,
    by name; those without an interval are left out. No gate: intervals are for every verdict.
    """
    kind = components.load("claims", part["kind"])
    options = part.get("options", {})
    options = options | ({"gate": False} if "gate" in options else {})
    one = replace(evidence, seeds=seeds, sampling_seeds=draws)
    try:
        finding = kind(one.read(part), **options)
    except NotTestable:
        return {}
    parts = finding.details.get("parts") or {"": short(finding)}
    return {
        name: replace(finding, details=entry["details"])
        for name, entry in parts.items()
        if entry["verdict"] != CONSTRUCTED and entry["details"].get("freedom")
    }


def contrast_of(finding: Finding) -> Contrast:
    """The contrast behind a finding, from its details."""
    names = ("value", "se", "freedom", "scale")
    value, se, freedom, scale = (finding.details[name] for name in names)
    return Contrast(value, se, freedom, 20, scale)


def _contrasts(part: Mapping, evidence: Evidence, seeds, draws) -> dict[str, Contrast]:
    findings = _findings(part, evidence, seeds, draws)
    return {name: contrast_of(finding) for name, finding in findings.items()}


def _shared(by_run: Sequence[Mapping[str, Contrast]]) -> Iterator[tuple[str, list[Contrast]]]:
    """Contrasts that all have, by name."""
    for label in by_run[0]:
        if all(label in one for one in by_run):
            yield label, [one[label] for one in by_run]


def _label(part: str, label: str) -> str:
    return f"{part}: {label}".replace("_", " ") if label else part.replace("_", " ")


def _models(part: Mapping) -> tuple[str, ...]:
    selections = part["cells"].values()
    return tuple(dict.fromkeys(model for selection in selections for model in selection["models"]))


# ---- What was measured again --------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """All scored cells: (model, training seed, sampler, guidance, sampling seed, epoch)."""

    cells: frozenset[tuple]

    @classmethod
    def of(cls, evidence: Evidence) -> "Measured":
        return cls(frozenset().union(*evidence.scores.measured.values()))

    @property
    def seeds(self) -> set[int]:
        return {cell[1] for cell in self.cells}

    @property
    def draws(self) -> set[int]:
        return {cell[4] for cell in self.cells}

    def among(self, part: Mapping, runs: Iterable[tuple]) -> list[tuple]:
        """Those of some runs in which models of every selection were measured, in order."""
        return [run for run in sorted(runs) if self.restricted(part, [run])]

    def restricted(self, part: Mapping, runs: Sequence[tuple]) -> dict | None:
        """The part with those models and samplers that were measured in all runs, or None where a
        selection has none; models of selections of the same length stay paired.

        runs: (training seeds, sampling seeds).
        """
        selections = list(part["cells"].values())
        kept = [[self._has(s, model, runs) for model in s["models"]] for s in selections]
        if len({len(flags) for flags in kept}) == 1:
            kept = [[all(flags) for flags in zip(*kept, strict=True)]] * len(kept)
        cells = {}
        for (name, selection), flags in zip(part["cells"].items(), kept, strict=True):
            models = [m for m, flag in zip(selection["models"], flags, strict=True) if flag]
            if not models:
                return None
            rest = {k: v for k, v in selection.items() if k not in ("seeds", "sampling_seeds")}
            cells[name] = rest | {"models": models}
        return dict(part) | {"cells": cells}

    def _has(self, selection: Mapping, model: str, runs: Sequence[tuple]) -> bool:
        wanted = product(selection["samplers"], selection["guidances"], selection["epochs"][model])
        return all(
            (model, seed, sampler, guidance, draw, epoch) in self.cells
            for sampler, guidance, epoch in wanted
            for seeds, draws in runs
            for seed, draw in product(seeds, draws)
        )
