"""Assess claims: from their blocks and a study's results to verdicts."""

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
    """Results of a study.

    scores: score table and reference scores. timings, sizes: records. reports: of classifiers, by
    name. tables, verdicts: of experiments, by name. seeds, sampling_seeds: those that every cell
    should have.
    """

    scores: Scores
    seeds: Sequence[int]
    sampling_seeds: Sequence[int]
    timings: Sequence[Mapping] = ()
    sizes: Sequence[Mapping] = ()
    reports: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)
    tables: Mapping[str, object] = field(default_factory=dict)
    verdicts: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)

    def read(self, part: Mapping, seed: str):
        """The first argument of a claim's kind: the results that it reads."""
        source = components.signature("claims", part["kind"]).first
        selections = part[source]
        if source == "cells":
            return Cells(self.scores, selections, self.seeds, self.sampling_seeds, seed)
        if source == "sizes":
            first = self.seeds[:1], self.sampling_seeds[:1]  # the only ones with large sample sets
            return Sizes(self.sizes, selections, *first, seed)
        if source == "timings":
            return Timings(self.timings, selections, seed)
        if source == "experiments":
            return Experiments(self.tables, self.verdicts, selections)
        return Reports(self.reports, selections)


@dataclass(frozen=True)
class Control:
    """A supplementary question on a claim: its finding, and what that means for the claim."""

    finding: Finding
    reading: str


@dataclass(frozen=True)
class Assessment:
    """A claim's verdict.

    alone: the finding before Holm's correction. finding: the one after it, with adjusted p. parts:
    findings that were combined.
    """

    claim: str
    block: Mapping
    finding: Finding
    alone: Finding
    parts: Mapping[str, Finding]
    controls: Mapping[str, Control]


def assess(claims: Mapping[str, Mapping], evidence: Evidence) -> list[Assessment]:
    """Assessments of claims, in their order.

    claims: name → {"block": complete block, "missing": {"parts.NAME" or "controls.NAME": [what the
    study lacks]}}. Random numbers depend on the names of claim and part alone, so a claim's numbers
    do not depend on the other claims; Holm's correction does.
    """
    assessments = [_assess(name, claim, evidence) for name, claim in claims.items()]
    adjusted = holm({a.claim: a.alone.p for a in assessments if a.alone.p is not None})
    return [replace(a, finding=_corrected(a, adjusted)) for a in assessments]


def _assess(name: str, claim: Mapping, evidence: Evidence) -> Assessment:
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
    verdict = combined(parts, block.get("require", "all"))
    return replace(verdict, text="; ".join(_part_text(name, part) for name, part in parts.items()))


def _part_text(name: str, part: Finding) -> str:
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
    """The finding with Holm's adjusted p; inconclusive if it is no longer significant."""
    finding = assessment.alone
    if assessment.claim not in adjusted:
        return finding
    p, count = adjusted[assessment.claim], len(adjusted)
    if p <= rules.ALPHA or finding.verdict == INCONCLUSIVE:
        return replace(finding, p=p)
    reason = f"{finding.verdict} alone, but not after Holm's correction for {count} claims"
    return replace(finding, verdict=INCONCLUSIVE, p=p, text=f"{reason}; {finding.text}")
