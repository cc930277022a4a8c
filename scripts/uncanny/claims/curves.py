"""Curves of a study's score table, selected by name, and pairs of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from uncanny.claims.finding import SINGLE_RUN, NotTestable
from uncanny.evaluation.score_records import CELL_COLUMNS
from uncanny.registry import components
from uncanny.runtime.result_paths import Cell

AXES = ("models", "samplers", "guidances")
NOISE = ("gaussian", "uniform")  # names of references of noise
REAL = "train"
NUMBERS = ("train_seed", "sample_seed", "epoch")


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of one model, sampler and guidance over m epochs, R training and K sampling seeds.

    values, errors [R, K, m], an unknown error is NaN; epochs (m), seeds (R). sign: 1, or -1 if less
    is better. nfe: mean number of network evaluations per image; nfe_range: its range over seeds,
    as samplers may choose their steps. scale: of the guidance.
    """

    model: str
    sampler: str
    guidance: str
    epochs: tuple[int, ...]
    seeds: tuple[int, ...]
    values: np.ndarray
    errors: np.ndarray
    sign: int
    nfe: float = np.nan
    scale: float = np.nan
    nfe_range: tuple[float, float] = (np.nan, np.nan)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.model, self.sampler, self.guidance

    @property
    def name(self) -> str:
        """Name of the curve, without guidance if there is none."""
        return " ".join(word for word in self.key if word != "none")

    @cached_property
    def sampling_means(self) -> tuple[np.ndarray, np.ndarray]:
        """Means [R, m] over sampling seeds and their errors: sqrt(sum_k e_k^2) / K, or
        std / sqrt(K) if evaluation errors are unknown.
        """
        count = self.values.shape[1]
        errors = np.sqrt(np.sum(self.errors**2, axis=1)) / count
        if count > 1:
            spread = self.values.std(axis=1, ddof=1) / np.sqrt(count)
            errors = np.where(np.isnan(errors), spread, errors)
        return self.values.mean(axis=1), errors

    def level(self, *, per_epoch: bool) -> tuple[np.ndarray, np.ndarray]:
        """Values and errors [R, m], or [R, 1] of the mean over epochs."""
        values, errors = self.sampling_means
        if per_epoch:
            return values, errors
        mean_error = np.sqrt(np.sum(errors**2, axis=1, keepdims=True)) / errors.shape[1]
        return values.mean(axis=1, keepdims=True), mean_error

    @cached_property
    def split_sampling_seeds(self) -> tuple["Curve", "Curve"]:
        """Curves of the first sampling seed and of the rest; of one seed, the same curve twice."""
        if self.values.shape[1] == 1:
            return self, self
        first, rest = slice(0, 1), slice(1, None)
        return tuple(
            replace(self, values=self.values[:, rows], errors=self.errors[:, rows])
            for rows in (first, rest)
        )


class Scores:
    """A tidy score table by cell. references: dataset → {"train": [metric, ...], ...}."""

    def __init__(self, table: pd.DataFrame, references: Mapping[str, Mapping] | None = None):
        is_ok = (table["status"] == "ok").to_numpy()
        cells = table.astype(dict.fromkeys(NUMBERS, int)).set_index(CELL_COLUMNS)
        self.diverged = cells.index[~is_ok]
        self.measured = dict(tuple(cells[is_ok].groupby("metric")))
        self.datasets = dict(zip(table["model"], table["dataset"], strict=True))
        kinds = dict(zip(table["metric"], table["kind"], strict=True))
        self.falling = {metric for metric, kind in kinds.items() if is_falling(kind)}
        self.references = references or {}

    def curve(self, key, metric: str, epochs: Sequence[int], seeds, sampling_seeds) -> Curve:
        """One curve. Raises NotTestable that names a missing or diverged cell."""
        model, sampler, guidance = key
        axes = [model], seeds, [sampler], [guidance], sampling_seeds, epochs
        cells = pd.MultiIndex.from_product(axes, names=CELL_COLUMNS)
        if len(absent := cells[cells.isin(self.diverged)]):
            raise NotTestable(f"diverged: {_first(absent)}")
        rows = self.measured.get(metric)
        if len(absent := cells if rows is None else cells[~cells.isin(rows.index)]):
            raise NotTestable(f"missing: {metric} of {_first(absent)}")
        rows, shape = rows.loc[cells], (len(seeds), len(sampling_seeds), len(epochs))
        values, errors = (rows[name].to_numpy(float).reshape(shape) for name in ("value", "se"))
        nfe = rows["nfe"].to_numpy()
        nfe_range = float(nfe.min()), float(nfe.max())
        mean_nfe = nfe_range[0] if nfe_range[0] == nfe_range[1] else float(np.mean(nfe))
        sign = -1 if metric in self.falling else 1
        names = *key, tuple(epochs), tuple(seeds)
        return Curve(
            *names, values, errors, sign, mean_nfe, float(rows["scale"].iloc[0]), nfe_range
        )

    def bounds(self, model: str, metric: str) -> tuple[float, float] | None:
        """Metric of noise (the better of the two kinds) and of real images; None if not measured.

        Raises ValueError if other datasets have references and the model's has none.
        """
        dataset = self.datasets.get(model)
        if self.references and dataset not in self.references:
            known = ", ".join(self.references)
            raise ValueError(f"claims: no references of dataset {dataset!r}; there are {known}")
        entries = self.references.get(dataset, {})
        values = {
            name: entry["value"]
            for name, listed in entries.items()
            for entry in listed
            if entry["metric"] == metric
        }
        noise = [values[name] for name in NOISE if name in values]
        if not noise or REAL not in values:
            return None
        return (min if metric in self.falling else max)(noise), values[REAL]


