"""Accuracy and gradients of the classifiers behind guidance."""

from typing import Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.finding import REFUTED, SUPPORTED, Finding
from uncanny.claims.records import Reports
from uncanny.evaluation.contrasts import Contrast
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

    Accuracy is tested (rules.side). All deciles and reports are of the same test images, so that
    the error of the mean may be as large as the mean of the errors, which it is taken to be. The
    root mean square of a gradient has no known error: it is described, without a p.
    """
    deciles = [
        d for listed in reports.of("a").values() for report in listed for d in report["deciles"]
    ]
    value = float(np.mean([d[quantity] for d in deciles]))
    numbers = {"p": None}
    if quantity == "accuracy":
        se = float(np.mean([d["se"] for d in deciles]))
        contrast = Contrast(value, se, min(d["n"] for d in deciles) - 1.0, GROUPS)
        decision = rules.side(contrast, bound, above=side == "above")
        verdict = decision.verdict
        low, high = contrast.interval()
        numbers = {"p": decision.p, "low": low, "high": high}
    else:
        verdict = SUPPORTED if (value > bound) == (side == "above") else REFUTED
    return Finding(
        verdict,
        f"{quantity.replace('_', ' ')} is {value:.3g} on average over noise levels; "
        f"claimed: {side} {bound:g}",
        estimate=value,
        unit=quantity.replace("_", " "),
        margin=bound,
        cells=tuple(reports.selections["a"]["classifiers"]),
        details={"by_decile": _by_decile(deciles, quantity)},
        **numbers,
    )


def _by_decile(deciles: list, quantity: str) -> dict:
    values_of: dict[str, list] = {}
    for entry in deciles:
        values_of.setdefault(str(entry["decile"]), []).append(entry[quantity])
    return {decile: float(np.mean(values)) for decile, values in values_of.items()}
