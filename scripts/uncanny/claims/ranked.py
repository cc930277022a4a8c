"""Some models are the best on average."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.bootstrap import replicates
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import INCONCLUSIVE, REFUTED, SUPPORTED, Finding
from uncanny.registry.option_types import PositiveInt, Probability

SELECTIONS = ("best", "others")


def ranked(
    cells: Cells, *, metric: str = "is10", top: PositiveInt = 2, probability: Probability = 0.9
) -> Finding:
    """All models of `best` are among the `top` by their mean over epochs, samplers and guidances.

    Supported with at least `probability` by the bootstrap, refuted with at most 5 %.
    """
    curves = [c for name in SELECTIONS for c in cells.curves(name, metric)]
    models = list(dict.fromkeys(c.model for c in curves))
    means = [_mean([c for c in curves if c.model == model]) for model in models]
    values, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*means, strict=True))
    quality = curves[0].sign * replicates(values, errors, cells.rng(f"{metric}/ranks"))
    ranks = (-quality).argsort(axis=1).argsort(axis=1)
    claimed = [models.index(model) for model in cells.selections["best"]["models"]]
    reached = float(np.mean((ranks[:, claimed] < top).all(axis=1)))
    verdict = SUPPORTED if reached >= probability else INCONCLUSIVE
    order = np.argsort(-curves[0].sign * values.mean(axis=0))
    return Finding(
        REFUTED if reached <= rules.NO_MASS else verdict,
        f"{' and '.join(models[i] for i in claimed)} in the top {top} with probability "
        f"{reached:.2f}; order: {', '.join(models[i] for i in order)}",
        estimate=reached,
        unit="probability",
        suffixes=cells.suffixes,
        cells=tuple(c.name for c in curves),
        details={"means": {m: float(values[:, i].mean()) for i, m in enumerate(models)}},
    )


def _mean(curves: list[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over curves and epochs [R, 1] and its error."""
    values, errors = zip(*(curve.level(per_epoch=False) for curve in curves), strict=True)
    return np.mean(values, axis=0), np.sqrt(np.sum(np.square(errors), axis=0)) / len(curves)
