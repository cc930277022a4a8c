"""Assess claims: from their blocks and a study's results to verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from uncanny.claims import rules
from uncanny.claims.compare import attempt
from uncanny.claims.curves import Cells, Scores
from uncanny.claims.finding import (
    AGAINST,
    CONSTRUCTED,
    INCONCLUSIVE,
    REDUCED,
    REFUTED,
    SUPPORTED,
    UNTESTABLE,
    Finding,
    combined,
    holm,
    untestable,
)
from uncanny.claims.records import Experiments, Reports, Sizes, Timings
from uncanny.evaluation.trainings import Spread
from uncanny.registry import components


@dataclass(frozen=True)
class Evidence:
    """Results of a study.

    scores: score table and reference scores. timings, sizes: records. reports: of classifiers, by
    name. tables, verdicts: of experiments, by name. seeds, sampling_seeds: those that every cell
    should have. spreads: between trainings in other studies, by fingerprint. is_reduced: whether
    trainings are shorter, or solvers take fewer steps, than in the paper. labels: section of the
    config → {name: label}, for readers.
    """

    scores: Scores
    seeds: Sequence[int]
    sampling_seeds: Sequence[int]
    timings: Sequence[Mapping] = ()
    sizes: Sequence[Mapping] = ()
    reports: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)
    tables: Mapping[str, object] = field(default_factory=dict)
    verdicts: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    is_reduced: bool = False
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def read(self, part: Mapping):
        """The first argument of a claim's kind: the results that it reads."""
        source = components.signature("claims", part["kind"]).first
        selections = part[source]
        if source == "cells":
            runs = self.seeds, self.sampling_seeds
            return Cells(self.scores, selections, *runs, self.spreads, self.labels)
        if source == "sizes":
            first = self.seeds[:1], self.sampling_seeds[:1]  # the only ones with large sample sets
            return Sizes(self.sizes, selections, *first, self.labels)
        if source == "timings":
            return Timings(self.timings, selections, self.labels)
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
    study lacks]}}. Holm's correction is for all claims that are declared, whether they can be
    tested or not, refutations included; controls are a family of their own.
    """
    raw = {name: _findings(name, claim, evidence) for name, claim in claims.items()}
    alone = {
        name: _verdict(claims[name]["block"], sections["parts"]) for name, sections in raw.items()
    }
    verdicts = _corrected(alone, "claims", evidence)
    controls = {
        (name, control): finding
        for name, sections in raw.items()
        for control, finding in sections["controls"].items()
    }
    corrected = _corrected(controls, "controls", evidence)
    return [
        Assessment(
            name,
            claims[name]["block"],
            verdicts[name],
            alone[name],
            sections["parts"],
            {
                control: _control(claims[name]["block"], control, corrected[name, control])
                for control in sections["controls"]
            },
        )
        for name, sections in raw.items()
    ]


def _findings(name: str, claim: Mapping, evidence: Evidence) -> dict[str, dict[str, Finding]]:
    """Findings of the parts and controls of a claim."""
    block, missing = claim["block"], claim.get("missing", {})
    return {
        section: {
            part: _part(
                f"{name}.{section}.{part}", options, missing.get(f"{section}.{part}"), evidence
            )
            for part, options in block.get(section, {}).items()
        }
        for section in ("parts", "controls")
    }


def _verdict(block: Mapping, parts: Mapping[str, Finding]) -> Finding:
    if "not_testable" in block:
        return untestable(block["not_testable"])
    if len(parts) == 1:
        return next(iter(parts.values()))
    premise = parts.get(block.get("premise"))
    if premise and premise.verdict not in (SUPPORTED, CONSTRUCTED):
        return _without(block["premise"], premise)
    verdict = combined(parts, block.get("require", "all"))
    return replace(verdict, text="; ".join(_part_text(name, part) for name, part in parts.items()))


def _without(name: str, premise: Finding) -> Finding:
    """The finding of a claim whose premise does not hold, with the premise's numbers."""
    without = untestable(f"the premise does not hold: {premise.verdict}, {premise.text}")
    return replace(
        premise,
        verdict=without.verdict,
        text=without.text,
        limit="the premise does not hold",
        p=None,
        details=premise.details | {"decides": name},
    )


def _part_text(name: str, part: Finding) -> str:
    verdict = "" if part.verdict == UNTESTABLE else f"{part.verdict}, "
    return f"{name.replace('_', ' ')}: {verdict}{part.text}"


def _part(name: str, part: Mapping, missing: Sequence[str] | None, evidence: Evidence) -> Finding:
    if missing:
        return untestable(f"missing: {', '.join(missing)}")
    kind = components.load("claims", part["kind"])
    try:
        finding = attempt(lambda: kind(evidence.read(part), **part.get("options", {})))
        return _of_scale(finding, evidence.is_reduced)
    except ValueError as problem:
        raise ValueError(f"claims.{name}: {problem}") from None


def _control(block: Mapping, name: str, finding: Finding) -> Control:
    readings = block["controls"][name]["interpretation"]
    verdict = REFUTED if finding.verdict == REDUCED else finding.verdict
    return Control(finding, readings.get(verdict, finding.limit or finding.text))


def _corrected(findings: Mapping, family: str, evidence: Evidence) -> dict:
    """Findings with Holm's adjusted p; inconclusive where they are no longer significant, and "not
    reproduced at this scale" in place of refuted where the scale is reduced.
    """
    tested = {name: finding.p for name, finding in findings.items() if finding.p is not None}
    adjusted = holm(tested, len(findings))
    count = f"{len(findings)} {family}"
    return {
        name: _adjusted(_of_scale(finding, evidence.is_reduced), adjusted.get(name), count)
        for name, finding in findings.items()
    }


def _adjusted(finding: Finding, p: float | None, count: str) -> Finding:
    if p is None or p <= rules.ALPHA or finding.verdict not in (SUPPORTED, *AGAINST):
        return finding if p is None else replace(finding, p=p)
    if finding.p > rules.ALPHA:  # that of a partial conjunction
        reason = f"{finding.verdict} part by part, but not with its parts together"
        reason += f" (p = {finding.p:.2g})"
    else:
        reason = f"{finding.verdict} by itself, but not after Holm's correction for {count}"
    return replace(finding, verdict=INCONCLUSIVE, p=p, text=f"{reason}; {finding.text}")


def _of_scale(finding: Finding, is_reduced: bool) -> Finding:
    is_against = finding.verdict == REFUTED and is_reduced
    return replace(finding, verdict=REDUCED) if is_against else finding
