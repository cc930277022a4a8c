"""Accuracy and gradients of the classifiers behind guidance."""

from typing import Annotated, Literal

import numpy as np

from uncanny.claims import rules
from uncanny.claims.finding import Finding
from uncanny.claims.records import Reports
from uncanny.registry.option_types import Nonnegative, NotBelow

SELECTIONS = ("a",)


def classifier_report(
    reports: Reports,
    *,
    quantity: Literal["accuracy", "gradient_rms"] = "accuracy",
    low: Nonnegative = 0.0,
    high: Annotated[Nonnegative, NotBelow("low")] = 1e9,
) -> Finding:
    """A quantity of the classifiers, averaged over noise levels (deciles of t) and reports, is in
    [low, high].

    An accuracy has its binomial error; the root mean square of a gradient counts as exact.
    """
    deciles = [
        d for listed in reports.of("a").values() for report in listed for d in report["deciles"]
    ]
    value = float(np.mean([d[quantity] for d in deciles]))
    se = float(np.sqrt(np.sum([d["se"] ** 2 for d in deciles])) / len(deciles))
    half = rules.Z * se if quantity == "accuracy" else 0.0
    bottom, top = value - half, value + half
    inside, outside = low <= bottom and top <= high, top < low or bottom > high
    return Finding(
        rules.SUPPORTED if inside else rules.REFUTED if outside else rules.INCONCLUSIVE,
        f"{quantity.replace('_', ' ')} {value:.3g} on average over noise levels "
        f"(claimed {low:g} to {high:g})",
        estimate=value,
        low=bottom,
        high=top,
        unit=quantity.replace("_", " "),
        cells=tuple(reports.selections["a"]["classifiers"]),
        details={"by_decile": _by_decile(deciles, quantity)},
    )


def _by_decile(deciles: list, quantity: str) -> dict:
    values_of: dict[str, list] = {}
    for entry in deciles:
        values_of.setdefault(str(entry["decile"]), []).append(entry[quantity])
    return {decile: float(np.mean(values)) for decile, values in values_of.items()}
