"""Data of figures, and how they are read from files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from uncanny.evaluation import score_records
from uncanny.runtime import arrays, files, result_paths
from uncanny.runtime.result_paths import Cell


@dataclass(frozen=True)
class Trace:
    """Forward trajectory of one image and backward trajectory of another, at the same K levels.

    forward, backward: float [K, C, H, W], scaled to unit variance of the noisy image; images are
    in [-1, 1]. sigma: [K], rising from 0, relative to the unscaled image. alpha_bar: [K], NaN for
    a process that does not shrink the signal. axis: name of the number that counts the levels.
    lane: name of the process.
    """

    model: str
    seed: int
    sampler: str
    epoch: int
    lane: str
    axis: str
    forward: np.ndarray
    backward: np.ndarray
    sigma: np.ndarray
    alpha_bar: np.ndarray


@dataclass(frozen=True)
class FigureData:
    """What a figure may show; a kind uses the fields that it NEEDS.

    table: tidy scores (scores.tidy). models, samplers, guidances, metrics: appearance, name ->
    {label, ...}, a metric also with unit, a guidance with `unguided`, the scale that is none where
    it is not 0; `models` holds all models of the study in its order, which decides their colours.
    references: dataset -> {"train": [metric, ...], "test": ...}, the controls that are measured as
    samples are; left_out: dataset -> {"test": [{metric, n, needs}]}, metrics for which a control
    has too few images. datasets: model -> its dataset. images: uint8 [n, C, H, W] of each cell,
    n = 0 where it diverged; labels: int [n]; records: of their sampling; inpainted: of cells that
    have them, the originals [n, C, H, W] and which of their pixels were `known`, bool. sizes:
    scores by number of images. traces: forward and backward
    trajectories. exact: rows of all experiments, with the column experiment; verdicts: their cells
    with a verdict. training: dataset -> real images uint8 [N, C, H, W]. claims: of the scorecard,
    claim -> its entry in JSON.
    """

    table: pd.DataFrame = field(default_factory=lambda: score_records.tidy([]))
    models: Mapping[str, Mapping] = field(default_factory=dict)
    samplers: Mapping[str, Mapping] = field(default_factory=dict)
    guidances: Mapping[str, Mapping] = field(default_factory=dict)
    metrics: Mapping[str, Mapping] = field(default_factory=dict)
    references: Mapping[str, Mapping] = field(default_factory=dict)
    left_out: Mapping[str, Mapping] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[Cell, np.ndarray] = field(default_factory=dict)
    labels: Mapping[Cell, np.ndarray] = field(default_factory=dict)
    records: Mapping[Cell, Mapping] = field(default_factory=dict)
    inpainted: Mapping[Cell, Mapping[str, np.ndarray]] = field(default_factory=dict)
    sizes: list[Mapping] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    exact: pd.DataFrame = field(default_factory=pd.DataFrame)
    verdicts: list[Mapping] = field(default_factory=list)
    training: Mapping[str, np.ndarray] = field(default_factory=dict)
    claims: Mapping[str, Mapping] = field(default_factory=dict)

    def references_of(self, dataset: str, metric: str) -> dict[str, tuple[Mapping, bool]]:
        """Control -> (its entry, whether it is measured); an entry that is not has n and needs.

        Empty if the figure has no references. Raises ValueError if it has some, but none of this
        dataset or none of this metric.
        """
        if not self.references:
            return {}
        if dataset not in self.references:
            known = ", ".join(self.references)
            raise ValueError(f"figure: no references of dataset {dataset!r}; there are {known}")
        entries = {}
        for control, measured in self.references[dataset].items():
            left_out = self.left_out.get(dataset, {}).get(control, [])
            pairs = [(entry, True) for entry in measured] + [(entry, False) for entry in left_out]
            matching = [pair for pair in pairs if pair[0]["metric"] == metric]
            if not matching:
                raise ValueError(f"figure: no {metric} of reference {control!r} of {dataset!r}")
            entries[control] = matching[0]
        return entries

    def label(self, family: str, name: str) -> str:
        """The label of a component of a family, or its name."""
        return getattr(self, family).get(name, {}).get("label") or name

    def is_imported(self, model: str) -> bool:
        """Whether a model's images are imported, without a sampler or an epoch of the study."""
        return bool(self.models.get(model, {}).get("imported"))

    def metric_label(self, metric: str) -> str:
        """The label of a metric with its unit."""
        unit = self.metrics.get(metric, {}).get("unit")
        return self.label("metrics", metric) + (f" ({unit})" if unit else "")

    def guidance_label(self, guidance: str) -> str:
        """The label of a guidance, or that there is none."""
        known = self.guidances.get(guidance, {}).get("label")
        return known or ("no guidance" if guidance == "none" else guidance)

    def curve_label(self, model: str, sampler: str, guidance: str) -> str:
        """Labels of model, sampler and guidance, or of the model alone for imported images.
        Raises ValueError for a model without appearance.
        """
        if model not in self.models:
            raise ValueError(f"figure: model {model!r} is not one of {', '.join(self.models)}")
        if self.is_imported(model):
            return self.label("models", model)
        labels = [self.label("models", model), self.label("samplers", sampler)]
        return " · ".join(labels + [self.guidance_label(guidance)] * (guidance != "none"))


