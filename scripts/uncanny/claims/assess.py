"""From claim blocks and a study's results to verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from uncanny.claims import rules
from uncanny.claims.compare import attempt
from uncanny.claims.curves import Cells, Scores
from uncanny.claims.finding import (
    INCONCLUSIVE,
    SCALED,
    STRICT,
    SUPPORTED,
    UNTESTABLE,
    Finding,
    combined,
    holm,
    untestable,
)
from uncanny.claims.records import Experiments, Reports, Sizes, Timings
from uncanny.registry import components


@dataclass(frozen=True)
class Evidence:
    """What a study found.

    scores: its score table and reference scores. timings, sizes: records. reports: of classifiers,
    by name. tables, verdicts: of experiments, by name. seeds, draws: of training and of sampling,
    those that every cell should have.
    """

    scores: Scores
    seeds: Sequence[int]
    draws: Sequence[int]
    timings: Sequence[Mapping] = ()
    sizes: Sequence[Mapping] = ()
    reports: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)
    tables: Mapping[str, object] = field(default_factory=dict)
    verdicts: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)

    def read(self, part: Mapping, seed: str):
        """What a kind of claim gets as its first argument."""
        what = components.signature("claims", part["kind"]).first
        selections = part[what]
        if what == "cells":
            return Cells(self.scores, selections, self.seeds, self.draws, seed)
        if what == "sizes":
            first = self.seeds[:1], self.draws[:1]  # of which alone there are sets of many images
            return Sizes(self.sizes, selections, *first, seed)
        if what == "timings":
            return Timings(self.timings, selections, seed)
        if what == "experiments":
            return Experiments(self.tables, self.verdicts, selections)
        return Reports(self.reports, selections)


@dataclass(frozen=True)
class Control:
    """A question beside a claim: what it found, and what that means for the claim."""

    finding: Finding
    reading: str


@dataclass(frozen=True)
class Assessment:
    """A claim's verdict.

    alone: the finding before Holm's correction; finding: after it, p the adjusted one. parts: what
    it is made of.
    """

    claim: str
    block: Mapping
    finding: Finding
    alone: Finding
    parts: Mapping[str, Finding]
    controls: Mapping[str, Control]


def assess(claims: Mapping[str, Mapping], evidence: Evidence) -> list[Assessment]:
    """Verdicts on claims, in their order.

    claims: name -> {"block": complete block, "missing": {"parts.NAME" or "controls.NAME": [what the
    study lacks]}}. Random numbers follow from the names of claim and part, so a claim's numbers do
    not depend on which others are assessed; Holm's correction does.
    """
    found = [_assessed(name, claim, evidence) for name, claim in claims.items()]
    tests = {a.claim: a.alone.p for a in found if a.alone.p is not None}
    adjusted = holm(tests)
    return [replace(a, finding=_corrected(a, adjusted)) for a in found]


def _assessed(name: str, claim: Mapping, evidence: Evidence) -> Assessment:
    block, missing = claim["block"], claim.get("missing", {})

    def findings(section: str) -> dict[str, Finding]:
        return {
            part: _part(
                f"{name}/{section}/{part}", options, missing.get(f"{section}.{part}"), evidence
            )
            for part, options in block.get(section, {}).items()
        }

    parts = findings("parts")
    controls = {
        part: Control(finding, _interpretation(block["controls"][part]["interpretation"], finding))
        for part, finding in findings("controls").items()
    }
    verdict = _verdict(block, parts)
    if block.get("scaled"):
        verdict = replace(verdict, suffixes=verdict.suffixes | {SCALED})
    return Assessment(name, block, verdict, verdict, parts, controls)


def _verdict(block: Mapping, parts: dict[str, Finding]) -> Finding:
    if "not_testable" in block:
        return untestable(block["not_testable"])
    if len(parts) == 1:
        return next(iter(parts.values()))
    found = combined(parts, block.get("require", "all"))
    return replace(found, text="; ".join(_named(name, part) for name, part in parts.items()))


def _named(name: str, part: Finding) -> str:
    verdict = "" if part.verdict == UNTESTABLE else f"{part.verdict}, "
    return f"{name.replace('_', ' ')}: {verdict}{part.text}"


def _part(seed: str, part: Mapping, missing: Sequence[str] | None, evidence: Evidence) -> Finding:
    if missing:
        return untestable(f"missing: {', '.join(missing)}")
    kind = components.load("claims", part["kind"])
    try:
        return attempt(lambda: kind(evidence.read(part, seed), **part.get("options", {})))
    except ValueError as problem:
        raise ValueError(f"claims.{seed.replace('/', '.')}: {problem}") from None


def _interpretation(interpretation: Mapping[str, str], finding: Finding) -> str:
    if finding.verdict == UNTESTABLE:
        return finding.text
    return interpretation[SUPPORTED if finding.verdict == STRICT else finding.verdict]


def _corrected(assessment: Assessment, adjusted: Mapping[str, float]) -> Finding:
    """The finding with Holm's p; inconclusive where the correction takes its significance."""
    finding = assessment.alone
    if assessment.claim not in adjusted:
        return finding
    p, count = adjusted[assessment.claim], len(adjusted)
    if p <= rules.ALPHA or finding.verdict == INCONCLUSIVE:
        return replace(finding, p=p)
    reason = f"{finding.verdict} alone, but not after Holm's correction for {count} claims"
    return replace(finding, verdict=INCONCLUSIVE, p=p, text=f"{reason}; {finding.text}")