def is_falling(kind: str) -> bool:
    """Whether less is better for a kind of metric."""
    return kind in components.constant("metrics", kind, "FALLING")


def _first(cells: pd.MultiIndex) -> str:
    more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return f"{Cell(*cells[0])}{more}"


@dataclass
class Cells:
    """Selections of curves, for one part of a claim.

    selections: name → {models, samplers, guidances, epochs: {model: [epoch, ...]}, sampling_seeds:
    default the study's}. seed: text that determines the random numbers of each question.
    """

    scores: Scores
    selections: dict[str, dict]
    seeds: Sequence[int]
    sampling_seeds: Sequence[int]
    seed: str = ""
    _curves: dict = field(default_factory=dict, repr=False)

    def rng(self, question: str = "") -> np.random.Generator:
        """Random generator of a question, independent of other questions."""
        return generator(f"{self.seed}/{question}")

    def selected(self, selection: str) -> list[tuple[str, str, str]]:
        """Keys of a selection: its models, then samplers, then guidances."""
        return list(product(*(self.selections[selection][axis] for axis in AXES)))

    def curves(self, selection: str, metric: str) -> list[Curve]:
        """Curves of a selection, in the order of its keys."""
        return [self.curve(selection, key, metric) for key in self.selected(selection)]

    def curve(self, selection: str, key: tuple[str, str, str], metric: str) -> Curve:
        """One curve of a selection, always the same object."""
        chosen = self.selections[selection]
        epochs = tuple(chosen["epochs"][key[0]])
        sampling_seeds = tuple(chosen.get("sampling_seeds", self.sampling_seeds))
        key_of_curve = key, metric, epochs, sampling_seeds
        if key_of_curve not in self._curves:
            self._curves[key_of_curve] = self.scores.curve(
                key, metric, epochs, self.seeds, sampling_seeds
            )
        return self._curves[key_of_curve]

    def pairs(self, a: str = "a", b: str = "b") -> list[tuple[tuple, tuple]]:
        """Pairs of keys of two selections, as `broadcast` forms them."""
        return list(broadcast(self.selections[a], self.selections[b]))

    @property
    def suffixes(self) -> frozenset[str]:
        return frozenset({SINGLE_RUN} if len(self.seeds) == 1 else ())


def broadcast(a: Mapping, b: Mapping) -> Iterable[tuple[tuple, tuple]]:
    """Pairs of keys of two selections.

    Along each axis both have the same number of names (paired in order), or one has a single name.
    Raises ValueError that names the axis otherwise.
    """
    axes = []
    for axis in AXES:
        left, right = a[axis], b[axis]
        if len(left) != len(right) and 1 not in (len(left), len(right)):
            sizes = f"{len(left)} and {len(right)}"
            raise ValueError(f"{axis}: selections a and b have {sizes} names, which do not pair")
        count = max(len(left), len(right))
        axes.append([(left[i % len(left)], right[i % len(right)]) for i in range(count)])
    return (tuple(zip(*choice, strict=True)) for choice in product(*axes))


def generator(text: str) -> np.random.Generator:
    """Random generator seeded by a text."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))
