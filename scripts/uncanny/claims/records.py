"""Selections of records other than scores: timings, scores over the number of images, reports of
classifiers, experiments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from uncanny.claims.bootstrap import REPLICATES
from uncanny.claims.curves import AXES, broadcast, generator
from uncanny.claims.finding import SINGLE_RUN, NotTestable
from uncanny.evaluation.convergence import replicate_weights
from uncanny.runtime.result_paths import Cell

FEWEST_ROUNDS = 5


@dataclass
class Timings:
    """Timing records of selections, for one part of a claim.

    selections: name -> {models, samplers, guidances}, or {training: models}.
    """

    records: Sequence[Mapping]
    selections: dict[str, dict]
    seed: str = ""

    def __post_init__(self):
        self._records = {_timing_key(record): record for record in self.records}
        self._axes = {name: _axes(block) for name, block in self.selections.items()}
        self._log_times: dict = {}

    def selected(self, selection: str) -> list[tuple]:
        return list(product(*(self._axes[selection][axis] for axis in AXES)))

    def pairs(self) -> list[tuple[tuple, tuple]]:
        """Keys of the selections a and b, axis by axis."""
        return list(broadcast(self._axes["a"], self._axes["b"]))

    def log_time(self, key: tuple, quantity: str) -> tuple[float, np.ndarray]:
        """Mean log time of a key's rounds and its replicates [B], the same in every call.

        The replicates follow the t distribution of a mean of so many rounds. A replicate has the
        same weights for the rounds of all keys: what slows a whole round cancels in ratios.
        """
        if key not in self._records:
            raise NotTestable(f"missing: timing of {_timing_name(key)}")
        times = np.array(self._records[key].get(quantity) or [], float)
        if len(times) < FEWEST_ROUNDS or not np.all(times > 0):
            raise NotTestable(
                f"{len(times)} timed rounds of {_timing_name(key)}, expected {FEWEST_ROUNDS}"
            )
        if (key, quantity) not in self._log_times:
            logs, rng = np.log(times), generator(f"{self.seed}/{quantity}")
            mean = logs.mean()
            replicates = mean + replicate_weights(len(logs), REPLICATES, rng) @ (logs - mean)
            self._log_times[key, quantity] = float(mean), replicates
        return self._log_times[key, quantity]


def _timing_key(record: Mapping) -> tuple:
    names = ("model", "sampler", "guidance") if record["what"] == "sampling" else ("model",)
    return (*(record[name] for name in names), *[None] * (3 - len(names)))


def _axes(block: Mapping) -> dict:
    if "training" in block:
        return {"models": block["training"], "samplers": [None], "guidances": [None]}
    return {axis: block.get(axis) or ["none"] for axis in AXES}


def _timing_name(key: tuple) -> str:
    return " ".join(name for name in key if name not in (None, "none"))


@dataclass
class Sizes:
    """Scores over the number of images, for one part of a claim.

    records: {cell, status, sizes: [{n, metrics: [...]}]}; selections: as Cells.
    """

    records: Sequence[Mapping]
    selections: dict[str, dict]
    seeds: Sequence[int]
    sampling_seeds: Sequence[int]
    seed: str = ""

    @property
    def suffixes(self) -> frozenset[str]:
        return frozenset({SINGLE_RUN} if len(self.seeds) == 1 else ())

    def __post_init__(self):
        self._records = {Cell.of(record["cell"]): record for record in self.records}

    @property
    def cells(self) -> list[Cell]:
        """Cells of selection a."""
        block = self.selections["a"]
        keys = product(*(block[axis] for axis in AXES), self.seeds, self.sampling_seeds)
        return [
            Cell(model, seed, sampler, guidance, sampling_seed, epoch)
            for model, sampler, guidance, seed, sampling_seed in keys
            for epoch in block["epochs"][model]
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cells of selection a, as in verdicts."""
        return tuple(map(_name, self.cells))

    def curves(self, metric: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """n, values and errors [sizes] of each cell. Raises NotTestable that names a missing or
        diverged cell.
        """
        return [self._curve(cell, metric) for cell in self.cells]

    def _curve(self, cell: Cell, metric: str):
        record, name = self._records.get(cell), _name(cell)
        if record is None:
            raise NotTestable(f"missing: scores over the number of images of {name}")
        if record["status"] != "ok":
            raise NotTestable(f"diverged: {name}")
        rows = [
            (size["n"], entry["value"], np.nan if entry["se"] is None else entry["se"])
            for size in record["sizes"]
            for entry in size["metrics"]
            if entry["metric"] == metric
        ]
        if len(rows) < 4:
            raise NotTestable(f"{len(rows)} sizes with {metric} of {name}, expected at least 4")
        return tuple(np.array(sorted(rows), float).T)


def _name(cell: Cell) -> str:
    curve = f"{cell.model} {cell.sampler} {cell.guidance}"
    return f"{curve} {cell.seed} {cell.draw} {cell.epoch}"


@dataclass
class Reports:
    """Reports of classifiers by name, for one part of a claim; selections: {classifiers: names}."""

    records: Mapping[str, Sequence[Mapping]]
    selections: dict[str, dict]

    def of(self, selection: str) -> dict[str, Sequence[Mapping]]:
        """Reports of a selection's classifiers, one per dataset, process and schedule."""
        names: Iterable[str] = self.selections[selection]["classifiers"]
        if lost := [name for name in names if not self.records.get(name)]:
            raise NotTestable(f"missing: report of classifier {lost[0]}")
        return {name: self.records[name] for name in names}


@dataclass
class Experiments:
    """Tables and verdicts of experiments by name, for one part of a claim; selections:
    {experiments: names}.
    """

    tables: Mapping[str, pd.DataFrame]
    verdicts: Mapping[str, Sequence[Mapping]]
    selections: dict[str, dict]

    def rows(self, selection: str) -> pd.DataFrame:
        """Tables of a selection, one below the other."""
        return pd.concat([self._known(name, self.tables) for name in self._names(selection)])

    def lines(self, selection: str) -> list[Mapping]:
        """Verdicts of a selection."""
        names = self._names(selection)
        return [line for name in names for line in self._known(name, self.verdicts)]

    def suffixes(self, lines: Sequence[Mapping]) -> frozenset[str]:
        """Single run, if all verdicts on trained models are about one training seed."""
        seeds = {line["train_seed"] for line in lines if "train_seed" in line}
        return frozenset({SINGLE_RUN} if len(seeds) == 1 else ())

    def _names(self, selection: str) -> Sequence[str]:
        return self.selections[selection]["experiments"]

    @staticmethod
    def _known(name: str, by_name: Mapping):
        if name not in by_name:
            raise NotTestable(f"missing: experiment {name}")
        return by_name[name]
