"""Accuracy and gradients of the classifiers behind guidance."""

from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.effects import FIXED
from uncanny.claims.finding import INCONCLUSIVE, Finding
from uncanny.claims.records import Reports
from uncanny.evaluation.contrasts import Contrast, repeated
from uncanny.evaluation.jackknife import GROUPS
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a",)


def classifier_report(
    reports: Reports,
    *,
    side: Literal["above", "below"],
    bound: Nonnegative,
    quantity: Literal["accuracy", "gradient_rms"] = "accuracy",
) -> Finding:
    """A quantity of the classifiers, the mean over noise levels (deciles of t) and reports, is
    above (below) the bound.

    By rules.side. Accuracy: all deciles and reports are of the same test images, so that the error
    of the mean may be as large as the mean of the errors, which it is taken to be. Reports have no
    error of the root mean square of a gradient: t intervals between classifiers; inconclusive of a
    single one.
    """
    of_each = {
        name: [decile for report in listed for decile in report["deciles"]]
        for name, listed in reports.of("a").items()
    }
    deciles = [decile for own in of_each.values() for decile in own]
    if quantity == "accuracy":
        value, se = (float(np.mean([d[name] for d in deciles])) for name in ("accuracy", "se"))
        contrast, scope = Contrast(value, se, min(d["n"] for d in deciles) - 1.0, GROUPS), FIXED
    else:
        means = [np.mean([d[quantity] for d in own]) for own in of_each.values()]
        value, scope = float(np.mean(means)), f"{len(means)} classifiers"
        contrast = repeated(means) if len(means) > 1 else None
    decision = _decision(contrast, bound, side)
    return Finding(
        decision.verdict,
        f"{quantity.replace('_', ' ')} is {value:.3g} on average over noise levels; "
        f"claimed: {side} {bound:g}",
        estimate=value,
        **(rules.interval(contrast) if contrast else {}),
        unit=quantity.replace("_", " "),
        margin=bound,
        p=decision.p,
        scope=scope if contrast else FIXED,
        cells=tuple(of_each),
        details={"by_decile": _by_decile(deciles, quantity)},
    )


def _decision(contrast: Contrast | None, bound: float, side: str) -> rules.Decision:
    if contrast is None:
        return rules.Decision(INCONCLUSIVE, 1.0)
    return rules.side(contrast, bound, above=side == "above")


def _by_decile(deciles: list, quantity: str) -> dict:
    values_of: dict[str, list] = {}
    for entry in deciles:
        values_of.setdefault(str(entry["decile"]), []).append(entry[quantity])
    return {decile: float(np.mean(values)) for decile, values in values_of.items()}
