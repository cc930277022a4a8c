"""Score tables whose truth is known: models that differ by an effect, by the luck of their training
and by the errors of an evaluation that shares its latents.

Six models of one family: two of level 6, two that are better by the effect and two that rise by it
at the end; and two samplers, of which the second is better by the effect. All is relative:
value = level × (1 + effect) × exp(luck + error).
"""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from uncanny.claims.curves import Curve, Scores
from uncanny.evaluation.contrasts import Score
from uncanny.evaluation.jackknife import GROUPS
from uncanny.evaluation.score_records import COLUMNS

EPOCHS = (6, 12, 24, 36, 48, 60)  # as in the study of digits
METRIC, DATASET = "is1", "simulated"
BASE = ("base_1", "base_2")
BETTER = ("better_1", "better_2")  # by the effect, at all epochs
RISING = ("rising_1", "rising_2")  # by the effect over a third of the training, from 60 % on
MODELS = (*BASE, *BETTER, *RISING)
SAMPLERS = ("S", "T")  # T is better than S by the effect
LEVEL, NOISE, REAL = 6.0, 1.0, 9.0
SETTLING = 0.08  # time constant of learning, relative to the training

ERROR = 0.015  # standard error of one cell, relative
# Shares of its variance: of latents, which all cells of a seed share, of the model, of the cell.
SHARED, OF_MODEL, OF_CELL = 0.4, 0.4, 0.2
# Luck of a model's training in one sampler or one milestone alone, relative to that in all
OF_SAMPLER = OF_EPOCH = 0.25


def scores(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float) -> Scores:
    """Scores of all models after trainings with some seeds; luck: standard deviation between
    trainings, relative.
    """
    table = _cells(tuple(seeds)).copy()
    table["score"] = np.concatenate([of_seed(rng, seed, luck, effect) for seed in seeds])
    return SharedScores(table, REFERENCES)


class SharedScores(Scores):
    """Scores that form each curve once for all claims, which takes most of the time of a trial."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._formed: dict = {}

    def curve(self, *wanted) -> Curve:
        key = repr(wanted)
        if key not in self._formed:
            self._formed[key] = super().curve(*wanted)
        return self._formed[key]


def _reference(value: float) -> list[dict]:
    block = {"value": value, "bias": 0.0, "replicates": [value] * GROUPS}
    return [{"metric": METRIC, "jackknife": block}]


REFERENCES = {DATASET: {"gaussian": _reference(NOISE), "train": _reference(REAL)}}


@cache
def _cells(seeds: tuple[int, ...]) -> pd.DataFrame:
    """A score table without scores; rows: seed, model, sampler, epoch."""
    rows = [
        {"train_seed": seed, "model": model, "sampler": sampler, "epoch": epoch}
        for seed, model, sampler, epoch in product(seeds, MODELS, SAMPLERS, EPOCHS)
    ]
    shared = {"dataset": DATASET, "guidance": "none", "sample_seed": 0, "status": "ok"}
    shared |= {"metric": METRIC, "kind": "inception_score", "n": 400, "nfe": 35.0}
    table = pd.DataFrame(rows).assign(**shared).reindex(columns=COLUMNS)
    table["params"] = [{"identity": {"process": {"kind": "continuous"}}}] * len(rows)
    return table


def levels(effect: float) -> np.ndarray:
    """True values [models, samplers, epochs]."""
    t = np.array(EPOCHS) / EPOCHS[-1]
    learning = LEVEL * (1 - 0.5 * np.exp(-t / SETTLING))
    is_better, is_rising = (np.isin(MODELS, names)[:, None, None] for names in (BETTER, RISING))
    # A slope of 3 × effect per training is a gain of one effect in a third of it.
    rise = 1 + is_rising * 3 * effect * np.clip(t - 0.6, 0, None)
    of_sampler = 1 + effect * np.isin(SAMPLERS, "T")[:, None]
    return learning * (1 + effect * is_better) * rise * of_sampler


def of_seed(rng: np.random.Generator, seed: int, luck: float, effect: float) -> np.ndarray:
    """Scores of one training seed, in the order of _cells."""
    shape = len(MODELS), len(SAMPLERS), len(EPOCHS)
    lucky = luck * (
        rng.standard_normal((len(MODELS), 1, 1))
        + OF_SAMPLER * rng.standard_normal((len(MODELS), len(SAMPLERS), 1))
        + OF_EPOCH * rng.standard_normal((len(MODELS), 1, len(EPOCHS)))
    )
    # Influences of the groups of images: their mean is the error, and the jackknife's variance of
    # a mean of G groups is their variance over G.
    influence = (
        np.sqrt(SHARED) * rng.standard_normal(GROUPS)
        + np.sqrt(OF_MODEL) * rng.standard_normal((len(MODELS), 1, 1, GROUPS))
        + np.sqrt(OF_CELL) * rng.standard_normal((*shape, GROUPS))
    ) * (ERROR * np.sqrt(GROUPS))
    total = influence.sum(axis=-1, keepdims=True)
    true = levels(effect) * np.exp(lucky)
    values = true * np.exp(total[..., 0] / GROUPS)
    without = true[..., None] * np.exp((total - influence) / (GROUPS - 1))
    flat = zip(values.ravel(), without.reshape(-1, GROUPS), strict=True)
    found = np.empty(values.size, object)
    found[:] = [Score(float(value), rows, (seed, 0)) for value, rows in flat]
    return found
