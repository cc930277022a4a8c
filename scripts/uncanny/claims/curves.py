"""Curves of a study's score table, selected by name, and pairs of them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from uncanny.claims.finding import NotTestable
from uncanny.evaluation.contrasts import Score
from uncanny.evaluation.jackknife import Jackknife
from uncanny.evaluation.score_records import CELL_COLUMNS, value_at
from uncanny.evaluation.trainings import Spread
from uncanny.registry import components
from uncanny.runtime.result_paths import Cell

AXES = ("models", "samplers", "guidances")
NOISE = ("gaussian", "uniform")  # names of references of noise
REAL = "train"
NUMBERS = ("train_seed", "sample_seed", "epoch")
ROW = ["metric", "status", "score", "nfe", "params", "scale", "kind", "n"]


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of one model, sampler and guidance over m epochs, R training and K sampling seeds.

    scores [R, K, m]: contrasts.Score of each cell. epochs (m), seeds (R). sign: 1, or -1 if less is
    better. family: of the model, by the kind of its process. signed: whether the metric takes
    values on both sides of 0; is_score: whether it is an Inception Score. nfe: mean number of
    network evaluations per image; evaluations [R, K]: of each run, as samplers may choose their
    steps. scale: of the guidance. identity: text of everything but seeds that determines scores.
    labels: of model, sampler and guidance, for readers.
    """

    model: str
    sampler: str
    guidance: str
    epochs: tuple[int, ...]
    seeds: tuple[int, ...]
    scores: np.ndarray
    sign: int
    family: str = ""
    signed: bool = False
    is_score: bool = False
    nfe: float = np.nan
    scale: float = np.nan
    evaluations: np.ndarray = field(default_factory=lambda: np.full((1, 1), np.nan))
    identity: str = ""
    labels: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        return self.model, self.sampler, self.guidance

    @property
    def name(self) -> str:
        """Name of the curve, without guidance if there is none."""
        return " ".join(word for word in self.key if word != "none")

    @property
    def label(self) -> str:
        """Labels of the curve, without guidance if there is none."""
        return self.words([i for i, name in enumerate(self.key) if name != "none"])

    def words(self, axes: Sequence[int]) -> str:
        """Labels on some of the axes; names where there are no labels."""
        if self.labels:
            return " · ".join(self.labels[i] for i in axes)
        return " ".join("no guidance" if self.key[i] == "none" else self.key[i] for i in axes)

    @cached_property
    def values(self) -> np.ndarray:
        """Values less their bias [R, K, m]."""
        return np.vectorize(lambda score: score.value, otypes=[float])(self.scores)

    def at(self, epochs: Sequence[int]) -> "Curve":
        """The curve at some of its epochs."""
        if tuple(epochs) == self.epochs:
            return self
        columns = [self.epochs.index(epoch) for epoch in epochs]
        identity = f"{self.identity} at {list(epochs)}"
        return replace(
            self, epochs=tuple(epochs), scores=self.scores[:, :, columns], identity=identity
        )

    @cached_property
    def split_sampling_seeds(self) -> tuple["Curve", "Curve"]:
        """Curves of the first sampling seed and of the rest; of one seed, the same curve twice."""
        if self.scores.shape[1] == 1:
            return self, self
        return tuple(
            replace(self, scores=self.scores[:, rows]) for rows in (slice(0, 1), slice(1, None))
        )


Pair = tuple[Curve, Curve]


class Scores:
    """A tidy score table by cell. references: dataset → {"train": [metric, ...], ...}."""

    def __init__(self, table: pd.DataFrame, references: Mapping[str, Mapping] | None = None):
        cells = table.astype(dict.fromkeys(NUMBERS, int))
        keys = list(zip(*(cells[name] for name in CELL_COLUMNS), strict=True))
        self.diverged, self.measured = set(), defaultdict(dict)
        # Plain dictionaries: an index of pandas takes most of the time of a scorecard.
        for key, row in zip(keys, cells[ROW].to_dict("records"), strict=True):
            if row["status"] == "ok":
                self.measured[row["metric"]][key] = row
            else:
                self.diverged.add(key)
        self.datasets = dict(zip(table["model"], table["dataset"], strict=True))
        self.kinds = dict(zip(table["metric"], table["kind"], strict=True))
        self.last_epochs = table.groupby("model")["epoch"].max().astype(int).to_dict()
        self.references = references or {}

    def curve(self, key, metric: str, epochs: Sequence[int], seeds, sampling_seeds) -> Curve:
        """One curve. Raises NotTestable that names a missing or diverged cell."""
        model, sampler, guidance = key
        # In the order of CELL_COLUMNS
        cells = list(product([model], seeds, [sampler], [guidance], sampling_seeds, epochs))
        if absent := [cell for cell in cells if cell in self.diverged]:
            raise NotTestable(f"diverged: {_first(absent)}")
        known = self.measured[metric]
        if absent := [cell for cell in cells if cell not in known]:
            raise NotTestable(f"missing: {metric} of {_first(absent)}")
        rows = [known[cell] for cell in cells]
        absent = [
            c for c, row in zip(cells, rows, strict=True) if not isinstance(row["score"], Score)
        ]
        if absent:
            raise NotTestable(
                f"{metric} of {_first(absent)} has no values without groups of images"
            )
        scores = np.empty(len(rows), object)
        scores[:] = [row["score"] for row in rows]
        nfe, kind = np.array([row["nfe"] for row in rows], float), self.kinds[metric]
        parameters = rows[0]["params"]
        return Curve(
            *key,
            tuple(epochs),
            tuple(seeds),
            scores.reshape(len(seeds), len(sampling_seeds), len(epochs)),
            sign=-1 if _is(kind, "FALLING") else 1,
            family=str(value_at(parameters, "identity.process.kind") or model),
            signed=_is(kind, "SIGNED"),
            is_score=kind == "inception_score",
            nfe=float(np.mean(nfe)),
            scale=float(rows[0]["scale"]),
            evaluations=nfe.reshape(len(seeds), len(sampling_seeds), -1).mean(axis=2),
            identity=_identity(key, rows[0], epochs, len(sampling_seeds)),
        )

    def bounds(self, model: str, metric: str) -> tuple[float, float] | None:
        """Metric, less its bias, of noise (the better of the two kinds) and of real images; None if
        not measured.

        Raises ValueError if other datasets have references and the model's has none.
        """
        dataset = self.datasets.get(model)
        if self.references and dataset not in self.references:
            known = ", ".join(self.references)
            raise ValueError(f"claims: no references of dataset {dataset!r}; there are {known}")
        entries = self.references.get(dataset, {})
        values = {
            name: Jackknife(**entry["jackknife"]).corrected
            for name, listed in entries.items()
            for entry in listed
            if entry["metric"] == metric and entry["jackknife"]
        }
        noise = [values[name] for name in NOISE if name in values]
        if not noise or REAL not in values:
            return None
        return (min if _is(self.kinds[metric], "FALLING") else max)(noise), values[REAL]


