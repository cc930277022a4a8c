"""An estimate as tables: to read in the terminal and in Markdown, and to compute with."""

import textwrap
from pathlib import Path

import pandas as pd

from uncanny.estimate.totals import WORK, Estimate
from uncanny.runtime import files, table_files

LEFT = (("", ""), ("_left", " left"))
SHORT = 20  # hours in all, up to which times are shown in minutes
NOTES = {
    "accelerator": (
        "GPU: time on an accelerator; CPU: time of the jobs without one.",
        "an NVIDIA A100 in float32",
    ),
    "processor": (
        "Core: time on one processor core of the jobs that would use a GPU; CPU: of all others.",
        "one core of a server",
    ),
}
UNITS = {
    "train_model": "update of {} images",
    "draw_samples": "evaluation of an image{}",
    "draw_part": "evaluation of an image{}",
    "score_samples": "score of a cell",
}
DEVICE = {"accelerator": "GPU", "processor": "core"}


def write(estimate: Estimate, stem: Path) -> str:
    """Write stem.csv and stem.md; the text for the terminal.

    The CSV has targets and kinds of work below each other, hours as `device_hours` (of jobs that
    ask for an accelerator, on it or on a core of a processor) and `cpu_hours` (of all others).
    """
    targets, work = pd.DataFrame(estimate.of_targets()), pd.DataFrame(estimate.of_work())
    facts = {"study": estimate.facts.study.name, "device": estimate.place.device.name}
    facts |= {"at_once": estimate.place.at_once}
    both = pd.concat([targets, work]).assign(**facts)
    columns = ["target", "work", *facts]
    both = both[columns + [name for name in both if name not in columns]]
    files.write_text(stem.with_suffix(".csv"), both.to_csv(index=False, lineterminator="\n"))
    tables = {heading(estimate): targets, "By kind of work, of all": work}
    tables |= {"What the hours rest on": rates(estimate)}
    hours = targets["device_hours"].max()
    shown = {title: readable(frame, estimate, hours) for title, frame in tables.items()}
    notes = said(estimate)
    parts = [
        table_files.markdown(frame, title=title, caption="" if number else notes)
        for number, (title, frame) in enumerate(shown.items())
    ]
    files.write_text(stem.with_suffix(".md"), "\n".join(parts))
    texts = [f"{title}\n\n{_aligned(frame)}\n" for title, frame in shown.items()]
    return "\n".join([*texts, textwrap.fill(notes, 100)])


def heading(estimate: Estimate) -> str:
    place = estimate.place
    where = {"accelerator": "on accelerators", "processor": "on processor cores"}
    number = f"{place.at_once} jobs at a time"
    return f"Study {estimate.facts.study.name} {where[place.device.name]}, {number}"


def said(estimate: Estimate) -> str:
    """What the reader of the numbers must know."""
    hours, stated = NOTES[estimate.place.device.name]
    return " ".join(
        [
            hours,
            "What targets share is in each of them, and once in all_figures and all.",
            "Left: jobs whose file is not there; `snakemake -n` says what a changed config makes",
            "again. Measured: from records of this study. Scaled: stated costs times what was",
            f"measured of other work. Default: stated for {stated}.",
        ]
    )


def rates(estimate: Estimate) -> pd.DataFrame:
    """Cost of an update and of an evaluation of every network, and of scoring a cell."""
    amounts, found = estimate.amounts, {}
    for job in estimate.work.jobs(p for paths in estimate.targets.values() for p in paths):
        if job.rule in UNITS:
            part = amounts.parts(job)[0]
            found.setdefault(part.key[:3], (job, part))
    rows = []
    for key, (job, part) in found.items():
        ratio, basis = estimate.rates.of(key)
        counted = {"basis": basis, "records": estimate.rates.count(key)}
        rows.append(_unit(job, amounts, key) | {"ms": 1000 * ratio * part.each} | counted)
    return pd.DataFrame(rows)


def _unit(job, amounts, key: tuple) -> dict:
    """What is counted, in words."""
    dataset = amounts.study.names(job.parts[0])["dataset"]
    network = amounts.study.names(job.parts[0]).get("network", "")
    unit = UNITS[job.rule]
    if job.rule == "train_model":
        unit = unit.format(key[2])
    elif job.rule == "score_samples":
        network = amounts.study.evaluation(dataset)["extractor"]
    else:
        unit = unit.format(f", {len(key[2])} gradients" if key[2] else "")
    return {"work": WORK[job.rule], "dataset": dataset, "network": network, "unit": unit}


def readable(frame: pd.DataFrame, estimate: Estimate, hours: float) -> pd.DataFrame:
    """The table with few digits and headings in words; minutes where there are few hours in all.

    What is left is shown where it is not everything.
    """
    unit, scale = ("min", 60) if hours <= SHORT else ("h", 1)
    device = DEVICE[estimate.place.device.name]
    times = {"device_hours": device, "cpu_hours": "CPU", "wall_hours": "wall"}
    names = {
        f"{key}{end}": f"{text}{said} {unit}" for key, text in times.items() for end, said in LEFT
    }
    names |= {"disk_gb": "disk GB", "memory_gb": "memory GB", "jobs_left": "jobs left"}
    untouched = "jobs_left" in frame and (frame["jobs_left"] == frame["jobs"]).all()
    dropped = {"disk_gb_left"} | {name for name in frame if untouched and name.endswith("_left")}
    shown = frame.drop(columns=[name for name in frame if name in dropped])
    for name in shown.select_dtypes("float"):
        factor = scale if "_hours" in name else 1
        shown[name] = [float(f"{factor * value:.3g}") for value in shown[name]]
    return shown.rename(columns=names)


def _aligned(frame: pd.DataFrame) -> str:
    texts = frame.astype(object).map(table_files.shown)
    numeric = {name for name in frame if pd.api.types.is_numeric_dtype(frame[name])}
    widths = {name: max(len(name), *texts[name].map(len)) for name in frame}
    rows = [dict(zip(frame, frame, strict=True)), *texts.to_dict("records")]
    return "\n".join(
        "  ".join(
            row[name].rjust(widths[name]) if name in numeric else row[name].ljust(widths[name])
            for name in frame
        ).rstrip()
        for row in rows
    )
