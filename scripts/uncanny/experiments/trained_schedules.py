"""Schedules on trained models, checkpoint by checkpoint: samples, terms of the error, verdicts."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import pandas as pd

from uncanny.diffusion.theory import verdicts
from uncanny.diffusion.theory.crossovers import Crossing, crossing_epoch
from uncanny.diffusion.theory.measured import predicted_crossing

BOTH = ("exponential", "polynomial")
FEWEST_DRAWS, FEWEST_EPOCHS = 2, 3  # of a verdict, and of a crossing
COLUMNS = [
    *["model", "dataset", "seed", "epoch", "step", "solver", "num_steps", "nfe", "schedule"],
    *["sigma_min", "sigma_max", "rho", "draw", "metric", "value", "se"],
    *["E_I", "E_D", "E_S", "path_kl", "own_cost"],
]
WALK = ["model", "dataset", "solver", "num_steps", "nfe"]


def trained_schedules(checkpoints: list) -> tuple[pd.DataFrame, list[dict]]:
    """One row per checkpoint, sampler and draw; a verdict per model, training seed, solver and
    number of evaluations, of the metric and, for the SDE sampler, of the path KL.

    checkpoints: `trained.Checkpoint`s, of each model at three epochs or more, each sampled with the
    polynomial and the exponential schedule by two draws or more; other schedules (derived) are
    tabulated. own_cost: the part of the path KL that depends on the schedule, from the model's own
    loss. Checkpoints with samples that are not finite are not judged. Raises ValueError that names
    what is missing.
    """
    table = pd.DataFrame([row for c in checkpoints for row in rows(c)])[COLUMNS]
    lines = []
    for place, cell in table[table["schedule"].isin(BOTH)].groupby(WALK, sort=False):
        about = dict(zip(WALK, place, strict=True))
        for seed, run in cell.groupby("seed"):
            lost = run.loc[run["value"].isna(), "epoch"]  # samples that are not finite
            lines += _verdicts(about | {"train_seed": int(seed)}, run[~run["epoch"].isin(lost)])
    return table, lines


def rows(checkpoint) -> Iterator[dict]:
    """One row per sampler and draw; the terms are those of the SDE sampler on the same nodes."""
    for _, found in groupby(checkpoint.scores, key=lambda score: score["sampler"]):
        entries = list(found)
        nodes = np.array(entries[0]["nodes"])
        terms = checkpoint.terms(nodes)
        theory = dict(zip(("E_I", "E_D", "E_S", "path_kl"), (*terms, terms.path_kl), strict=True))
        theory = {name: float(value) for name, value in theory.items()}
        theory |= {"own_cost": checkpoint.own_cost(nodes)}
        names = ("model", "dataset", "metric", "seed", "epoch", "step")
        about = {name: getattr(checkpoint, name) for name in names}
        about |= {"sigma_min": float(nodes[-1]), "sigma_max": float(nodes[0])}
        keys = ("solver", "schedule", "num_steps", "nfe", "rho", "draw", "value", "se")
        yield from (about | theory | {key: entry[key] for key in keys} for entry in entries)


def relative(run: pd.DataFrame, column: str = "value") -> pd.DataFrame:
    """Exponential / polynomial - 1 of a run's cells, [epochs, draws]."""
    both = run.pivot(index="epoch", columns=["schedule", "draw"], values=column).astype(float)
    return both["exponential"] / both["polynomial"] - 1


def significance(differences: pd.DataFrame) -> pd.Series:
    """Mean over its standard error at each epoch, over draws that the schedules share."""
    error = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
    return differences.mean(axis=1) / error


def _verdicts(about: dict, run: pd.DataFrame) -> list[dict]:
    _check(about, run)
    sampled, first = relative(run), run.iloc[0]
    epochs = [int(epoch) for epoch in sampled.index]
    cost = _at_epochs(run, "own_cost")
    predicted = predicted_crossing(epochs, (cost["exponential"] - cost["polynomial"]).to_numpy())
    cell = {
        **{"experiment": "N", "target": about["dataset"], "solver": about["solver"]},
        **{"nfe": int(about["nfe"]), "metric": first["metric"], "family": None},
        **{"rho": _rho(run), "seeds": sampled.shape[1]},
        "schedule_range": [float(first["sigma_min"]), float(first["sigma_max"])],
        **{"model": about["model"], "train_seed": about["train_seed"]},
    }
    # The longest trained first; an untrained network, which predicts no noise, is no end.
    backwards = sampled[sampled.index > 0].to_numpy()[::-1]
    crossing = crossing_epoch(epochs, significance(sampled).to_numpy())
    lines = [_line(cell, verdicts.sampled(backwards), crossing, run, predicted)]
    if about["solver"] == "sde":
        terms = _at_epochs(run, "path_kl")
        ratio = terms["exponential"] / terms["polynomial"] - 1
        turned = predicted_crossing(epochs, ratio.to_numpy())
        found = verdicts.exact(ratio[ratio.index > 0].to_numpy()[::-1])
        theory = cell | {"metric": "path_kl", "seeds": 0}
        lines.append(_line(theory, found, turned, run, predicted))
    return lines


def _line(cell: dict, found, crossing: Crossing | None, run, predicted: Crossing | None) -> dict:
    share = None if crossing is None else _score_share(run[run["epoch"] == crossing.at])
    at = None if predicted is None else predicted.at
    return verdicts.line(cell, found, crossing, R_at_crossing=share, predicted_crossing=at)


def _score_share(rows: pd.DataFrame) -> float:
    """R = E_S / (E_D + E_I) of both schedules together."""
    both = rows.drop_duplicates("schedule")[["E_I", "E_D", "E_S"]].sum()
    return float(both["E_S"] / (both["E_D"] + both["E_I"]))


def _at_epochs(run: pd.DataFrame, column: str) -> pd.DataFrame:
    """What does not depend on the draw, [epochs, schedules]."""
    first = run.drop_duplicates(["epoch", "schedule"])
    return first.pivot(index="epoch", columns="schedule", values=column).sort_index()


def _rho(run: pd.DataFrame) -> float:
    return float(run["rho"].dropna().iloc[0])


def _check(about: dict, run: pd.DataFrame) -> None:
    """Both schedules, enough draws and checkpoints, one range."""
    name = f"{about['model']}, {about['solver']} with {about['num_steps']} steps"
    if lost := sorted(set(BOTH) - set(run["schedule"])):
        raise ValueError(f"{name}: no samples along the {lost[0]} schedule; expected both")
    _enough(name, "sampling seeds", run["draw"].unique(), FEWEST_DRAWS, "a verdict")
    _enough(name, "checkpoints", run["epoch"].unique(), FEWEST_EPOCHS, "a crossing")
    ends = run[["sigma_min", "sigma_max"]].round(9).drop_duplicates()
    if len(ends) > 1:
        raise ValueError(f"{name}: schedules of different ranges {ends.to_numpy().tolist()}")


def _enough(name: str, what: str, found: Iterable, least: int, purpose: str) -> None:
    listed = [int(value) for value in found]
    if len(listed) < least:
        raise ValueError(f"{name}: {what} {listed}; {purpose} takes at least {least}")
