"""Curves converge in a window of epochs."""

from typing import Annotated, Literal

from uncanny.claims import curve_rules
from uncanny.claims.compare import check_gate, decided, grouped, interval_text, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding
from uncanny.claims.gains import Window, gained
from uncanny.registry.option_types import Nonnegative, NotBelow, Positive, Quorum

SELECTIONS = ("a",)


def converged(
    cells: Cells,
    *,
    start: Nonnegative,
    end: Annotated[Nonnegative, NotBelow("start")],
    budget: Positive,
    metric: str = "is10",
    margin: Positive = 0.02,
    only: str | None = None,
    per: Literal["none", "model", "sampler", "guidance", "pair"] = "none",
    require: Quorum = "all",
    gate: bool = True,
) -> Finding:
    """Selection a converges at `start` to `end` epochs of a training of `budget`, or at the same
    shares of its own (curve_rules.converges); of several curves, by their mean gains.

    All that follows the last milestone before the window is, in the mean, above it by more than the
    margin; all after the window is above the last milestone inside by less. Not testable without a
    milestone before, in and after the window. only: the model that the verdict is about, where the
    others of a just take part in the spread between trainings. gate: compare.check_gate.
    """
    measured = cells.label("metrics", metric)
    chosen_keys = [key for key in cells.selected("a") if only in (None, key[0])]
    if not chosen_keys:
        models = ", ".join(cells.selections["a"]["models"])
        raise ValueError(f"options.only: {only!r}; expected one of the models {models}")

    def window(curve):
        return Window.of(curve, start, end, budget)

    def evaluate(keys, _):
        curves, companions = cells.curves("a", metric, keys), cells.curves("a", metric)
        if gate:
            check_gate(cells, curves, metric)
        ahead, remaining = (
            gained(cells, curves, companions, terms, metric)
            for terms in (lambda c: window(c).ahead, lambda c: window(c).remaining)
        )
        decision, decider = curve_rules.converges(ahead, remaining, margin)
        first = window(curves[0])
        text = (
            f"{measured} gains {interval_text(ahead)} from epoch {first.before[0]}, before the "
            f"window, and {interval_text(remaining)} from epoch {first.inside[-1]}, its end; a "
            f"curve that converges in it gains more, then less, than {100 * margin:g} %"
        )
        return decided(decision, decider, margin, curves, text)

    return over_groups(grouped(cells, chosen_keys, per), require, evaluate)
