"""Compare weightings of noise levels in training: two distributions of sigma, two loss weights."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from uncanny.diffusion.theory import verdicts, weighting
from uncanny.evaluation import jackknife
from uncanny.evaluation.contrasts import Contrast
from uncanny.experiments.trained_schedules import rows as sample_rows
from uncanny.registry.option_types import Nonnegative

BASE = ("lognormal", "unit_output")  # as Karras et al. (2022) train
ARMS = {  # what differs from BASE → levels, weight
    "both": ("log_uniform", "inverse_variance"),  # as Song et al. (2021) train
    "levels": ("log_uniform", "unit_output"),
    "weight": ("lognormal", "inverse_variance"),
}
SCHEDULE, SOLVER = "exponential", "sde"
ABOUT = ["model", "dataset", "levels", "weight", "arm", "seed", "epoch", "step"]
COLUMNS = [
    *ABOUT,
    *["solver", "num_steps", "nfe", "schedule", "draw", "sigma", "quantity", "value"],
]


def training_weights(
    checkpoints: list, *, thresholds: list[Nonnegative] | None = None
) -> tuple[pd.DataFrame, list[dict]]:
    """One row per measured value (quantity): the metric by schedule and sampling seed; E_S by
    schedule; the imbalance of the training loss over noise levels; and at each noise level e2 and
    gain, the decrease of the loss since the first checkpoint with the weight unit_output. A verdict
    per arm, number of evaluations, and metric or E_S.

    checkpoints: `checkpoint_records.Checkpoint`s of four models that differ only as ARMS says, with
    the same training seeds and epochs. thresholds: multiples of the best last value of any model;
    default 2, 1.5, 1.2. Raises ValueError that names what is missing.
    """
    _check(checkpoints)
    latest_first = sorted(checkpoints, key=lambda c: -c.epoch)
    first_checkpoints = {(c.model, c.seed): c for c in latest_first}
    measured = [row for c in checkpoints for row in _rows(c, first_checkpoints[c.model, c.seed])]
    table = pd.DataFrame(measured).reindex(columns=COLUMNS)
    factors = [2.0, 1.5, 1.2] if thresholds is None else thresholds
    cells = table[(table["solver"] == SOLVER) & (table["schedule"] == SCHEDULE)]
    lines = [
        verdict(rows, quantity, int(nfe), arm, factors)
        for (quantity, nfe), rows in cells.groupby(["quantity", "nfe"], sort=False)
        for arm in ARMS
    ]
    return table, lines


def arm_of(checkpoint) -> str:
    """Name in ARMS of what differs from BASE; "none" for BASE. ValueError for anything else."""
    pair = checkpoint.losses["levels"], checkpoint.losses["weight"]
    names = {BASE: "none"} | {levels_weight: name for name, levels_weight in ARMS.items()}
    if pair not in names:
        raise ValueError(
            f"{checkpoint.model}: levels and weight {pair}; expected one of {[*names]}"
        )
    return names[pair]


def _check(checkpoints: list) -> None:
    arms = {arm_of(c): c.model for c in checkpoints}
    if missing := [name for name in ("none", *ARMS) if name not in arms]:
        raise ValueError(
            f"models {[*arms.values()]}: none trained with {missing[0]!r}; expected one of each of "
            f"{', '.join(('none', *ARMS))}"
        )
    runs = {model: set() for model in arms.values()}
    for c in checkpoints:
        runs.setdefault(c.model, set()).add((c.seed, c.epoch))
    first, *rest = runs.items()
    for model, covered in rest:
        if covered != first[1]:
            raise ValueError(f"{model}: seeds and epochs differ from those of {first[0]}")


def _rows(checkpoint, first) -> Iterator[dict]:
    losses = checkpoint.losses
    facts = {name: getattr(checkpoint, name) for name in ("model", "dataset", "seed", "epoch")}
    facts |= {"step": checkpoint.step, "arm": arm_of(checkpoint)}
    facts |= {name: losses[name] for name in ("levels", "weight")}
    for row in sample_rows(checkpoint):
        cell = {key: row[key] for key in ("solver", "num_steps", "nfe", "schedule", "draw")}
        yield facts | cell | {"quantity": row["metric"], "value": row["value"]}
        if row["solver"] == SOLVER:
            yield facts | cell | {"quantity": "E_S", "value": row["E_S"]}
    sigma = checkpoint.sigma
    share = weighting.share_of_loss(losses["levels"], losses["weight"], sigma, losses["loss"])
    inside = share > 0
    yield facts | {"quantity": "imbalance", "value": float(weighting.imbalance(share[inside]))}
    decrease = np.array(first.losses["loss"]) - np.array(losses["loss"])
    gain = weighting.WEIGHTS["unit_output"](sigma) * decrease / losses["dim"]
    for name, values in (("e2", checkpoint.noise_error), ("gain", gain)):
        for level, value in zip(sigma.tolist(), values.tolist(), strict=True):
            yield facts | {"sigma": level, "quantity": name, "value": value}


def _named(ratio: weighting.Ratio) -> dict:
    fields = ratio._asdict()
    return {"ratio": fields.pop("value"), **fields}


def _curves(rows: pd.DataFrame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Updates [C], and of each arm values [R, K, C] by training seed and sampling seed."""
    table = rows.pivot(index="step", columns=["arm", "seed", "draw"], values="value")
    seeds, table = rows["seed"].nunique(), table.sort_index(axis=1)
    return table.index.to_numpy(), {
        arm: table[arm].to_numpy().T.reshape(seeds, -1, len(table)) for arm in ("none", *ARMS)
    }


