"""Score records whose truth is known, and claims about them.

Each value is the mean of 20 groups of images; its replicates are the means without each group.
Images of one training seed and draw share their latents: their groups have a common part.
"""

import zlib

import numpy as np

from uncanny.claims.assess import Evidence, assess
from uncanny.claims.curves import Cells, Scores
from uncanny.evaluation import score_records
from uncanny.evaluation.jackknife import GROUPS, SEED

EPOCHS = (5, 10, 15, 20, 25, 30)
KINDS = {"is10": "inception_score", "fid": "fid", "kid": "kid"}
PAIRED = 0.8  # correlation of the groups of cells that share latents


def _reference(**values):
    return [
        {"metric": m, "value": v, "jackknife": {"value": v, "bias": 0.0, "replicates": [v, v]}}
        for m, v in values.items()
    ]


REFERENCES = {
    "digits": {
        "train": _reference(is10=9.0, fid=0.5, kid=0.0),
        "gaussian": _reference(is10=1.0, fid=90.0, kid=10.0),
        "uniform": _reference(is10=1.2, fid=80.0, kid=9.0),
    }
}


def _rng(*names):
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


def groups(cell, metric, trial=None):
    """Values [20] of the groups, of variance 1."""
    common = _rng("common", cell["seed"], cell["draw"], trial).standard_normal(GROUPS)
    own = _rng(tuple(cell.values()), metric, trial).standard_normal(GROUPS)
    return PAIRED**0.5 * common + (1 - PAIRED) ** 0.5 * own


def record(model, sampler, values, *, seed=0, draw=0, epoch=10, guidance="none", nfe=35, scale=None,
           se=0.01, status="ok", family="continuous", trial=None):  # fmt: skip
    """A score record; values: metric -> value, exact, or with its error where a trial has a number."""
    cell = {"study": "s", "dataset": "digits", "model": model, "seed": seed, "sampler": sampler}
    cell |= {"guidance": guidance, "draw": draw, "epoch": epoch}
    shared = {"n": 400, "splits": 10, "images_per_split": 40, "extractor": "cnn@1"}
    metrics = []
    for metric, mean in values.items():
        z = groups(cell, metric, trial)
        value = float(mean + (0 if trial is None else se * GROUPS**0.5 * z.mean()))
        # (20 v - u_g)/19 with u_g = v + sqrt(20) se (z_g - mean z)
        without = value - se * GROUPS**0.5 * (z - z.mean()) / (GROUPS - 1)
        jackknife = {"value": value, "bias": 0.0, "replicates": without.tolist()}
        entry = {"metric": metric, "kind": KINDS.get(metric, metric), "value": value, "se": se}
        metrics.append(entry | {"reference": None, "jackknife": jackknife} | shared)
    parameters = {"identity": {"process": {"kind": family}}, "image_seeds": [1000 * seed + draw, 0]}
    return {
        "cell": cell,
        "status": status,
        "groups": {"count": GROUPS, "seed": SEED},
        "parameters": parameters | ({"guidance": {"scale": scale}} if scale else {}),
        **{"nfe": nfe, "images_seen": epoch, "metrics": metrics if status == "ok" else []},
        "timing": {"seconds": 1.0, "device": "cpu"},
    }


def curve(model, sampler, level, *, seeds=(0,), draws=(0,), epochs=EPOCHS, luck=0.0, metric="is10",
          trial=None, **more):  # fmt: skip
    """Records of one curve. level: a number or one per epoch. luck: standard deviation of every
    milestone between trainings, relative to the level.
    """
    levels = np.broadcast_to(np.asarray(level, float), len(epochs))
    return [
        record(
            *(model, sampler, {metric: mean * (1 + luck * chance)}),
            **{"seed": seed, "draw": draw, "epoch": epoch, "trial": trial},
            **more,
        )
        for seed in seeds
        for draw in draws
        for epoch, mean in zip(epochs, levels, strict=True)
        for chance in [_rng("luck", model, seed, epoch, trial).standard_normal()]
    ]


def selection(models, samplers, guidances=("none",), epochs=EPOCHS):
    models = [models] if isinstance(models, str) else list(models)
    samplers = [samplers] if isinstance(samplers, str) else list(samplers)
    chosen = {"models": models, "samplers": samplers, "guidances": list(guidances)}
    return chosen | {"epochs": {model: list(epochs) for model in models}}


def evidence(records, *, seeds=(0,), draws=(0,), **more):
    return Evidence(Scores(score_records.tidy(records), REFERENCES), seeds, draws, **more)


def cells(records, *, seeds=(0,), draws=(0,), references=REFERENCES, **selections):
    return Cells(Scores(score_records.tidy(records), references), selections, seeds, draws)


def claim(kind, options=None, what="cells", **selections):
    """A claim of one part."""
    part = {"kind": kind, what: selections, "options": options or {}}
    return {"block": {"statement": "it is so", "source": "§4", "parts": {"only": part}}}


def verdicts(claims, results):
    return {a.claim: a.finding.verdict for a in assess(claims, results)}
