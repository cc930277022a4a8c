"""How often intervals of a study contain what they should: the same quantity measured again.

Redraws: other latents, the same weights. Each is compared with the mean of the others. Further
trainings: each, with the spread between trainings of the study's own, is compared with the mean of
these. A claim is restricted to what was measured again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import special

from uncanny.claims.assess import Evidence
from uncanny.claims.finding import Finding, NotTestable
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
    own = next(iter(part["cells"].values())).get("seeds", evidence.seeds)
    first, draws = own[:1], evidence.sampling_seeds[:1]
    measured = Measured.of(evidence)
    runs = [(first, [draw]) for draw in sorted(measured.draws - set(draws))]
    restricted = measured.restricted(part, runs) if len(runs) > 1 else None
    if restricted:
        found = [_contrasts(restricted, evidence, *run) for run in runs]
        for label, values in _shared(found):
            yield _redrawn(claim, _label(name, label), _models(restricted), values)
    further = sorted(measured.seeds - set(own))
    runs = [(own, draws), *(([seed], draws) for seed in further)]
    restricted = measured.restricted(part, runs) if further and len(own) > 1 else None
    if restricted:
        yield from _retrained(claim, name, restricted, evidence, own, further, draws)


def _retrained(
    claim: str, name: str, part: Mapping, evidence: Evidence, own, further, draws
) -> Iterator[Coverage]:
    together = _findings(part, evidence, own, draws)
    spreads = {
        key: replace(s, source="these") for f in together.values() for key, s in f.spreads.items()
    }
    stored = replace(evidence, spreads=spreads)
    base = {label: contrast_of(f) for label, f in together.items()}
    found = [base, *(_contrasts(part, stored, [seed], draws) for seed in further)]
    models = _models(part)
    for label, (whole, *singles) in _shared(found):
        # The mean of R trainings has 1/R of the variance of one.
        factor = np.sqrt(1 + 1 / len(own))
        inside = [_contains(single, whole.value, factor) for single in singles]
        median = float(np.median([_width(single) for single in singles]))
        row = Coverage(
            claim, _label(name, label), TRAININGS, models, sum(inside), len(inside), median
        )
        yield row
    if len(further) == len(own):
        again = _contrasts(part, evidence, further, draws)
        for label, (whole, other) in _shared([base, again]):
            inside = _contains(whole, other.value, np.sqrt(2))
            row = Coverage(
                claim, _label(name, label), HALVES, models, int(inside), 1, _width(whole)
            )
            yield row


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
    by name; those without an interval are left out.
    """
    kind = components.load("claims", part["kind"])
    one = replace(evidence, seeds=seeds, sampling_seeds=draws)
    try:
        finding = kind(one.read(part), **part.get("options", {}))
    except NotTestable:
        return {}
    parts = finding.details.get("parts") or {"": {"details": finding.details}}
    found = {name: replace(finding, details=entry["details"]) for name, entry in parts.items()}
    return {name: f for name, f in found.items() if f.details.get("freedom")}


def contrast_of(finding: Finding) -> Contrast:
    """The contrast behind a finding, from its details."""
    names = ("value", "se", "freedom", "scale")
    value, se, freedom, scale = (finding.details[name] for name in names)
    return Contrast(value, se, freedom, 20, scale)


def _contrasts(part: Mapping, evidence: Evidence, seeds, draws) -> dict[str, Contrast]:
    found = _findings(part, evidence, seeds, draws)
    return {name: contrast_of(finding) for name, finding in found.items()}


def _shared(found: Sequence[Mapping[str, Contrast]]) -> Iterator[tuple[str, list[Contrast]]]:
    """Contrasts that all have, by name."""
    for label in found[0]:
        if all(label in one for one in found):
            yield label, [one[label] for one in found]


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
