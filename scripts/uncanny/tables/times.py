"""How long training and sampling take, next to the minutes that the paper prints."""

from typing import Literal

import numpy as np
import pandas as pd

from uncanny.tables import Contents, paper

NEEDS = "timings"
SHOWS = (("training", "sampling"),)

EPOCHS, IMAGES = 90, 10_000  # to which the paper's minutes belong
QUARTILES = ["ms", "ms, lower quartile", "ms, upper quartile"]
OF_SAMPLING = ["sampler", "guidance", "NFE", "paper NFE", "at equal NFE", "at the paper's NFE"]
OF_SAMPLING += ["paper NFE from"]
SHOWN = [
    *["model", "sampler", "guidance", "NFE", "paper NFE", "ms (quartiles)", "minutes"],
    *["paper minutes", "time ratio", "paper's ratio", "at equal NFE", "at the paper's NFE"],
    *["batch size", "repetitions", "precision", "device", "peak memory MB"],
    *["paper NFE from", "paper's cell"],
]


def times(
    contents: Contents, *, work: Literal["all", "training", "sampling"] = "all"
) -> pd.DataFrame:
    """One row per timing record, in their order.

    ms is per update, or per image and network evaluation: median and quartiles of the timed blocks
    or batches. Minutes are for 90 epochs or 10 000 images. A ratio is to the first record of the
    same kind: of all trained models, or of the samplers of one model. `at equal NFE` leaves the
    numbers of evaluations out; `at the paper's NFE` has the paper's instead of this study's.
    """
    records = [r for r in contents.times() if work in ("all", r["what"])]
    if not records:
        raise ValueError(f"times: no timing records of {work} to be shown")
    first = {}
    for record in records:
        first.setdefault(_baseline(record), record)
    frame = pd.DataFrame([_row(record, first[_baseline(record)], contents) for record in records])
    return frame.astype({name: "Int64" for name in ("steps N", "NFE", "paper NFE", "batch size")})


def sections(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table for training and one for sampling, the paper's values beside this study's."""
    view = frame.assign(**{"ms (quartiles)": frame.apply(_spread, axis=1)})
    tables = {work: rows[SHOWN] for work, rows in view.groupby("work", sort=False)}
    return {
        work: table.drop(columns=OF_SAMPLING if work.startswith("training") else [])
        for work, table in tables.items()
    }


def _spread(row: pd.Series) -> str:
    if np.isnan(row["ms"]):
        return ""
    return "{:.3g} ({:.3g} to {:.3g})".format(*(row[name] for name in QUARTILES))


def minutes(record: dict) -> float:
    """Minutes of 90 epochs of training or of 10 000 images; NaN where nothing was timed."""
    if record["what"] == "training":
        return _median(record["ms_per_update"]) * record["updates_per_epoch"] * EPOCHS / 60_000
    return _median(record["seconds_per_image"]) * IMAGES / 60


def facts(identity: dict) -> dict[str, str]:
    """A model in the names of the paper's tables of times."""
    process, schedule = identity["process"], identity["schedule"] or {}
    names = {"discrete": "ddpm", "annealed": "ncsn"}
    config = f"linear {schedule['scale']:g}" if "scale" in schedule else schedule.get("kind", "")
    return {
        "process": names.get(process["kind"], process.get("preconditioning")),
        "config": config,
        "conditional": "yes" if identity["conditional"] else "no",
    }


def _baseline(record: dict) -> tuple:
    return (record["what"], record["model"] if record["what"] == "sampling" else None)


def _row(record: dict, first: dict, contents: Contents) -> dict:
    training = record["what"] == "training"
    unit = record["ms_per_update" if training else "ms_per_nfe"]
    printed, printed_first = (_printed(entry, contents) for entry in (record, first))
    low, high = np.quantile(unit, [0.25, 0.75]) if unit else (np.nan, np.nan)
    return {
        "work": f"training, {EPOCHS} epochs" if training else f"sampling, {IMAGES} images",
        "model": contents.label("models", record["model"]),
        "sampler": "" if training else contents.label("samplers", record["sampler"]),
        "guidance": "" if training else contents.label("guidances", record["guidance"]),
        "steps N": record.get("num_steps"),
        "NFE": record.get("nfe"),
        "batch size": record["batch_size"],
        "ms": _median(unit),
        "ms, lower quartile": low,
        "ms, upper quartile": high,
        "repetitions": len(unit),
        "minutes": minutes(record),
        "paper minutes": _number(printed, "minutes"),
        "paper NFE": _number(printed, "nfe"),
        "paper NFE from": printed.get("basis", ""),
        **_ratios(record, first, printed, printed_first),
        "precision": record["precision"],
        "device": record["device"],
        "peak memory MB": record["peak_memory_mb"],
        "paper's cell": ": ".join(printed[key] for key in ("sure", "note") if printed.get(key)),
    }


def _ratios(record: dict, first: dict, printed: dict, printed_first: dict) -> dict[str, float]:
    """Time over that of the first record; equal evaluations make no difference for training."""
    ratio = minutes(record) / minutes(first)
    paper_ratio = _number(printed, "minutes") / _number(printed_first, "minutes")
    if record["what"] == "training":
        return _named(ratio, np.nan, np.nan, paper_ratio)
    per_evaluation = _median(record["ms_per_nfe"]) / _median(first["ms_per_nfe"])
    evaluations = _number(printed, "nfe") / _number(printed_first, "nfe")
    return _named(ratio, per_evaluation, per_evaluation * evaluations, paper_ratio)


def _named(ratio: float, equal: float, at_paper: float, paper_ratio: float) -> dict[str, float]:
    return {
        "time ratio": ratio,
        "at equal NFE": equal,
        "at the paper's NFE": at_paper,
        "paper's ratio": paper_ratio,
    }


def _printed(record: dict, contents: Contents) -> dict[str, str]:
    return paper.time_of(record, facts(contents.models[record["model"]])) or {}


def _number(row: dict[str, str], key: str) -> float:
    return float(row[key]) if row.get(key) else np.nan


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else np.nan
