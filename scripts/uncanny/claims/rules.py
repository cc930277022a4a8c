"""Decision rules: from an effect, or a contrast, to a verdict. Tests are two-sided at 5 %.

Effects are relative (effects.py), positive where more is better; margins are shares of the base. A
refutation is a finding of its own, not a failure to support: without evidence for either side, the
verdict is inconclusive, and where the margin is finer than the standard error could ever resolve,
the scale of the study cannot decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from uncanny.claims.effects import Effect
from uncanny.claims.finding import (
    CANNOT_DECIDE,
    CONSTRUCTED,
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    holm,
)
from uncanny.evaluation.contrasts import Contrast

ALPHA = 0.05
SMALLEST_EFFECT = 0.01  # smallest difference that counts, relative to the base
EQUAL = 0.02  # default margin of equality, relative to the base
RESOLVED = 3  # standard errors within a margin; of fewer, equality is found only by chance
POWER = 0.8
RISING, FALLING, SETTLED = "rising", "falling", "settled"  # states of the end of a curve


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


def superior(effect: Effect) -> Decision:
    """Is A better than B? Supported if the interval is above 0 and the estimate at least 1 %;
    refuted if the interval is below 0, or within ±1 %.
    """
    contrast, margin = effect.contrast, effect.margin(SMALLEST_EFFECT)
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
    return _undecided(contrast, margin)


def equal(effect: Effect, delta: float = EQUAL) -> Decision:
    """Are A and B equal within delta? Supported by two one-sided tests at 5 %, refuted if the 95 %
    interval is entirely outside. Where 3 standard errors exceed delta, this scale cannot decide.
    """
    contrast, margin = effect.contrast, effect.margin(delta)
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    low, high = contrast.interval()
    if low > margin or high < -margin:
        return Decision(REFUTED, contrast.p(margin if low > margin else -margin))
    p = outside(contrast, margin)
    if p <= ALPHA and margin >= RESOLVED * contrast.se:
        return Decision(SUPPORTED, p)
    return _undecided(contrast, margin)


def direction(effect: Effect, expected: int) -> Decision:
    """Does the metric itself rise (expected 1) or fall (-1)? Refuted by the other direction."""
    contrast = effect.contrast
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    if (p := contrast.p()) > ALPHA:
        return Decision(INCONCLUSIVE, 1.0)
    return Decision(SUPPORTED if effect.sign * contrast.value * expected > 0 else REFUTED, p)


def trend(effect: Effect, margin: float = EQUAL) -> tuple[str | None, float | None]:
    """State of the end of a curve from its gain, and its p: rising if the interval is above 0 and
    the gain at least 1 %, falling likewise, settled if neither and the interval is within ±margin,
    else None.
    """
    contrast, least = effect.contrast, effect.margin(SMALLEST_EFFECT)
    if contrast.by_construction:
        return None, None
    if contrast.p() <= ALPHA and abs(contrast.value) >= least:
        return (RISING if contrast.value > 0 else FALLING), contrast.p()
    p = 2 * outside(contrast, effect.margin(margin))
    return (SETTLED, p) if p <= ALPHA else (None, None)


def ends(effect: Effect, state: str, margin: float = EQUAL) -> Decision:
    """Is a curve in this state at its end (`trend`)? Refuted if it is in another."""
    if effect.contrast.by_construction:
        return Decision(CONSTRUCTED)
    shown, p = trend(effect, margin)
    if shown is None and state == SETTLED:
        return _undecided(effect.contrast, effect.margin(margin))
    if shown is None:
        return Decision(INCONCLUSIVE, 1.0)
    return Decision(SUPPORTED if shown == state else REFUTED, p)


def converges(ahead: Effect, remaining: Effect, margin: float = EQUAL) -> tuple[Decision, Effect]:
    """Does a curve converge in a window? Supported if, one-sided at 5 % each, it still gains more
    than the margin from before the window, and less from its end on; refuted if either is
    contradicted, by Holm over the two. With the gain that decides.
    """
    if ahead.contrast.by_construction or remaining.contrast.by_construction:
        return Decision(CONSTRUCTED), ahead
    p, weakest = max(
        (
            (one_sided(gain.contrast, gain.margin(margin), above=above), gain)
            for gain, above in ((ahead, True), (remaining, False))
        ),
        key=lambda test: test[0],
    )
    if p <= ALPHA:
        return Decision(SUPPORTED, p), weakest
    if 2 * (1 - p) <= ALPHA:
        return Decision(REFUTED, 2 * (1 - p)), weakest
    return _undecided(weakest.contrast, weakest.margin(margin)), weakest


def stays_below(parts: Sequence[Contrast], bound: float) -> tuple[Decision, Contrast]:
    """Are all values below a bound? Supported if all intervals are, refuted if the last one is
    above. With the value that decides.
    """
    if any(part.by_construction for part in parts):
        return Decision(CONSTRUCTED), parts[-1]
    highest = max(parts, key=lambda part: part.p(bound) if part.value < bound else 2)
    last = parts[-1]
    if highest.value < bound and highest.p(bound) <= ALPHA:
        return Decision(SUPPORTED, highest.p(bound)), highest
    if last.value > bound and last.p(bound) <= ALPHA:
        return Decision(REFUTED, last.p(bound)), last
    return Decision(INCONCLUSIVE, 1.0), highest


def harmed(effects: Sequence[Effect], loss: float) -> tuple[Decision, int]:
    """Is more than the loss lost in one of several cases? Supported if an interval is below -loss,
    by Holm over the cases; refuted if each is no worse by the loss. With the position of the first
    case that is harmed, or of the one that decides.
    """
    p = {i: _harm(effect, loss) for i, effect in enumerate(effects)}
    shown = [i for i, adjusted in holm(p, len(p)).items() if adjusted <= ALPHA]
    if shown:
        return Decision(SUPPORTED, len(p) * min(p.values())), min(shown)
    tested = {i: no_worse(e, loss) for i, e in enumerate(effects) if not e.contrast.by_construction}
    if not tested:
        return Decision(CONSTRUCTED), 0
    decider = max(tested, key=lambda i: tested[i].p)
    if tested[decider].verdict == SUPPORTED:
        return Decision(REFUTED, tested[decider].p), decider
    open_cases = [i for i, decision in tested.items() if decision.verdict != SUPPORTED]
    decider = min(open_cases, key=lambda i: effects[i].contrast.value)
    verdict = INCONCLUSIVE if tested[decider].margin is None else CANNOT_DECIDE
    return Decision(verdict, 1.0, tested[decider].margin), decider


def _harm(effect: Effect, loss: float) -> float:
    contrast, bound = effect.contrast, -effect.margin(loss)
    is_below = not contrast.by_construction and contrast.value < bound
    return contrast.p(bound) if is_below else 1.0


def outside(contrast: Contrast, margin: float) -> float:
    """p of two one-sided tests that the value is within ±margin."""
    return max(one_sided(contrast, -margin, above=True), one_sided(contrast, margin, above=False))


def _refuted_within(contrast: Contrast, margin: float) -> Decision:
    """Refuted if the 95 % interval is within ±margin, else inconclusive."""
    p = 2 * outside(contrast, margin)
    return Decision(REFUTED, p) if p <= ALPHA else Decision(INCONCLUSIVE, 1.0)


def _undecided(contrast: Contrast, margin: float) -> Decision:
    if margin < RESOLVED * contrast.se:
        return Decision(CANNOT_DECIDE, 1.0, RESOLVED * contrast.se)
    return Decision(INCONCLUSIVE, 1.0)
