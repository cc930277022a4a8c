"""Findings: a verdict with its numbers, and how several findings are combined."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

SUPPORTED, STRICT, REFUTED = "supported", "strictly supported", "refuted"
INCONCLUSIVE, UNTESTABLE = "inconclusive", "not testable"
SINGLE_RUN, SCALED = "single run", "scaled"  # suffixes


class NotTestable(ValueError):
    """The results cannot answer the question; the message names what is missing."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its numbers.

    verdict: SUPPORTED, STRICT, REFUTED, INCONCLUSIVE or UNTESTABLE. estimate, low, high: the
    quantity in `unit`, with its 95 % interval, or None. p: probability of evidence at least as
    strong without the effect that the verdict asserts; 1 if a test is inconclusive, None if the
    rule is no test. detectable: smallest effect, in `unit`, that would be detected with 80 % power.
    text: one sentence for readers. cells: names of the curves used. details: further numbers, JSON.
    """

    verdict: str
    text: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    p: float | None = None
    detectable: float | None = None
    suffixes: frozenset[str] = frozenset()
    cells: tuple[str, ...] = ()
    details: dict = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return self.verdict in (SUPPORTED, STRICT)

    @property
    def full_verdict(self) -> str:
        """The verdict with its suffixes."""
        suffixes = sorted(self.suffixes) if self.verdict != UNTESTABLE else []
        return f"{self.verdict} ({', '.join(suffixes)})" if suffixes else self.verdict


def untestable(reason: str) -> Finding:
    """The finding of a question that the results cannot answer."""
    return Finding(UNTESTABLE, f"not testable: {reason}")


def required(require: str | int, count: int) -> int:
    """How many of `count` findings must be supported: "all", "any" or a number."""
    if require in ("all", "any"):
        return count if require == "all" else 1
    if isinstance(require, bool) or not isinstance(require, int) or require < 1:
        raise ValueError(f"require: {require!r}; expected all, any or a whole number from 1")
    return min(require, count)


def verdict_of(findings: Sequence[Finding], require: str | int = "all") -> tuple[str, float | None]:
    """Verdict on n findings together, and its p.

    Supported if at least k are supported (all: k = n; any: k = 1) and, except for "any", none is
    refuted. Refuted if more than n - k are refuted. Else not testable if one is, else inconclusive.
    p is that of a partial conjunction, min(1, (n - k + 1) p_(k)), with p_(k) the k-th smallest.
    """
    count, k = len(findings), required(require, len(findings))
    holding = [f for f in findings if f.holds]
    refuted = [f for f in findings if f.verdict == REFUTED]
    if len(holding) >= k and (require == "any" or not refuted):
        is_strict = all(f.verdict == STRICT for f in holding)
        return (STRICT if is_strict else SUPPORTED), _joint(holding, k, count)
    if len(refuted) > count - k:
        return REFUTED, _joint(refuted, count - k + 1, count)
    if any(f.verdict == UNTESTABLE for f in findings):
        return UNTESTABLE, None
    return INCONCLUSIVE, None if all(f.p is None for f in findings) else 1.0


def _joint(findings: Sequence[Finding], k: int, count: int) -> float | None:
    """p of "at least k of count hold" (partial conjunction), from the findings that are tests:
    min(1, (count - k + 1) p_(k)).
    """
    values = sorted(f.p for f in findings if f.p is not None)
    return min(1.0, (count - k + 1) * values[min(k, len(values)) - 1]) if values else None


def combined(
    findings: dict[str, Finding], require: str | int = "all", pooled: Finding | None = None
) -> Finding:
    """Combine several named findings. Numbers are those of `pooled`, or of the first finding that
    has any.
    """
    verdict, p = verdict_of(list(findings.values()), require)
    known = [f for f in [pooled, *findings.values()] if f is not None and f.estimate is not None]
    base = known[0] if known else Finding(verdict, "")
    cells = dict.fromkeys(cell for f in findings.values() for cell in f.cells)
    return replace(
        base,
        verdict=verdict,
        p=p,
        text=_sentence(findings, pooled),
        suffixes=frozenset().union(*(f.suffixes for f in findings.values())),
        cells=tuple(cells),
        details={**base.details, "parts": {name: _short(f) for name, f in findings.items()}},
    )


def _sentence(findings: dict[str, Finding], pooled: Finding | None) -> str:
    holding = sum(f.holds for f in findings.values())
    refuted = [name for name, f in findings.items() if f.verdict == REFUTED]
    untestable = [f for f in findings.values() if f.verdict == UNTESTABLE]
    text = f"supported in {holding} of {len(findings)}, refuted in {len(refuted)}"
    text += f" ({', '.join(refuted)})" if 0 < len(refuted) <= 3 else ""
    text += f"; {untestable[0].text}" if untestable else ""
    return text + (f"; all together: {pooled.text}" if pooled else "")


def _short(finding: Finding) -> dict:
    """The main entries of a finding, as JSON."""
    names = ("verdict", "estimate", "low", "high", "unit", "p", "detectable", "text", "details")
    return {name: getattr(finding, name) for name in names}


def holm(p: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p, by claim: max over ranks j ≤ i of min(1, (n - j + 1) p_(j)).

    A verdict stands if its adjusted p is at most 0.05.
    """
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: (p[name], name))):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return adjusted
