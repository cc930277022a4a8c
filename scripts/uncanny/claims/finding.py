"""Findings: a verdict with its numbers, and how several findings are combined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

SUPPORTED, REFUTED = "supported", "refuted"
REDUCED = "not reproduced at this scale"  # in place of refuted, where training or steps are fewer
INCONCLUSIVE, CANNOT_DECIDE = "inconclusive", "cannot decide"
UNTESTABLE, CONSTRUCTED = "not testable", "by construction"
VERDICTS = (SUPPORTED, REFUTED, REDUCED, INCONCLUSIVE, CANNOT_DECIDE, UNTESTABLE, CONSTRUCTED)
AGAINST = (REFUTED, REDUCED)


class NotTestable(ValueError):
    """The results cannot answer the question; the message names what is missing."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its numbers.

    verdict: one of VERDICTS. text: one sentence for readers. estimate, low, high: the quantity in
    `unit`, with its 95 % interval, or None. margin: of equality or of the smallest effect, in
    `unit`. p: probability of evidence at least as strong without what the verdict asserts; 1 if a
    test is inconclusive, None if nothing was tested. detectable: smallest effect, in `unit`, that
    would be detected with 80 % power. scope: what the interval includes, in words. limit: why this
    scale cannot decide, or "". cells: names of the curves used. details: further numbers, JSON.
    spreads: between trainings, by fingerprint.
    """

    verdict: str
    text: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    margin: float | None = None
    p: float | None = None
    detectable: float | None = None
    scope: str = ""
    limit: str = ""
    cells: tuple[str, ...] = ()
    details: dict = field(default_factory=dict)
    spreads: Mapping = field(default_factory=dict)

    @property
    def is_testable(self) -> bool:
        return self.verdict != UNTESTABLE


def untestable(reason: str) -> Finding:
    """The finding of a question that the results cannot answer."""
    return Finding(UNTESTABLE, f"not testable: {reason}", limit=reason)


def required(require: str | int, count: int) -> int:
    """How many of `count` findings must be supported: "all", "same", "any" or a number."""
    if require in ("all", "same", "any"):
        return 1 if require == "any" else count
    if isinstance(require, bool) or not isinstance(require, int) or require < 1:
        raise ValueError(f"require: {require!r}; expected all, same, any or a whole number from 1")
    return min(require, count)


def verdict_of(findings: Sequence[Finding], require: str | int = "all") -> tuple[str, float | None]:
    """Verdict on n findings together, and its p.

    Supported if at least k are supported (all: k = n; any: k = 1) and, except for "any", none is
    refuted. Refuted if more than n - k are refuted (same: all of them). Else the first of: not
    testable, cannot decide, inconclusive, by construction, that one of them is. What holds by
    construction counts for neither side. p is that of a partial conjunction,
    min(1, (n - k + 1) p_(k)), with p_(k) the k-th smallest: the largest for all of them, n times
    the smallest for any.
    """
    tested = [f for f in findings if f.verdict != CONSTRUCTED]
    if not tested:
        return CONSTRUCTED, None
    count, k = len(tested), required(require, len(tested))
    holding = [f for f in tested if f.verdict == SUPPORTED]
    refuted = [f for f in tested if f.verdict in AGAINST]
    if len(holding) >= k and (require == "any" or not refuted):
        return SUPPORTED, _joint(holding, k, count)
    against = count if require == "same" else count - k + 1
    if len(refuted) >= against:
        return REFUTED, _joint(refuted, against, count)
    rest = {f.verdict for f in tested}
    if UNTESTABLE in rest:
        return UNTESTABLE, None
    return (CANNOT_DECIDE if CANNOT_DECIDE in rest else INCONCLUSIVE), 1.0


def _joint(findings: Sequence[Finding], k: int, count: int) -> float | None:
    """p of "at least k of count hold" (partial conjunction), from the findings that are tests:
    min(1, (count - k + 1) p_(k)).
    """
    values = sorted(f.p for f in findings if f.p is not None)
    return min(1.0, (count - k + 1) * values[min(k, len(values)) - 1]) if values else None


def deciding(findings: Mapping[str, Finding], verdict: str, require: str | int = "all") -> str:
    """Name of the finding that decides the verdict: of those with it, the one with the largest p;
    with the smallest where one is enough (any: supported, all: refuted). Of equal ones the first.
    """
    names = [name for name, f in findings.items() if _agrees(f, verdict)] or list(findings)
    tested = [name for name in names if findings[name].p is not None] or names
    enough = (require == "any" and verdict == SUPPORTED) or (
        require == "all" and verdict in AGAINST
    )
    choose = min if enough else max
    return choose(tested, key=lambda name: findings[name].p or 0.0)


def _agrees(finding: Finding, verdict: str) -> bool:
    return finding.verdict == verdict or (finding.verdict in AGAINST and verdict in AGAINST)


def combined(
    findings: Mapping[str, Finding], require: str | int = "all", pooled: Finding | None = None
) -> Finding:
    """Combine several named findings. Numbers are those of `pooled` if it has the same verdict,
    else of the finding that decides.
    """
    verdict, p = verdict_of(list(findings.values()), require)
    decider = deciding(findings, verdict, require)
    shows_all = pooled and pooled.estimate is not None and _agrees(pooled, verdict)
    base = pooled if shows_all else findings[decider]
    cells = dict.fromkeys(cell for f in findings.values() for cell in f.cells)
    spreads = {k: v for f in findings.values() for k, v in f.spreads.items()}
    return replace(
        base,
        verdict=verdict,
        p=p,
        text=_sentence(findings, "all together" if shows_all else decider, base),
        limit=findings[decider].limit,
        cells=tuple(cells),
        details={
            **base.details,
            "decides": decider,
            "parts": {name: short(f) for name, f in findings.items()},
        },
        spreads=spreads,
    )


def _sentence(findings: Mapping[str, Finding], name: str, base: Finding) -> str:
    """Counts of verdicts, then the finding whose numbers are shown."""
    holding = sum(f.verdict == SUPPORTED for f in findings.values())
    refuted = [name for name, f in findings.items() if f.verdict in AGAINST]
    missing = sum(f.verdict == UNTESTABLE for f in findings.values())
    text = f"supported in {holding} of {len(findings)}"
    text += f", contradicted in {len(refuted)}" if refuted else ""
    text += f" ({', '.join(refuted)})" if 0 < len(refuted) <= 3 else ""
    text += f", not testable in {missing}" if missing else ""
    return f"{text}; {name}: {base.text}"


def short(finding: Finding) -> dict:
    """The main entries of a finding, as JSON."""
    names = ("verdict", "estimate", "low", "high", "unit", "margin", "p", "detectable", "scope")
    return {name: getattr(finding, name) for name in (*names, "limit", "text", "details")}


def holm(p: Mapping[str, float], count: int) -> dict[str, float]:
    """Holm's adjusted p, by claim, for a family of `count` claims of which some have no p:
    max over ranks j ≤ i of min(1, (count - j + 1) p_(j)).

    A verdict stands if its adjusted p is at most 0.05.
    """
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: (p[name], name))):
        highest = max(highest, min(1.0, (count - rank) * p[name]))
        adjusted[name] = highest
    return adjusted
