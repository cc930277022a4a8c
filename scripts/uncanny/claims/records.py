"""Selections of records other than scores: timings, scores over the number of images, reports of
classifiers, experiments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd

from uncanny.claims.curves import AXES, broadcast, label_of
from uncanny.claims.finding import NotTestable
from uncanny.evaluation.contrasts import Contrast, repeated
from uncanny.runtime.result_paths import Cell

FEWEST_ROUNDS = 5  # of times
FEWEST_IMAGES = 200  # with fewer, scores do not go as limit + c/n
FEWEST_SIZES = 4


@dataclass
class Timings:
    """Timing records of selections, for one part of a claim.

    selections: name -> {models, samplers, guidances}, or {training: models}. labels: section of the
    config → {name: label}.
    """

    records: Sequence[Mapping]
    selections: dict[str, dict]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self):
        self._records = {_timing_key(record): record for record in self.records}
        self._axes = {name: _axes(block) for name, block in self.selections.items()}

    def name(self, key: tuple) -> str:
        """Labels of what was timed; names where there are no labels."""
        if not self.labels:
            return timing_name(key)
        words = zip(AXES, key, strict=True)
        return " · ".join(label_of(self.labels, *w) for w in words if w[1] not in (None, "none"))

    def selected(self, selection: str) -> list[tuple]:
        return list(product(*(self._axes[selection][axis] for axis in AXES)))

    def pairs(self) -> list[tuple[tuple, tuple]]:
        """Keys of the selections a and b, axis by axis."""
        return list(broadcast(self._axes["a"], self._axes["b"]))

    def log_ratio(self, pairs: Sequence[tuple[tuple, tuple]], quantity: str) -> Contrast:
        """log(time of a / time of b), mean over pairs.

        Rounds are paired, so that what slows a whole round cancels: the standard error is that of
        the mean over rounds.
        """
        sides = [[self._log_times(key, quantity) for key in pair] for pair in pairs]
        rounds = sorted({len(times) for pair in sides for times in pair})
        if len(rounds) > 1:
            raise NotTestable(f"times of {rounds[0]} and of {rounds[-1]} rounds, which do not pair")
        return repeated(np.mean([a - b for a, b in sides], axis=0))

    def _log_times(self, key: tuple, quantity: str) -> np.ndarray:
        times = np.array(self._record(key).get(quantity) or [], float)
        if len(times) < FEWEST_ROUNDS or not np.all(times > 0):
            raise NotTestable(
                f"{len(times)} timed rounds of {timing_name(key)}, expected {FEWEST_ROUNDS}"
            )
        return np.log(times)

    def _record(self, key: tuple) -> Mapping:
        if key not in self._records:
            raise NotTestable(f"missing: timing of {timing_name(key)}")
        return self._records[key]

    def evaluations(self, pairs: Sequence[tuple[tuple, tuple]]) -> list[tuple[int, int]]:
        """Different pairs of evaluations per image where they alone determine the ratio of sampling
        times: the same network and guidance on both sides, and numbers of steps that the config
        sets. Else an empty list.
        """
        records = [[self._record(key) for key in pair] for pair in pairs]
        alike = all(a[0] == b[0] and a[2] == b[2] for a, b in pairs)
        if not alike or any(r.get("num_steps") is None for pair in records for r in pair):
            return []
        return list(dict.fromkeys((a["nfe"], b["nfe"]) for a, b in records))


def _timing_key(record: Mapping) -> tuple:
    names = ("model", "sampler", "guidance") if record["what"] == "sampling" else ("model",)
    return (*(record[name] for name in names), *[None] * (3 - len(names)))


def _axes(block: Mapping) -> dict:
    if "training" in block:
        return {"models": block["training"], "samplers": [None], "guidances": [None]}
    return {axis: block.get(axis) or ["none"] for axis in AXES}


def timing_name(key: tuple) -> str:
    return " ".join(name for name in key if name not in (None, "none"))


@dataclass
class Sizes:
    """Scores over the number of images, for one part of a claim.

    records: {cell, status, sizes: [{n, metrics: [...]}]}; selections, labels: as Cells.
    """

    records: Sequence[Mapping]
    selections: dict[str, dict]
    seeds: Sequence[int]
    sampling_seeds: Sequence[int]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self):
        self._records = {Cell.of(record["cell"]): record for record in self.records}

    def label(self, section: str, name: str) -> str:
        """Label of a component, or its name."""
        return label_of(self.labels, section, name)

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
        """n, values and errors [sizes] of each cell, from FEWEST_IMAGES on. Raises NotTestable that
        names a missing or diverged cell.
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
            if entry["metric"] == metric and size["n"] >= FEWEST_IMAGES
        ]
        if len(rows) < FEWEST_SIZES:
            raise NotTestable(
                f"{len(rows)} sizes of {FEWEST_IMAGES} images or more with {metric} of {name}, "
                f"expected at least {FEWEST_SIZES}"
            )
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

    def _names(self, selection: str) -> Sequence[str]:
        return self.selections[selection]["experiments"]

    @staticmethod
    def _known(name: str, by_name: Mapping):
        if name not in by_name:
            raise NotTestable(f"missing: experiment {name}")
        return by_name[name]
