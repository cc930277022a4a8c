"""Tables of scores whose truth is known, and claims about them."""

import numpy as np

from uncanny.claims.assess import Evidence, assess
from uncanny.claims.curves import Cells, Scores
from uncanny.evaluation import score_records

EPOCHS = (5, 10, 15, 20, 25, 30)
REFERENCES = {
    "digits": {
        "train": [{"metric": "is10", "value": 9.0}, {"metric": "fid", "value": 0.5}],
        "test": [{"metric": "is10", "value": 8.9}],
        "gaussian": [{"metric": "is10", "value": 1.0}, {"metric": "fid", "value": 90.0}],
        "uniform": [{"metric": "is10", "value": 1.2}, {"metric": "fid", "value": 80.0}],
    }
}


def record(model, sampler, values, *, seed=0, draw=0, epoch=10, guidance="none", nfe=35, scale=None,
           se=0.01, status="ok"):  # fmt: skip
    """A score record; values: metric -> value."""
    cell = {"study": "s", "dataset": "digits", "model": model, "seed": seed, "sampler": sampler}
    shared = {"n": 400, "splits": 10, "images_per_split": 40, "extractor": "cnn@1"}
    kinds = {"is10": "inception_score", "fid": "fid"}
    metrics = [
        {"metric": m, "kind": kinds.get(m, m), "value": v, "se": se, "reference": None}
        | shared
        | {"jackknife": None}
        for m, v in values.items()
    ]
    return {
        "cell": cell | {"guidance": guidance, "draw": draw, "epoch": epoch},
        "status": status,
        "groups": {"count": 20, "seed": 2020},
        "parameters": {"guidance": {"scale": scale}} if scale else {},
        **{"nfe": nfe, "images_seen": epoch, "metrics": metrics if status == "ok" else []},
        "timing": {"seconds": 1.0, "device": "cpu"},
    }


def curve(model, sampler, level, *, seeds=(0,), draws=(0,), epochs=EPOCHS, se=0.01, training=0.0,
          rng=None, metric="is10", **more):  # fmt: skip
    """Records of one curve. level: a number, one per epoch, or a function of (seed, epoch);
    training: spread of the seeds.
    """
    rng = rng or np.random.default_rng(0)
    levels = np.broadcast_to(np.asarray(level, float), len(epochs))
    found = []
    for seed in seeds:
        luck = training * rng.standard_normal()
        for draw in draws:
            for epoch, mean in zip(epochs, levels, strict=True):
                value = mean + luck + se * rng.standard_normal()
                at = {"seed": seed, "draw": draw, "epoch": epoch, "se": se}
                found.append(record(model, sampler, {metric: float(value)}, **at, **more))
    return found


def selection(models, samplers, guidances=("none",), epochs=EPOCHS):
    models = [models] if isinstance(models, str) else list(models)
    samplers = [samplers] if isinstance(samplers, str) else list(samplers)
    found = {"models": models, "samplers": samplers, "guidances": list(guidances)}
    return found | {"epochs": {model: list(epochs) for model in models}}


def evidence(records, *, seeds=(0,), draws=(0,), **more):
    return Evidence(Scores(score_records.tidy(records), REFERENCES), seeds, draws, **more)


def cells(records, seed="C", *, seeds=(0,), draws=(0,), **selections):
    return Cells(Scores(score_records.tidy(records), REFERENCES), selections, seeds, draws, seed)


def claim(kind, options=None, what="cells", **selections):
    """A claim of one part."""
    part = {"kind": kind, what: selections, "options": options or {}}
    return {"block": {"statement": "it is so", "source": "§4", "parts": {"only": part}}}


def verdicts(claims, found):
    return {a.claim: a.finding.full_verdict for a in assess(claims, found)}
