"""Decision rules about curves: how they end, where they converge, whether they stay below a bound,
and about several of them at once. As rules.py: two-sided at 5 %, unless they say otherwise.
"""

from collections.abc import Sequence

from uncanny.claims.effects import Effect
from uncanny.claims.finding import (
    CANNOT_DECIDE,
    CONSTRUCTED,
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    holm,
)
from uncanny.claims.rules import (
    ALPHA,
    EQUAL,
    SMALLEST_EFFECT,
    Decision,
    no_worse,
    one_sided,
    outside,
    undecided,
)
from uncanny.evaluation import late_gain
from uncanny.evaluation.contrasts import Contrast


def direction(effect: Effect, expected: int) -> Decision:
    """Does the metric itself rise (expected 1) or fall (-1)? Refuted by the other direction."""
    contrast = effect.contrast
    if contrast.by_construction:
        return Decision(CONSTRUCTED)
    if (p := contrast.p()) > ALPHA:
        return Decision(INCONCLUSIVE, 1.0)
    return Decision(SUPPORTED if effect.sign * contrast.value * expected > 0 else REFUTED, p)


def trend(effect: Effect, margin: float = EQUAL) -> tuple[str | None, float | None]:
    """State of the end of a curve from its gain (late_gain.trend), and its p: by its interval and
    the smallest effect. None where it is not certain.
    """
    contrast, within = effect.contrast, effect.margin(margin)
    if contrast.by_construction:
        return None, None
    least = effect.margin(SMALLEST_EFFECT)
    state = late_gain.trend(contrast.value, *contrast.interval(), within, least)
    if state == late_gain.OPEN:
        return None, None
    return state, 2 * outside(contrast, within) if state == late_gain.SETTLED else contrast.p()


def ends(effect: Effect, state: str, margin: float = EQUAL) -> Decision:
    """Is a curve in this state at its end (`trend`)? Refuted if it is in another."""
    if effect.contrast.by_construction:
        return Decision(CONSTRUCTED)
    shown, p = trend(effect, margin)
    if shown is None and state == late_gain.SETTLED:
        return undecided(effect.contrast, effect.margin(margin))
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
    return undecided(weakest.contrast, weakest.margin(margin)), weakest


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
