"""Score tables whose truth is known: models that differ by an effect, by the luck of their training
and by the errors of an evaluation that shares its latents.

All is relative: value = level × (factor of the model, sampler and epoch) × exp(luck + error).
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from uncanny.claims.curves import Scores
from uncanny.evaluation.contrasts import Score
from uncanny.evaluation.jackknife import GROUPS
from uncanny.evaluation.score_records import COLUMNS

EPOCHS = (6, 12, 24, 36, 48, 60)  # as in the study of digits
METRIC, DATASET = "is1", "simulated"
BASE = ("base_1", "base_2")
BETTER = ("better_1", "better_2")  # by the effect, at all epochs
RISING = ("rising_1", "rising_2")  # by the effect over a third of the training, from 60 % on
BUMPED = ("bumped_1", "bumped_2")  # better by the effect at one epoch alone
BUMP = 36
NEAR_NOISE = "near_noise"  # 10 % of the way to real images, and twice the effect
# Sampler of the base models -> network evaluations, scale of guidance, factor at an effect
SAMPLERS = {
    "S": (35, 1.0, lambda effect: 1.0),
    "T": (35, 1.0, lambda effect: 1 + effect),
    "scale_10": (35, 10.0, lambda effect: 1 + effect),
    "scale_100": (35, 100.0, lambda effect: 1 + 2 * effect),
    "harmful": (35, 100.0, lambda effect: 1 - effect),
    "few": (10, 1.0, lambda effect: 0.9),
    "many": (1000, 1.0, lambda effect: 1 + effect),
}
CURVES = [*product(BASE, SAMPLERS), *product([*BETTER, *RISING, *BUMPED, NEAR_NOISE], "S")]
MODELS = (*BASE, *BETTER, *RISING, *BUMPED, NEAR_NOISE)
OWN = [MODELS.index(model) for model, _ in CURVES]  # position of each curve's model
LEVEL, NOISE, REAL = 6.0, 1.0, 9.0
SETTLING = 0.08  # time constant of learning, relative to the training

ERROR = 0.015  # standard error of one cell, relative
# Shares of its variance: of latents, which all cells of a seed share, of the model, of the cell.
SHARED, OF_MODEL, OF_CELL = 0.4, 0.4, 0.2
# Luck of a model's training in one sampler or one milestone alone, relative to that in all
OF_SAMPLER = OF_EPOCH = 0.25


def scores(
    rng: np.random.Generator,
    seeds: Sequence[int],
    luck: float,
    effect: float,
    draws: Sequence[int] = (0,),
) -> Scores:
    """Scores of all models after trainings with some seeds, sampled with some seeds (draws); luck:
    standard deviation between trainings, relative.
    """
    cells = _cells(tuple(seeds), tuple(draws)).copy()
    cells["score"] = np.concatenate([of_seed(rng, seed, luck, effect, draws) for seed in seeds])
    return Scores(cells, REFERENCES)


def _reference(value: float) -> list[dict]:
    block = {"value": value, "bias": 0.0, "replicates": [value] * GROUPS}
    return [{"metric": METRIC, "jackknife": block}]


REFERENCES = {DATASET: {"gaussian": _reference(NOISE), "train": _reference(REAL)}}


@cache
def _cells(seeds: tuple[int, ...], draws: tuple[int, ...]) -> pd.DataFrame:
    """A score table without scores; rows: seed, draw, curve, epoch."""
    rows = [
        {"train_seed": seed, "sample_seed": draw, "epoch": epoch, "model": model}
        | {"sampler": sampler, "nfe": float(SAMPLERS[sampler][0]), "scale": SAMPLERS[sampler][1]}
        for seed, draw, (model, sampler), epoch in product(seeds, draws, CURVES, EPOCHS)
    ]
    return table(rows)


def table(rows: Sequence[dict]) -> pd.DataFrame:
    """A score table of rows without what all of them share."""
    shared = {"dataset": DATASET, "guidance": "none", "status": "ok"}
    shared |= {"metric": METRIC, "kind": "inception_score", "n": 400}
    frame = pd.DataFrame(rows).assign(**shared).reindex(columns=COLUMNS)
    frame["params"] = [{"identity": {"process": {"kind": "continuous"}}}] * len(rows)
    return frame


def levels(effect: float) -> np.ndarray:
    """True values [curves, epochs]."""
    t = np.array(EPOCHS) / EPOCHS[-1]
    learning = LEVEL * (1 - 0.5 * np.exp(-t / SETTLING))
    # A slope of 3 × effect per training is a gain of one effect in a third of it.
    rise = 1 + 3 * effect * np.clip(t - 0.6, 0, None)
    near = NOISE + (0.1 + 2 * effect) * (REAL - NOISE) + 0 * t
    of_models = (
        dict.fromkeys(BASE, learning)
        | dict.fromkeys(BETTER, learning * (1 + effect))
        | dict.fromkeys(RISING, learning * rise)
        | dict.fromkeys(BUMPED, learning * (1 + effect * (np.array(EPOCHS) == BUMP)))
        | {NEAR_NOISE: near}
    )
    return np.array([of_models[m] * SAMPLERS[sampler][2](effect) for m, sampler in CURVES])


def of_seed(
    rng: np.random.Generator, seed: int, luck: float, effect: float, draws: Sequence[int] = (0,)
) -> np.ndarray:
    """Scores of one training seed, in the order of _cells."""
    lucky = luck * (
        rng.standard_normal((len(MODELS), 1))[OWN]
        + OF_SAMPLER * rng.standard_normal((len(CURVES), 1))
        + OF_EPOCH * rng.standard_normal((len(MODELS), len(EPOCHS)))[OWN]
    )
    true = levels(effect) * np.exp(lucky)
    per_set = [score for draw in draws for score in _scores_of_draw(rng, true, (seed, draw))]
    array = np.empty(len(per_set), object)
    array[:] = per_set
    return array


def _scores_of_draw(rng: np.random.Generator, true: np.ndarray, latents: tuple) -> Iterator[Score]:
    """Scores of sets of images that share their latents, of their true values [curves, epochs]."""
    # Influences of the groups of images: their mean is the error, and the jackknife's variance of
    # a mean of G groups is their variance over G.
    influence = (
        np.sqrt(SHARED) * rng.standard_normal(GROUPS)
        + np.sqrt(OF_MODEL) * rng.standard_normal((len(MODELS), 1, GROUPS))[OWN]
        + np.sqrt(OF_CELL) * rng.standard_normal((*true.shape, GROUPS))
    ) * (ERROR * np.sqrt(GROUPS))
    total = influence.sum(axis=-1, keepdims=True)
    values = true * np.exp(total[..., 0] / GROUPS)
    without = true[..., None] * np.exp((total - influence) / (GROUPS - 1))
    for value, rows in zip(values.ravel(), without.reshape(-1, GROUPS), strict=True):
        yield Score(float(value), rows, latents)


# ---- Times --------------------------------------------------------------------------------------

TIMED = ("quick_1", "quick_2", "slow")  # the last takes longer by the effect
ROUNDS = 9
OF_ROUND, OF_TURN = 0.1, 0.03  # standard deviations of times: of a whole round, of one turn in it


def timings(rng: np.random.Generator, effect: float) -> list[dict]:
    """Records of the times of training three models, in turns."""
    shared = OF_ROUND * rng.standard_normal(ROUNDS)
    return [
        {
            "what": "training",
            "model": model,
            "ms_per_update": list(
                (1 + effect * (model == "slow"))
                * np.exp(shared + OF_TURN * rng.standard_normal(ROUNDS))
            ),
        }
        for model in TIMED
    ]