def ratio_of_steps(
    steps: Sequence[int], one: np.ndarray, other: np.ndarray, threshold: float
) -> weighting.Ratio:
    """Return the time of `one` over that of `other` to a threshold, of curves [R, K, C] over
    training seeds and sampling seeds, of which means are taken.

    The error of the log ratio is the jackknife's without each training seed, with R - 1 degrees of
    freedom, or without each sampling seed of a single training. Without a seed, a curve that never
    arrives has the last number of updates.
    """
    steps = np.asarray(steps, float)
    runs = [c.mean(axis=1) if len(c) > 1 else c[0] for c in (one, other)]
    value, is_bound = weighting.log_ratio(steps, *(c.mean(axis=0) for c in runs), threshold)
    if value is None:
        return weighting.Ratio(None, None, None, is_bound)
    count = len(runs[0])
    rest = range(count) if count > 1 else ()  # each is left out in turn
    pairs = [[np.delete(c, row, axis=0).mean(axis=0) for c in runs] for row in rest]
    times = [[weighting.steps_to(steps, c, threshold)[0] for c in pair] for pair in pairs]
    se = jackknife.standard_error(np.log([a / b for a, b in times])) if times else 0.0
    contrast = Contrast(value, se, count - 1.0, jackknife.GROUPS)
    if contrast.by_construction:  # no error is known
        return weighting.Ratio(*(3 * [float(np.exp(value))]), is_bound)
    low, high = np.exp(contrast.interval())
    return weighting.Ratio(float(np.exp(value)), float(low), float(high), is_bound, contrast.p())


def verdict(rows: pd.DataFrame, quantity: str, nfe: int, arm: str, thresholds: list) -> dict:
    """Verdict on one arm against the base, from rows of a quantity (arm, seed, draw, step, value,
    dataset).
    """
    steps, curves = _curves(rows)
    base, best = curves["none"], min(c[..., -1].mean() for c in curves.values())
    ratios = [ratio_of_steps(steps, curves[arm], base, factor * best) for factor in thresholds]
    final = float(curves[arm][..., -1].mean() / base[..., -1].mean() - 1)
    cell = {
        "experiment": "T",
        "target": rows["dataset"].iloc[0],
        "solver": SOLVER,
        "nfe": nfe,
        "metric": quantity,
        "family": arm,
        "rho": None,
        "seeds": base.shape[0] * base.shape[1],
        "trainings": base.shape[0],
        "schedule_range": None,
    }
    verdict = verdicts.Verdict(weighting.verdict(ratios), None, None, (final, None))
    return verdicts.line(cell, verdict, None) | {
        "thresholds": [
            {"factor": factor, "threshold": float(factor * best)} | _named(ratio)
            for factor, ratio in zip(thresholds, ratios, strict=True)
        ]
    }
