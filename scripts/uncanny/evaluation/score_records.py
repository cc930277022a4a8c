"""Score records as one tidy table. `summaries` has its means and standard errors.

One row of the table is one metric value of one cell (model, training seed, sampler, guidance,
draw, epoch). Nothing here samples, or composes paths of records.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from uncanny.evaluation import record_problems
from uncanny.evaluation.contrasts import Score
from uncanny.evaluation.jackknife import GROUPS, Jackknife
from uncanny.runtime import files
from uncanny.runtime.result_paths import Cell

CURVE = ["dataset", "model", "sampler", "guidance"]
CELL_COLUMNS = ["model", "train_seed", "sampler", "guidance", "sample_seed", "epoch"]
# Column -> keys of a record's parameters, dotted; the first that has a value counts.
PARAMETERS = {
    "arch": ["arch", "identity.network.kind"],
    "precond": ["precond", "identity.process.preconditioning"],
    "cond": ["cond", "identity.conditional"],
    "schedule": ["schedule", "identity.schedule"],
    "n_steps": ["n_steps", "sampler.init_sampling.num_steps"],
    "scale": ["scale", "guidance.scale"],
    "clf_id": ["clf_id", "guidance.classifier"],
}
# Fields that shift a metric's value by more than the differences of interest
COMPARABLE = ["n", "splits", "extractor_id", "reference", "groups"]
COLUMNS = [
    *["study", "dataset", "model", "arch", "precond", "cond", "schedule", "sampler", "params"],
    *["n_steps", "nfe", "guidance", "scale", "clf_id", "train_seed", "sample_seed", "epoch"],
    *["images_seen", "n", "splits", "images_per_split", "extractor_id", "reference"],
    *["metric", "kind", "value", "se", "freedom"],
    *["corrected", "corrected_se", "corrected_freedom", "score"],
    *["status", "seconds", "device"],
]
WHOLE_NUMBERS = [
    *["n_steps", "train_seed", "sample_seed", "epoch", "images_seen"],
    *["n", "splits", "images_per_split"],
]
# nfe: a mean where steps are adaptive
REAL_NUMBERS = ["nfe", "scale", "value", "se", "freedom", "seconds"]
REAL_NUMBERS += ["corrected", "corrected_se", "corrected_freedom"]


def read_records(paths: Iterable[str | Path]) -> list[dict]:
    """Read score records (JSON files), in the order given.

    Raises ValueError naming the file when one is damaged or is not a score record, when a record of
    status "ok" holds a value that is not a finite number, and for records of an earlier version,
    which do not have the values without groups of images.
    """
    return [_read_record(Path(path)) for path in paths]


def _read_record(path: Path) -> dict:
    record = files.read_json(path)
    if problem := record_problems.of_record(record):
        raise ValueError(f"{path}: not a score record: {problem}")
    if problem := record_problems.of_groups(record):
        raise ValueError(f"{path}: {problem}; delete it and run again")
    return record


def tidy(records: Iterable[dict]) -> pd.DataFrame:
    """Flatten score records to one row per metric value (columns: COLUMNS).

    `sample_seed` is the draw and `params` the mapping of the record's parameters. PARAMETERS names
    the keys of further columns in these; a block of options is written as kind(option=value).
    `value` and `se` are the metric's own (Inception Score: of splits), `freedom` the degrees of
    freedom of se² (splits, or groups of images, less one). `corrected` and
    `corrected_se` are those of all images at once, less the small-sample bias, with the jackknife's
    standard error and its degrees of freedom; `score` is the same as a contrasts.Score, or None.
    What a record lacks is empty. A diverged record gives one row with an empty metric and value.
    Raises ValueError when two records give the same metric of the same cell.
    """
    rows = [row for record in records for row in _rows(record)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    # Int64 of pandas is an integer column that may have empty cells.
    table = table.astype(dict.fromkeys(WHOLE_NUMBERS, "Int64") | dict.fromkeys(REAL_NUMBERS, float))
    # A model may be trained on several datasets of a study: the dataset is part of the key.
    repeated = table[table.duplicated(["dataset", *CELL_COLUMNS, "metric"])]
    if len(repeated):
        metric = repeated["metric"].iloc[0]
        raise ValueError(f"two records give metric {metric} of cell {_cells(repeated)[0]}")
    return table


def _rows(record: dict) -> list[dict]:
    # One empty row of a diverged cell: it counts as a run, without a value.
    metrics = record["metrics"] if record["status"] == "ok" else [{}]
    shared = _shared_columns(record)
    return [
        shared | _metric_columns(entry) | _corrected_columns(record, entry) for entry in metrics
    ]


def _shared_columns(record: dict) -> dict:
    cell, parameters = record["cell"], record.get("parameters") or {}
    timing = record.get("timing") or {}
    return {
        **{column: _option(parameters, keys) for column, keys in PARAMETERS.items()},
        **{key: cell.get(key) for key in ("study", *CURVE, "epoch")},
        "train_seed": cell["seed"],
        "sample_seed": cell["draw"],
        "params": parameters,
        "nfe": record.get("nfe"),
        "images_seen": record.get("images_seen"),
        "status": record["status"],
        "seconds": timing.get("seconds"),
        "device": timing.get("device"),
    }


def value_at(parameters: Mapping, dotted: str) -> object:
    """The value of a dotted key such as identity.schedule.kind, or None."""
    value = parameters
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _option(parameters: Mapping, keys: list[str]) -> object:
    """The value of the first dotted key that exists, a block of options as text; or None."""
    values = (value_at(parameters, key) for key in keys)
    value = next((value for value in values if value is not None), None)
    if not isinstance(value, Mapping):
        return value
    options = ", ".join(f"{k}={v}" for k, v in sorted(value.items()) if k != "kind")
    return f"{value.get('kind', '')}({options})"


def _metric_columns(entry: dict) -> dict:
    names = ["metric", "kind", "value", "se", "n", "splits", "images_per_split", "reference"]
    facts = {"freedom": freedom_of(entry) if entry else None}
    facts["extractor_id"] = entry.get("extractor")
    return {name: entry.get(name) for name in names} | facts


def freedom_of(entry: Mapping) -> int:
    """Degrees of freedom of the squared standard error of a metric's entry."""
    splits = entry.get("splits") or 1
    return (splits if splits > 1 else min(entry["n"], GROUPS)) - 1


