"""Decision rules: from an effect, or a contrast, to a verdict. Tests are two-sided at 5 %.

Effects are relative (effects.py), positive where more is better; margins are shares of the base. A
refutation is a finding of its own, not a failure to support: without evidence for either side, the
verdict is inconclusive, and where the margin is finer than the standard error could ever resolve,
the scale of the study cannot decide.
"""

from dataclasses import dataclass

from scipy import special

from uncanny.claims.effects import Effect
from uncanny.claims.finding import CANNOT_DECIDE, CONSTRUCTED, INCONCLUSIVE, REFUTED, SUPPORTED
from uncanny.evaluation.contrasts import Contrast

ALPHA = 0.05
SMALLEST_EFFECT = 0.01  # smallest difference that counts, relative to the base
EQUAL = 0.02  # default margin of equality, relative to the base
RESOLVED = 3  # standard errors within a margin; of fewer, equality is found only by chance
POWER = 0.8


@dataclass(frozen=True)
class Decision:
    """A verdict and its p: of evidence as strong without what the verdict asserts; 1 where neither
    side has evidence, None where nothing was tested. margin: the finest that could be decided.
    """

    verdict: str
    p: float | None = None
    margin: float | None = None


def one_sided(contrast: Contrast, null: float, *, above: bool) -> float:
    """p of the hypothesis that the value is at most `null` (above), or at least."""
    t = (contrast.value - null) / contrast.se
    return float(special.stdtr(contrast.freedom, -t if above else t))


def detectable(contrast: Contrast) -> float:
    """Smallest value detected with 80 % power at level 0.05: (t_0.975 + t_0.8) standard errors."""
    t = special.stdtrit(contrast.freedom, [1 - ALPHA / 2, POWER])
    return float(t.sum()) * contrast.se


def interval(contrast: Contrast, factor: float = 1.0) -> dict:
    """Entries low and high of a finding, the 95 % interval times a factor; none by construction."""
    if contrast.by_construction:
        return {}
    low, high = contrast.interval()
    return {"low": factor * low, "high": factor * high}


def superior(effect: Effect) -> Decision:
    """Is A better than B? Supported if the interval is above 0 and the estimate at least 1 %;
    refuted if the interval is below 0, or within ±1 %.
    """
    return positive(effect.contrast, effect.margin(SMALLEST_EFFECT))


def positive(contrast: Contrast, margin: float) -> Decision:
    """`superior` for a contrast and the smallest value that counts."""
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    low, high = contrast.interval()
    if low > 0 and contrast.value >= margin:
        return Decision(SUPPORTED, contrast.p())
    if high < 0:
        return Decision(REFUTED, contrast.p())
    return _refuted_within(contrast, margin)


def differ(effect: Effect) -> Decision:
    """Do A and B differ? Refuted if the interval is within ±1 %, else supported if it excludes
    0.
    """
    contrast, margin = effect.contrast, effect.margin(SMALLEST_EFFECT)
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    decision = _refuted_within(contrast, margin)
    if decision.verdict == INCONCLUSIVE and contrast.p() <= ALPHA:
        return Decision(SUPPORTED, contrast.p())
    return decision


def no_worse(effect: Effect, delta: float = EQUAL) -> Decision:
    """Is A no worse than B by delta? Supported by a one-sided test at 5 %, refuted if the 95 %
    interval is below -delta.
    """
    contrast, margin = effect.contrast, effect.margin(delta)
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    if (p := one_sided(contrast, -margin, above=True)) <= ALPHA:
        return Decision(SUPPORTED, p)
    if contrast.interval()[1] < -margin:
        return Decision(REFUTED, contrast.p(-margin))
    return undecided(contrast, margin)


def equal(effect: Effect, delta: float = EQUAL) -> Decision:
    """Are A and B equal within delta? Supported by two one-sided tests at 5 %, refuted if the 95 %
    interval is entirely outside. Where 3 standard errors exceed delta, this scale cannot decide.
    """
    return within(effect.contrast, effect.margin(delta))


def within(contrast: Contrast, margin: float) -> Decision:
    """`equal` for a contrast and its margin."""
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    low, high = contrast.interval()
    if low > margin or high < -margin:
        return Decision(REFUTED, contrast.p(margin if low > margin else -margin))
    p = outside(contrast, margin)
    if p <= ALPHA and margin >= RESOLVED * contrast.se:
        return Decision(SUPPORTED, p)
    return undecided(contrast, margin)


def side(contrast: Contrast, bound: float, *, above: bool) -> Decision:
    """Is the value above (below) a bound? Supported if the 95 % interval is on that side, refuted
    if it is on the other.
    """
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    p = contrast.p(bound)
    if p > ALPHA:
        return Decision(INCONCLUSIVE, 1.0)
    return Decision(SUPPORTED if (contrast.value > bound) == above else REFUTED, p)


def outside(contrast: Contrast, margin: float) -> float:
    """p of two one-sided tests that the value is within ±margin."""
    return max(one_sided(contrast, -margin, above=True), one_sided(contrast, margin, above=False))


def _refuted_within(contrast: Contrast, margin: float) -> Decision:
    """Refuted if the 95 % interval is within ±margin, else inconclusive."""
    p = 2 * outside(contrast, margin)
    return Decision(REFUTED, p) if p <= ALPHA else Decision(INCONCLUSIVE, 1.0)


def undecided(contrast: Contrast, margin: float) -> Decision:
    if margin < RESOLVED * contrast.se:
        return Decision(CANNOT_DECIDE, 1.0, RESOLVED * contrast.se)
    return Decision(INCONCLUSIVE, 1.0)
