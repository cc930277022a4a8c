"""The guidance scale from which quality is lost."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import difference
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import Finding, NotTestable
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a", "b")


def harmful_scale(cells: Cells, *, metric: str = "is10", loss: Nonnegative = 0.02) -> Finding:
    """With some guidance scale of a, the metric is worse than that of b by `loss` of its mean.

    The estimate is the smallest such scale, interpolated linearly in its logarithm; None if there
    is none. Supported if there is one with a bootstrap probability of at least 95 %, refuted with
    at most 5 %.
    """
    by_scale: dict[float, list[tuple[Curve, Curve]]] = {}
    for a, b in cells.pairs():
        pair = cells.curve("a", a, metric), cells.curve("b", b, metric)
        by_scale.setdefault(pair[0].scale, []).append(pair)
    scales = sorted(by_scale)
    if len(scales) < 2 or not all(np.isfinite(s) and s > 0 for s in scales):
        raise NotTestable(f"scales are {scales}, expected at least two numbers above 0")
    contrasts = [difference(by_scale[s], cells.rng(f"{metric}/scale {s:g}")) for s in scales]
    relative = np.array([d.relative for d in contrasts])
    relative_replicates = np.stack([d.relative_replicates for d in contrasts], axis=1)
    estimate = float(_crossing(relative[None], scales, -loss)[0])
    crossings = _crossing(relative_replicates, scales, -loss)
    probability = float(np.mean(np.isfinite(crossings)))
    low, high = np.quantile(crossings, [0.025, 0.975], method="inverted_cdf")
    shown = ", ".join(f"{100 * r:+.1f} % at {s:g}" for s, r in zip(scales, relative, strict=True))
    numbers = dict(
        zip(("estimate", "low", "high"), map(_finite, (estimate, low, high)), strict=True)
    )
    position = f"scale {estimate:.3g}" if np.isfinite(estimate) else "none of the scales"
    decision = rules.order(np.isfinite(crossings))
    return Finding(
        decision.verdict,
        f"{metric} has lost {100 * loss:g} % at {position}: {shown}",
        **numbers,
        unit="scale",
        p=decision.p,
        suffixes=cells.suffixes,
        cells=tuple(dict.fromkeys(c.name for ps in by_scale.values() for p in ps for c in p)),
        details={"probability": probability},
    )


def _crossing(relative: np.ndarray, scales: list[float], level: float) -> np.ndarray:
    """First scale [B] at which curves [B, S] fall to a level; infinite if they do not."""
    below = relative <= level
    first = below.argmax(axis=1)
    rows, previous = np.arange(len(relative)), np.maximum(first - 1, 0)
    upper, lower = relative[rows, previous], relative[rows, first]
    drop = np.where(first > 0, upper - lower, 1.0)
    share = np.where(first > 0, (upper - level) / np.where(drop > 0, drop, 1.0), 0.0)
    logs = np.log(scales)
    crossings = np.exp(logs[previous] + share * (logs[first] - logs[previous]))
    return np.where(below.any(axis=1), crossings, np.inf)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
