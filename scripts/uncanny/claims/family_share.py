"""The share of the variance between configurations that is between families of models."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import replicates
from uncanny.claims.curves import Cells
from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding, NotTestable
from uncanny.registry.option_types import Fraction

SELECTIONS = ()


def family_share(
    cells: Cells, *, metric: str = "is10", share: Fraction = 0.8, at_least: Fraction = 0.5
) -> Finding:
    """The variance between families (the selections) is at least `share` of the whole.

    One-way random effects on the mean over epochs of each configuration (model, sampler, guidance),
    by the method of moments (`_share`). Replicates resample configurations within families, and
    their errors. Supported if the estimate reaches `share` and the 95 % interval is above
    `at_least`; refuted if the interval is below `share`.
    """
    families = [cells.curves(name, metric) for name in cells.selections]
    curves = [curve for family in families for curve in family]
    if len(families) < 2 or len(curves) <= len(families):
        raise NotTestable("variance within families needs two families and a second configuration")
    levels = [curve.level(per_epoch=False) for curve in curves]
    values, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*levels, strict=True))
    rng = cells.rng(metric)
    group = np.repeat(range(len(families)), [*map(len, families)])
    samples = replicates(values, errors, rng)
    resampled = np.take_along_axis(samples, _within(group, len(samples), rng), axis=1)
    estimate = float(_share(values.mean(axis=0)[None], group)[0])
    low, high = rules.interval(_share(resampled, group))
    verdict = SUPPORTED if estimate >= share and low > at_least else INCONCLUSIVE
    means = {n: float(values[:, group == i].mean()) for i, n in enumerate(cells.selections)}
    return Finding(
        REFUTED if high < share else verdict,
        f"{100 * estimate:.0f} % of the variance of {metric} is between families "
        f"({100 * low:.0f} to {100 * high:.0f} %)",
        estimate=100 * estimate,
        low=100 * low,
        high=100 * high,
        unit="% of variance",
        suffixes=cells.suffixes,
        cells=tuple(curve.name for curve in curves),
        details={"means": means},
    )


def _within(group: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [B, C]: for each configuration, a random one of its family."""
    members = [np.flatnonzero(group == g) for g in np.unique(group)]
    return np.concatenate([rng.choice(m, (count, len(m))) for m in members], axis=1)


def _share(levels: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Share [B] of the variance of levels y [B, C] that is between groups g [C], sorted.

    MSB = sum_g n_g (mean_g - mean)^2 / (G - 1), MSW = sum (y - mean_g)^2 / (C - G),
    n_0 = (C - sum_g n_g^2 / C) / (G - 1), share = V / (V + MSW) with V = max(MSB - MSW, 0) / n_0.
    """
    sizes = np.bincount(group)
    is_member = (group[:, None] == np.arange(len(sizes))).astype(float)
    means = levels @ (is_member / sizes)
    grand = levels.mean(axis=1, keepdims=True)
    between = ((means - grand) ** 2 @ sizes) / (len(sizes) - 1)
    within = np.sum((levels - means[:, group]) ** 2, axis=1) / (len(group) - len(sizes))
    size = (len(group) - np.sum(sizes**2) / len(group)) / (len(sizes) - 1)
    variance = np.maximum(between - within, 0) / size
    return variance / np.maximum(variance + within, 1e-300)
