"""Compare schedules on checkpoints of trained models: samples, terms of the error, verdicts."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import pandas as pd
from scipy import special

from uncanny.diffusion.theory import verdicts
from uncanny.diffusion.theory.crossovers import Crossing, crossing_epoch
from uncanny.diffusion.theory.measured import predicted_crossing

BOTH = ("exponential", "polynomial")
FEWEST_DRAWS, FEWEST_EPOCHS = 2, 3  # for a verdict, and for a crossing
COLUMNS = [
    *["model", "dataset", "seed", "epoch", "step", "solver", "num_steps", "nfe", "schedule"],
    *["sigma_min", "sigma_max", "rho", "draw", "metric", "value", "se"],
    *["E_I", "E_D", "E_S", "path_kl", "own_cost"],
]
CELL = ["model", "dataset", "solver", "num_steps", "nfe"]


def trained_schedules(checkpoints: list) -> tuple[pd.DataFrame, list[dict]]:
    """One row per checkpoint, sampler and sampling seed; a verdict per model, training seed, solver
    and number of evaluations, on the metric and, for the SDE sampler, on the path KL.

    checkpoints: `checkpoint_records.Checkpoint`s, at least three epochs of each model, each sampled
    with the polynomial and the exponential schedule and at least two sampling seeds; other
    schedules (derived) are tabulated only. Column own_cost: the part of the path KL that depends on
    the schedule, from the model's own loss. Epochs with samples that are not finite get no verdict.
    Raises ValueError that names what is missing.
    """
    table = pd.DataFrame([row for c in checkpoints for row in rows(c)])[COLUMNS]
    lines = []
    for key, cell in table[table["schedule"].isin(BOTH)].groupby(CELL, sort=False):
        facts = dict(zip(CELL, key, strict=True))
        for seed, run in cell.groupby("seed"):
            diverged = run.loc[run["value"].isna(), "epoch"]  # samples that are not finite
            lines += _verdicts(facts | {"train_seed": int(seed)}, run[~run["epoch"].isin(diverged)])
    return table, lines


def rows(checkpoint) -> Iterator[dict]:
    """One row per sampler and sampling seed; the terms are those of the SDE sampler on the same
    nodes.
    """
    for _, scores in groupby(checkpoint.scores, key=lambda score: score["sampler"]):
        entries = list(scores)
        nodes = np.array(entries[0]["nodes"])
        terms = checkpoint.terms(nodes)
        theory = dict(zip(("E_I", "E_D", "E_S", "path_kl"), (*terms, terms.path_kl), strict=True))
        theory = {name: float(value) for name, value in theory.items()}
        theory |= {"own_cost": checkpoint.own_cost(nodes)}
        names = ("model", "dataset", "metric", "seed", "epoch", "step")
        facts = {name: getattr(checkpoint, name) for name in names}
        facts |= {"sigma_min": float(nodes[-1]), "sigma_max": float(nodes[0])}
        keys = ("solver", "schedule", "num_steps", "nfe", "rho", "draw", "value", "se")
        yield from (facts | theory | {key: entry[key] for key in keys} for entry in entries)


def relative(run: pd.DataFrame) -> pd.DataFrame:
    """Exponential / polynomial - 1 of a run's cells, [epochs, sampling seeds]."""
    both = run.pivot(index="epoch", columns=["schedule", "draw"], values="value").astype(float)
    return both["exponential"] / both["polynomial"] - 1


def significance(differences: pd.DataFrame) -> pd.Series:
    """At each epoch the standard normal number with the same p as the t test of the mean over the
    sampling seeds that the schedules share.
    """
    mean, freedom = differences.mean(axis=1), differences.shape[1] - 1
    p = verdicts.p_values(mean, differences.std(axis=1, ddof=1) / np.sqrt(freedom + 1), freedom)
    return -np.sign(mean) * special.ndtri(p / 2)


def _verdicts(facts: dict, run: pd.DataFrame) -> list[dict]:
    _check(facts, run)
    sampled, first = relative(run), run.iloc[0]
    epochs = [int(epoch) for epoch in sampled.index]
    cost = _at_epochs(run, "own_cost")
    predicted = predicted_crossing(epochs, (cost["exponential"] - cost["polynomial"]).to_numpy())
    cell = {
        "experiment": "N",
        "target": facts["dataset"],
        "solver": facts["solver"],
        "nfe": int(facts["nfe"]),
        "metric": first["metric"],
        "family": None,
        "rho": float(run["rho"].dropna().iloc[0]),
        "seeds": sampled.shape[1],
        "schedule_range": [float(first["sigma_min"]), float(first["sigma_max"])],
        "model": facts["model"],
        "train_seed": facts["train_seed"],
    }
    # Longest trained first; without epoch 0, whose untrained network is no end of training.
    backwards = sampled[sampled.index > 0].to_numpy()[::-1]
    crossing = crossing_epoch(epochs, significance(sampled).to_numpy())
    lines = [_line(cell, verdicts.sampled(backwards), crossing, run, predicted)]
    if facts["solver"] == "sde":
        terms = _at_epochs(run, "path_kl")
        ratio = terms["exponential"] / terms["polynomial"] - 1
        theory_crossing = predicted_crossing(epochs, ratio.to_numpy())
        verdict = verdicts.exact(ratio[ratio.index > 0].to_numpy()[::-1])
        theory = cell | {"metric": "path_kl", "seeds": 0}
        lines.append(_line(theory, verdict, theory_crossing, run, predicted))
    return lines


def _line(cell: dict, verdict, crossing: Crossing | None, run, predicted: Crossing | None) -> dict:
    share = None if crossing is None else _score_share(run[run["epoch"] == crossing.at])
    at = None if predicted is None else predicted.at
    return verdicts.line(cell, verdict, crossing, R_at_crossing=share, predicted_crossing=at)


def _score_share(rows: pd.DataFrame) -> float:
    """R = E_S / (E_D + E_I) of both schedules together."""
    both = rows.drop_duplicates("schedule")[["E_I", "E_D", "E_S"]].sum()
    return float(both["E_S"] / (both["E_D"] + both["E_I"]))


def _at_epochs(run: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column that does not depend on the sampling seed, [epochs, schedules]."""
    first = run.drop_duplicates(["epoch", "schedule"])
    return first.pivot(index="epoch", columns="schedule", values=column).sort_index()


def _check(facts: dict, run: pd.DataFrame) -> None:
    """Check for both schedules, enough sampling seeds and checkpoints, and one range."""
    name = f"{facts['model']}, {facts['solver']} with {facts['num_steps']} steps"
    if missing := sorted(set(BOTH) - set(run["schedule"])):
        raise ValueError(f"{name}: no samples with the {missing[0]} schedule; expected both")
    _check_count(name, "sampling seeds", run["draw"].unique(), FEWEST_DRAWS, "a verdict")
    _check_count(name, "checkpoints", run["epoch"].unique(), FEWEST_EPOCHS, "a crossing")
    ranges = run[["sigma_min", "sigma_max"]].round(9).drop_duplicates()
    if len(ranges) > 1:
        raise ValueError(f"{name}: schedules of different ranges {ranges.to_numpy().tolist()}")


def _check_count(name: str, kind: str, values: Iterable, least: int, purpose: str) -> None:
    listed = [int(value) for value in values]
    if len(listed) < least:
        raise ValueError(f"{name}: {kind} {listed}; {purpose} needs at least {least}")
