"""How training weighs noise levels: two distributions of the noise level by two weights."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from uncanny.diffusion.theory import verdicts, weighting
from uncanny.experiments.trained_schedules import rows as sample_rows
from uncanny.registry.option_types import Nonnegative, Seed

BASE = ("lognormal", "unit_output")  # as Karras et al. (2022) train
ARMS = {  # against BASE: what differs -> levels, weight
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
    checkpoints: list, *, thresholds: list[Nonnegative] | None = None, seed: Seed = 0
) -> tuple[pd.DataFrame, list[dict]]:
    """One row per measured value (quantity): the metric by schedule and draw, E_S by schedule, the
    imbalance of the training loss over noise levels, and at each noise level e2 and gain, what
    training has taken off the loss of the first checkpoint, in units of the weight unit_output. A
    verdict per difference of two ways to train, number of evaluations, and metric or E_S.

    checkpoints: `trained.Checkpoint`s of four models that differ in what ARMS says and in nothing
    else, the same training seeds and epochs of each. thresholds: times the best last value of any
    model; default 2, 1.5, 1.2. seed: of the bootstrap. Raises ValueError that says what is missing.
    """
    _check(checkpoints)
    start = {(c.model, c.seed): c for c in reversed(_by_epoch(checkpoints))}
    found = [row for c in checkpoints for row in _rows(c, start[c.model, c.seed])]
    table = pd.DataFrame(found).reindex(columns=COLUMNS)
    rng = np.random.default_rng(seed)
    wanted = [2.0, 1.5, 1.2] if thresholds is None else thresholds
    cells = table[(table["solver"] == SOLVER) & (table["schedule"] == SCHEDULE)]
    lines = [
        _verdict(rows, quantity, int(nfe), arm, wanted, rng)
        for (quantity, nfe), rows in cells.groupby(["quantity", "nfe"], sort=False)
        for arm in ARMS
    ]
    return table, lines


def arm_of(checkpoint) -> str:
    """Name of what differs from BASE; "none" for BASE."""
    way = checkpoint.losses["levels"], checkpoint.losses["weight"]
    names = {BASE: "none"} | {pair: name for name, pair in ARMS.items()}
    if way not in names:
        raise ValueError(f"{checkpoint.model}: levels and weight {way}; expected one of {[*names]}")
    return names[way]


def _by_epoch(checkpoints: list) -> list:
    return sorted(checkpoints, key=lambda c: c.epoch)


def _check(checkpoints: list) -> None:
    arms = {arm_of(c): c.model for c in checkpoints}
    if lost := [name for name in ("none", *ARMS) if name not in arms]:
        raise ValueError(f"models {[*arms.values()]}: none whose training differs by {lost[0]!r}")
    runs = {model: set() for model in arms.values()}
    for c in checkpoints:
        runs.setdefault(c.model, set()).add((c.seed, c.epoch))
    first, *others = runs.items()
    for model, found in others:
        if found != first[1]:
            raise ValueError(f"{model}: seeds and epochs are not those of {first[0]}")


def _rows(checkpoint, start) -> Iterator[dict]:
    losses = checkpoint.losses
    about = {name: getattr(checkpoint, name) for name in ("model", "dataset", "seed", "epoch")}
    about |= {"step": checkpoint.step, "arm": arm_of(checkpoint)}
    about |= {name: losses[name] for name in ("levels", "weight")}
    for row in sample_rows(checkpoint):
        place = {key: row[key] for key in ("solver", "num_steps", "nfe", "schedule", "draw")}
        yield about | place | {"quantity": row["metric"], "value": row["value"]}
        if row["solver"] == SOLVER:
            yield about | place | {"quantity": "E_S", "value": row["E_S"]}
    sigma = checkpoint.sigma
    share = weighting.share_of_loss(losses["levels"], losses["weight"], sigma, losses["loss"])
    inside = share > 0
    yield about | {"quantity": "imbalance", "value": float(weighting.imbalance(share[inside]))}
    taken = np.array(start.losses["loss"]) - np.array(losses["loss"])
    gain = weighting.WEIGHTS["unit_output"](sigma) * taken / losses["dim"]
    for name, values in (("e2", checkpoint.noise_error), ("gain", gain)):
        for level, value in zip(sigma.tolist(), values.tolist(), strict=True):
            yield about | {"sigma": level, "quantity": name, "value": value}


def _named(ratio: weighting.Ratio) -> dict:
    found = ratio._asdict()
    return {"ratio": found.pop("value"), **found}


def _curves(rows: pd.DataFrame, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Updates [C], and values [R, K, C] over training seeds and draws."""
    found = rows[rows["arm"] == arm].pivot(
        index="step", columns=["seed", "draw"], values="value"
    )  # [C, R K], draws within seeds
    seeds = found.columns.get_level_values("seed").nunique()
    return found.index.to_numpy(), found.sort_index(axis=1).to_numpy().T.reshape(
        seeds, -1, len(found)
    )


def _verdict(rows: pd.DataFrame, quantity: str, nfe: int, arm: str, thresholds: list, rng) -> dict:
    steps, base = _curves(rows, "none")
    curves = {name: _curves(rows, name)[1] for name in ARMS}
    best = min(c[..., -1].mean() for c in (base, *curves.values()))
    ratios = [
        weighting.ratio_of_steps(steps, curves[arm], base, factor * best, rng)
        for factor in thresholds
    ]
    final = float(curves[arm][..., -1].mean() / base[..., -1].mean() - 1)
    cell = {"experiment": "T", "target": rows["dataset"].iloc[0], "solver": SOLVER, "nfe": nfe}
    cell |= {"metric": quantity, "family": arm, "rho": None, "seeds": base.shape[0] * base.shape[1]}
    none = verdicts.Verdict(weighting.verdict(ratios), None, None, (final, None))
    return verdicts.line(cell | {"schedule_range": None}, none, None) | {
        "thresholds": [
            {"factor": factor, "threshold": float(factor * best)} | _named(ratio)
            for factor, ratio in zip(thresholds, ratios, strict=True)
        ]
    }
