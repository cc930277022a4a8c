"""Evidence whose truth is known, for claims that do not compare scores: numbers of evaluations,
families of models, scores over the number of images, reports of classifiers, experiments.

Functions of (rng, seeds, luck, effect): training seeds, standard deviation between trainings.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
from scipy import special

from uncanny.claims import simulated
from uncanny.claims.assess import Evidence
from uncanny.claims.curves import Scores
from uncanny.claims.simulated import ERROR, LEVEL, METRIC, SHARED
from uncanny.diffusion.theory import verdicts
from uncanny.evaluation.contrasts import Score
from uncanny.evaluation.jackknife import GROUPS
from uncanny.experiments import training_weights

DRAWS = 3  # sampling seeds of a single training
EPOCH = 60

# ---- Cells --------------------------------------------------------------------------------------

HUNGRY, FRUGAL = "hungry", "frugal"  # the first takes more evaluations, by the effect
OF_DRAW = 0.005  # standard deviation of a mean number of evaluations between sampling seeds
MEMBER = 0.05  # standard deviation within a family, half of the variance between its models
FAMILIES = {f"family_{k}": [f"model_{k}{i}" for i in range(3)] for k in range(6)}
SAMPLERS = ("S", "T")


def evaluations(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """Two models whose sampler chooses its steps."""
    draws = range(DRAWS if len(seeds) == 1 else 1)
    shape = (2, len(seeds), len(draws))
    logs = luck * rng.standard_normal(shape[:2])[..., None] + OF_DRAW * rng.standard_normal(shape)
    logs[0] += np.log1p(effect)
    table = _cells((HUNGRY, FRUGAL), tuple(seeds), tuple(draws)).copy()
    table["nfe"] = 70 * np.exp(logs.ravel())
    table["score"] = [_score(LEVEL)] * len(table)
    return Evidence(Scores(table, simulated.REFERENCES), seeds, draws)


def families(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """Models of families that differ by the effect (standard deviation), at one milestone."""
    models = tuple(model for members in FAMILIES.values() for model in members)
    count, runs, samplers = len(models), len(seeds), len(SAMPLERS)
    levels = effect * np.repeat(rng.standard_normal(len(FAMILIES)), count // len(FAMILIES))
    levels = levels + MEMBER * np.sqrt(0.5) * rng.standard_normal(count)
    own = MEMBER * np.sqrt(0.5) * rng.standard_normal((count, samplers))
    trained = levels[:, None] + luck * rng.standard_normal((count, runs))
    errors = ERROR * np.sqrt(SHARED) * rng.standard_normal((runs, 1))
    errors = errors + ERROR * np.sqrt(1 - SHARED) * rng.standard_normal((count, runs, samplers))
    logs = trained[..., None] + own[:, None] + errors  # [models, seeds, samplers]
    table = _cells(models, tuple(seeds), (0,), SAMPLERS).copy()
    table["score"] = [_score(value) for value in LEVEL * np.exp(logs.ravel())]
    return Evidence(Scores(table, simulated.REFERENCES), seeds, (0,))


@cache
def _cells(models: tuple, seeds: tuple, draws: tuple, samplers: tuple = ("S",)) -> pd.DataFrame:
    """A score table without scores; rows: model, seed, draw, sampler."""
    rows = [
        {"train_seed": seed, "sample_seed": draw, "epoch": EPOCH, "model": model}
        | {"sampler": sampler, "nfe": 35.0, "scale": 1.0}
        for model, seed, draw, sampler in product(models, seeds, draws, samplers)
    ]
    return simulated.table(rows)


def _score(value: float) -> Score:
    return Score(float(value), np.full(GROUPS, value), 0)


# ---- Numbers of images --------------------------------------------------------------------------

SIZES, AT = (200, 400, 800, 1600, 3200), 400


def sizes(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """A metric of nested sets, below its limit by the effect at 400 images."""
    # Influences of images, in consecutive blocks of one image of each group
    influence = ERROR * np.sqrt(AT) * rng.standard_normal((SIZES[-1] // GROUPS, GROUPS))
    level, entries = LEVEL * np.exp(luck * rng.standard_normal()), []
    for n in SIZES:
        of_groups = influence[: n // GROUPS].mean(axis=0)
        value = level * (1 - effect * AT / n) * (1 + of_groups.mean())
        se = value * of_groups.std(ddof=1) / np.sqrt(GROUPS)
        entries.append({"n": n, "metrics": [{"metric": METRIC, "value": value, "se": se}]})
    cell = {"model": "base_1", "seed": seeds[0], "sampler": "S", "guidance": "none"}
    record = {"cell": cell | {"draw": 0, "epoch": EPOCH}, "status": "ok", "sizes": entries}
    return _without_scores(seeds, sizes=[record])


# ---- Classifiers --------------------------------------------------------------------------------

IMAGES, DECILES, ALIKE = 360, 10, 0.5  # ALIKE: correlation of an image's noise levels
ACCURACY, GRADIENT = 0.5, 1e-3  # without an effect


def accuracies(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """One classifier whose accuracy is above one half, by the effect."""
    ease = np.sqrt(ALIKE) * rng.standard_normal(IMAGES)
    ease = ease + np.sqrt(1 - ALIKE) * rng.standard_normal((DECILES, IMAGES))
    shares = (ease < special.ndtri(ACCURACY * (1 + effect))).mean(axis=1)
    deciles = [
        {"decile": k, "accuracy": p, "se": np.sqrt(p * (1 - p) / IMAGES), "n": IMAGES}
        for k, p in enumerate(shares)
    ]
    return _without_scores(seeds, reports={"classifier_0": [{"deciles": deciles}]})


def gradients(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """As many classifiers as seeds, whose gradients are above the bound by the effect."""
    logs = np.log1p(effect) + luck * rng.standard_normal((len(seeds), 1))
    logs = logs + ERROR * rng.standard_normal((len(seeds), DECILES))
    reports = {
        f"classifier_{k}": [{"deciles": [_decile(*entry) for entry in enumerate(own)]}]
        for k, own in enumerate(GRADIENT * np.exp(logs))
    }
    return _without_scores(seeds, reports=reports)


def _decile(number: int, gradient: float) -> dict:
    return {"decile": number, "gradient_rms": gradient}


# ---- Experiments --------------------------------------------------------------------------------

EXPERIMENT, SAMPLING_SEEDS, CHECKPOINTS = "made", 5, 5
ROWS, ROW_ERROR = 8, 0.01  # of path_identity; standard error of a row, relative


def identity(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """Monte Carlo above the sum of the terms by the effect, in each row."""
    kl = np.linspace(1, 3, ROWS)
    monte_carlo = kl * (1 + effect + ROW_ERROR * rng.standard_normal(ROWS))
    rows = {"path_kl": kl, "monte_carlo": monte_carlo, "standard_error": ROW_ERROR * kl}
    rows |= {"deviation": (monte_carlo / kl - 1) / ROW_ERROR}
    return _without_scores(seeds, tables={EXPERIMENT: pd.DataFrame(rows)})


def schedules(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """The exponential schedule is better by the effect at the well trained end, the polynomial one
    at the other.
    """
    cell = {"experiment": "N", "target": "made", "solver": "sde", "nfe": 10, "metric": "w2"}
    cell |= {"family": None, "model": "base_1", "seeds": SAMPLING_SEEDS}
    lines = []
    for seed in seeds:
        # Exponential / polynomial - 1 of each checkpoint, the longest trained one first
        own = effect * np.linspace(-1, 1, CHECKPOINTS) + luck * rng.standard_normal(CHECKPOINTS)
        differences = own[:, None] + ERROR * rng.standard_normal((CHECKPOINTS, SAMPLING_SEEDS))
        lines.append(
            verdicts.line(cell | {"train_seed": seed}, verdicts.sampled(differences), None)
        )
    return _without_scores(seeds, verdicts={EXPERIMENT: lines})


STEPS, WAYS = 100 * 2 ** np.arange(9), ("none", *training_weights.ARMS)
FALL = 0.25  # a metric falls as the updates to this power: 5 % more takes 22 % more of them


def weightings(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """The way "both" has a metric above that of the base, by the effect; less is better."""
    return _weightings(rng, seeds, luck, {"both": effect})


def faster_weightings(rng: np.random.Generator, seeds: Sequence[int], luck: float, effect: float):
    """The base has a metric above that of the way "both", by the effect."""
    return _weightings(rng, seeds, luck, {"none": effect})


def _weightings(rng: np.random.Generator, seeds: Sequence[int], luck: float, effects: dict):
    rows = _of_ways(tuple(seeds))
    shape = (len(WAYS), len(seeds), SAMPLING_SEEDS, len(STEPS))
    logs = np.log1p([effects.get(way, 0.0) for way in WAYS])[:, None, None, None]
    logs = logs + luck * rng.standard_normal((*shape[:2], 1, 1))
    logs = logs + luck * simulated.OF_EPOCH * rng.standard_normal((*shape[:2], 1, len(STEPS)))
    logs = logs + ERROR * rng.standard_normal(shape) - FALL * np.log(STEPS / STEPS[-1])
    rows = rows.assign(value=np.exp(logs).ravel())
    line = training_weights.verdict(rows, "w2", 10, "both", [2.0, 1.5, 1.2])
    return _without_scores(seeds, verdicts={EXPERIMENT: [line]})


@cache
def _of_ways(seeds: tuple) -> pd.DataFrame:
    names = {"arm": WAYS, "seed": seeds, "draw": range(SAMPLING_SEEDS), "step": STEPS}
    index = pd.MultiIndex.from_product(names.values(), names=names)
    return index.to_frame(index=False).assign(dataset="made")


def _without_scores(seeds: Sequence[int], **records) -> Evidence:
    return Evidence(None, seeds, (0,), **records)