def _is(kind: str, constant: str) -> bool:
    """Whether a kind of metric is in a constant of its module."""
    return kind in components.constant("metrics", kind, constant)


def _identity(key: Sequence[str], row: Mapping, epochs: Sequence[int], draws: int) -> str:
    """Text of everything but seeds that determines the scores of a curve."""
    blocks = {name: row["params"].get(name) for name in ("identity", "sampler", "guidance")}
    measured = {name: str(row[name]) for name in ("kind", "n")}
    facts = [*key, blocks, measured, list(map(int, epochs)), draws]
    return json.dumps(facts, sort_keys=True, default=str)


def _first(cells: Sequence[tuple]) -> str:
    more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return f"{Cell(*cells[0])}{more}"


def label_of(labels: Mapping[str, Mapping[str, str]], section: str, name: str) -> str:
    """Label of a component for readers, or its name; labels: section of the config → names."""
    return labels.get(section, {}).get(name, "no guidance" if name == "none" else name)


@dataclass
class Cells:
    """Selections of curves, for one part of a claim.

    selections: name → {models, samplers, guidances, epochs: {model: [epoch, ...]}}, and seeds and
    sampling_seeds where they are not the study's. spreads: between trainings in other studies, by
    fingerprint. labels: section of the config → {name: label}.
    """

    scores: Scores
    selections: dict[str, dict]
    seeds: Sequence[int]
    sampling_seeds: Sequence[int]
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _curves: dict = field(default_factory=dict, repr=False)

    def selected(self, selection: str) -> list[tuple[str, str, str]]:
        """Keys of a selection: its models, then samplers, then guidances."""
        return list(product(*(self.selections[selection][axis] for axis in AXES)))

    def curves(self, selection: str, metric: str, keys: Iterable | None = None) -> list[Curve]:
        """Curves of a selection, in the order of its keys, or of some of them."""
        keys = self.selected(selection) if keys is None else keys
        return [self.curve(selection, key, metric) for key in keys]

    def curve(
        self, selection: str, key: tuple[str, str, str], metric: str, epoch: int | None = None
    ) -> Curve:
        """One curve of a selection, or its point at an epoch; always the same object."""
        chosen = self.selections[selection]
        epochs = tuple(chosen["epochs"][key[0]]) if epoch is None else (epoch,)
        sampling_seeds = tuple(chosen.get("sampling_seeds", self.sampling_seeds))
        seeds = tuple(chosen.get("seeds", self.seeds))
        wanted = key, metric, epochs, seeds, sampling_seeds
        if wanted not in self._curves:
            self._curves[wanted] = replace(self.scores.curve(*wanted), labels=self._labels(key))
        return self._curves[wanted]

    def _labels(self, key: tuple[str, str, str]) -> tuple[str, ...]:
        if not self.labels:
            return ()
        return tuple(self.label(axis, name) for axis, name in zip(AXES, key, strict=True))

    def label(self, section: str, name: str) -> str:
        """Label of a component, or its name."""
        return label_of(self.labels, section, name)

    def epochs(self) -> tuple[int, ...]:
        """Epochs of all selections. Raises NotTestable where models have different ones."""
        different = {
            tuple(epochs)
            for selection in self.selections.values()
            for epochs in selection["epochs"].values()
        }
        if len(different) > 1:
            raise NotTestable("models are compared at different epochs: none is the same for all")
        return different.pop()

    def pairs(self) -> list[tuple[tuple, tuple]]:
        """Pairs of keys of selections a and b, as `broadcast` forms them."""
        return list(broadcast(self.selections["a"], self.selections["b"]))

    def paired(
        self, metric: str, keys: Iterable | None = None, epoch: int | None = None
    ) -> list[Pair]:
        """Pairs of curves of selections a and b, all or some, or their points at an epoch."""
        return [
            (self.curve("a", a, metric, epoch), self.curve("b", b, metric, epoch))
            for a, b in (self.pairs() if keys is None else keys)
        ]


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