# ---- Reading --------------------------------------------------------------------------------


def read(paths: Mapping[str, Iterable[str | Path]]) -> dict:
    """The fields of FigureData that files fill; paths: kind of file, one of READERS -> paths.

    Raises ValueError that names a file which is missing, damaged or of another kind.
    """
    if unknown := paths.keys() - READERS:
        raise ValueError(f"figure reads {min(unknown)!r}, expected one of {', '.join(READERS)}")
    fields = {}
    for kind, listed in paths.items():
        fields |= READERS[kind]([Path(path) for path in listed])
    return fields


def _read_scores(paths: list[Path]) -> dict:
    return {"table": score_records.tidy(score_records.read_records(paths))}


def _read_samples(paths: list[Path]) -> dict:
    """Samples (.npz) with their records (.json)."""
    fields = {"images": {}, "labels": {}, "inpainted": {}, "records": {}}
    for path in paths:
        cell, stored = Cell.from_path(path), _read_arrays(path, ("images", "labels"))
        fields["records"][cell] = files.read_json(path.with_suffix(".json"))
        fields["images"][cell], fields["labels"][cell] = stored["images"], stored["labels"]
        if "known" in stored:
            fields["inpainted"][cell] = {name: stored[name] for name in ("originals", "known")}
    return fields


def _read_sizes(paths: list[Path]) -> dict:
    records = [files.read_json(path) for path in paths]
    for path, record in zip(paths, records, strict=True):
        if not {"cell", "status", "sizes"} <= set(record):
            raise ValueError(f"{path}: not scores by size: expected cell, status and sizes")
    return {"sizes": records}


def _read_traces(paths: list[Path]) -> dict:
    return {"traces": [read_trace(path) for path in paths]}


def _read_experiments(paths: list[Path]) -> dict:
    """Tables (.csv) of experiments with their verdicts (.jsonl)."""
    tables, verdicts = [], []
    for path in paths:
        named = result_paths.names("experiments", path)
        if named["suffix"] == "csv":
            tables.append(_read_table(path).assign(experiment=named["experiment"]))
        else:
            verdicts += files.read_json_lines(path)
    return {"exact": pd.concat(tables, ignore_index=True), "verdicts": verdicts}


def _read_table(path: Path) -> pd.DataFrame:
    files.check_checksum(path)
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except ValueError as error:
        raise ValueError(f"{path}: not a table ({error}); delete it and run again") from None


TRACE_ARRAYS = ("forward", "backward", "sigma", "alpha_bar", "lane", "axis")


def read_trace(path: Path | str) -> Trace:
    """Read the trajectories of a file of `sampling.trajectories.run`."""
    cell, stored = Cell.from_path(path), _read_arrays(Path(path), TRACE_ARRAYS)
    fields = {name: stored[name] for name in TRACE_ARRAYS}
    fields |= {name: str(stored[name]) for name in ("lane", "axis")}
    return Trace(cell.model, cell.seed, cell.sampler, cell.epoch, **fields)


def _read_arrays(path: Path, names: Iterable[str]) -> dict:
    """All arrays of a file. Raises ValueError where it lacks one of `names`."""
    expected = f"a whole file of {', '.join(names)}"
    stored = arrays.load(path, expected)
    if missing := [name for name in names if name not in stored]:
        raise ValueError(f"{path}: not {expected} (no {missing[0]}); delete it and run again")
    return stored


def _read_references(paths: list[Path]) -> dict:
    records = [files.read_json(path) for path in paths]
    return {
        "references": {entry["dataset"]: entry["references"] for entry in records},
        "left_out": {entry["dataset"]: entry.get("left_out", {}) for entry in records},
    }


def _read_datasets(paths: list[Path]) -> dict:
    """Training images of prepared datasets, by name; from the paths of their dataset.json."""
    from uncanny.datasets import Dataset

    prepared = [Dataset.open(path.parent) for path in paths]
    return {"training": {data.folder.name: data.train.images for data in prepared}}


def _read_claims(paths: list[Path]) -> dict:
    """Verdicts on claims, in the JSON of one scorecard."""
    (path,) = paths
    scorecard = files.read_json(path)
    if "claims" not in scorecard:
        raise ValueError(f"{path}: not a scorecard: expected claims")
    return {"claims": scorecard["claims"]}


READERS = {
    "scores": _read_scores,
    "samples": _read_samples,
    "sizes": _read_sizes,
    "traces": _read_traces,
    "experiments": _read_experiments,
    "references": _read_references,
    "datasets": _read_datasets,
    "claims": _read_claims,
}
