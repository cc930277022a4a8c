"""The scale of guidance from which it costs quality."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import difference
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import Finding, NotTestable
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a", "b")


def harmful_scale(cells: Cells, *, metric: str = "is10", loss: Nonnegative = 0.02) -> Finding:
    """Guidances of a, against b: some scale loses as much as `loss` of the mean of b.

    The estimate is the smallest such scale, interpolated in its logarithm; none where no scale
    does. Supported with 95 % of the bootstrap's probability that there is one, refuted with at most
    5 %.
    """
    by_scale: dict[float, list[tuple[Curve, Curve]]] = {}
    for a, b in cells.pairs():
        pair = cells.curve("a", a, metric), cells.curve("b", b, metric)
        by_scale.setdefault(pair[0].scale, []).append(pair)
    scales = sorted(by_scale)
    if len(scales) < 2 or not all(np.isfinite(s) and s > 0 for s in scales):
        raise NotTestable(f"scales are {scales}, expected at least two numbers above 0")
    found = [difference(by_scale[s], cells.rng(f"{metric}/scale {s:g}")) for s in scales]
    relative = np.array([d.relative for d in found])
    drawn = np.stack([d.relative_draws for d in found], axis=1)
    estimate = float(_crossing(relative[None], scales, -loss)[0])
    crossings = _crossing(drawn, scales, -loss)
    probability = float(np.mean(np.isfinite(crossings)))
    low, high = np.quantile(crossings, [0.025, 0.975], method="inverted_cdf")
    shown = ", ".join(f"{100 * r:+.1f} % at {s:g}" for s, r in zip(scales, relative, strict=True))
    numbers = dict(
        zip(("estimate", "low", "high"), map(_finite, (estimate, low, high)), strict=True)
    )
    where = f"scale {estimate:.3g}" if np.isfinite(estimate) else "none of the scales"
    decision = rules.order(np.isfinite(crossings))
    return Finding(
        decision.verdict,
        f"{metric} has lost {100 * loss:g} % at {where}: {shown}",
        **numbers,
        **{"unit": "scale", "p": decision.p},
        suffixes=cells.suffixes,
        cells=tuple(dict.fromkeys(c.name for ps in by_scale.values() for p in ps for c in p)),
        details={"probability": probability},
    )


def _crossing(relative: np.ndarray, scales: list[float], level: float) -> np.ndarray:
    """First scale [B] at which curves [B, S] fall to a level; infinite where they do not."""
    below = relative <= level
    first = below.argmax(axis=1)
    rows, before = np.arange(len(relative)), np.maximum(first - 1, 0)
    upper, lower = relative[rows, before], relative[rows, first]
    drop = np.where(first > 0, upper - lower, 1.0)
    share = np.where(first > 0, (upper - level) / np.where(drop > 0, drop, 1.0), 0.0)
    logs = np.log(scales)
    found = np.exp(logs[before] + share * (logs[first] - logs[before]))
    return np.where(below.any(axis=1), found, np.inf)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