def _corrected_columns(record: dict, entry: dict) -> dict:
    if not entry.get("jackknife"):
        return {"score": None}
    without = Jackknife(**entry["jackknife"])
    # Images of imported sets grew from latents that are not known: from none that others share.
    seeds = (record.get("parameters") or {}).get("image_seeds")
    latents = seeds[0] if seeds else str(Cell.of(record["cell"]))
    images = (record.get("groups") or {}).get("images")
    score = Score(
        without.corrected, without.without_groups, latents, tuple(images) if images else None
    )
    freedom = len(without.replicates) - 1
    numbers = {"corrected": without.corrected, "corrected_se": without.se}
    return numbers | {"corrected_freedom": freedom, "score": score}


def check_comparable(table: pd.DataFrame) -> None:
    """Refuse a table whose rows of one metric were not measured in the same way.

    All rows of a metric must share the number of images n, the splits, the extractor and the
    reference set: each of them shifts the value by more than the differences of interest; and the
    number of groups of images, by which they are paired. Raises ValueError naming the field, its
    values and the cells. Diverged rows carry no measurement.
    """
    # Diverged rows have neither n nor reference, which would differ from those of all others.
    measured = table[table["status"] != "diverged"]
    measured = measured.assign(groups=measured["score"].map(_groups))
    for metric, rows in measured.groupby("metric"):
        for field in COMPARABLE:
            # dropna=False: rows without a value differ from rows with one; not so those of a value
            # too rare for a jackknife, which have no groups.
            by_value = rows.groupby(field, dropna=field == "groups")
            groups = [(value, _cells(g)) for value, g in by_value]
            if len(groups) > 1:
                named = ((value if pd.notna(value) else "none", cells) for value, cells in groups)
                values = "; ".join(f"{value} in {_few(cells)}" for value, cells in named)
                raise ValueError(f"metric {metric}: cells differ in {field}: {values}")


def _groups(score: Score | None) -> int | None:
    return len(score.without_groups) if isinstance(score, Score) else None


def _few(cells: list[Cell]) -> str:
    rest = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return ", ".join(map(str, cells[:3])) + rest


def _cells(rows: pd.DataFrame) -> list[Cell]:
    return list(map(Cell, *(rows[name] for name in CELL_COLUMNS)))
