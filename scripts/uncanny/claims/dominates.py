"""Families of configurations differ more from each other than the members of a family do."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from uncanny.claims.compare import check_levels
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.effects import by_model
from uncanny.claims.finding import (
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    UNTESTABLE,
    Finding,
    NotTestable,
    untestable,
)
from uncanny.registry.option_types import Fraction

SELECTIONS = ()
FEWEST = 5  # families; of fewer, the interval of the variance between them is as wide as can be


def dominates(
    cells: Cells, *, metric: str = "is10", share: Fraction = 0.5, gate: bool = True
) -> Finding:
    """The variance between families (the selections) is more than `share` of the whole.

    Random effects of families, of their models, and of the configurations (sampler, guidance) of a
    model, on means over epochs: configurations of a model share its training. Descriptive, without
    p, as configurations are no random sample: supported if the 95 % interval (`_share`) is above
    `share`, refuted if below. Not testable with fewer than five families. The range within each
    family is part of the text. gate: as in compare.compared.
    """
    measured = cells.label("metrics", metric)
    families = {name: cells.curves(name, metric) for name in cells.selections}
    curves = [curve for family in families.values() for curve in family]
    by_family = [by_model(family).values() for family in families.values()]
    if len(families) < 2 or sum(map(len, by_family)) <= len(families):
        raise NotTestable("variance within families takes two families and a second model in one")
    levels = {name: [c.values.mean() for c in family] for name, family in families.items()}
    estimate, low, high = (
        100 * value
        for value in _share([[[c.values.mean() for c in m] for m in f] for f in by_family])
    )
    ranges = ", ".join(f"{name} {min(y):.2f} to {max(y):.2f}" for name, y in levels.items())
    verdict = SUPPORTED if low > 100 * share else REFUTED if high < 100 * share else INCONCLUSIVE
    text = (
        f"{estimate:.0f} % of the variance of {measured} is between families "
        f"({low:.0f} to {high:.0f} %); from the lowest to the highest configuration: {ranges}"
    )
    finding = Finding(
        verdict,
        text,
        estimate=estimate,
        low=low,
        high=high,
        unit="% of variance",
        margin=100 * share,
        cells=tuple(curve.name for curve in curves),
        details={"levels": {n: list(map(float, y)) for n, y in levels.items()}},
    )
    if reason := _obstacle(cells, curves, len(families), metric, gate):
        text = f"{untestable(reason).text}; {text}"
        return replace(finding, verdict=UNTESTABLE, text=text, limit=reason)
    return finding


def _obstacle(cells: Cells, curves: Sequence[Curve], families: int, metric: str, gate: bool) -> str:
    """Why the share says nothing, or an empty text."""
    if families < FEWEST:
        return f"{families} families; the variance between families takes {FEWEST}"
    try:
        if gate:
            check_levels(cells, curves, metric)
    except NotTestable as problem:
        return str(problem)
    return ""


def _share(families: Sequence[Sequence[Sequence[float]]]) -> tuple[float, float, float]:
    """Share of the variance that is between families, of levels by family, model and configuration,
    with its 95 % interval (Searle, 1971; of families of different sizes it is approximate).
    """
    # Means y of models. MSB = Σ_g n_g (ȳ_g - ȳ)²/(G - 1), MSW = Σ (y - ȳ_g)²/(N - G),
    # n_0 = (N - Σ n_g²/N)/(G - 1)
    models = [np.array([np.mean(model) for model in family]) for family in families]
    sizes, means = np.array([len(y) for y in models]), np.array([y.mean() for y in models])
    count, groups = sizes.sum(), len(sizes)
    grand = sizes @ means / count
    between = sizes @ (means - grand) ** 2 / (groups - 1)
    within = max(sum(np.sum((y - y.mean()) ** 2) for y in models) / (count - groups), 1e-300)
    size = (count - np.sum(sizes**2) / count) / (groups - 1)
    freedom = groups - 1, count - groups
    # E MSW = σ²_m + σ²_c/c for c configurations of a model; all within: MSW + (1 - 1/c) σ²_c
    configurations = [np.asarray(model) for family in families for model in family]
    spare = sum(len(y) - 1 for y in configurations)
    own = sum(np.sum((y - y.mean()) ** 2) for y in configurations) / max(spare, 1)
    all_within = 1 + (1 - np.mean([1 / len(y) for y in configurations])) * own / within
    # θ = σ²_b/E MSW: F = MSB/MSW, F/(1 + n_0 θ) has the F distribution. share = θ/(θ + all within)
    bounds = (1.0, *(special.fdtri(*freedom, p) for p in (0.975, 0.025)))
    ratios = [max(between / within / bound - 1, 0.0) / size for bound in bounds]
    return tuple(float(theta / (theta + all_within)) for theta in ratios)
