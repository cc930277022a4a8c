"""An estimate as tables: to read in the terminal and in Markdown, and to compute with."""

from pathlib import Path

import pandas as pd

from uncanny import files, table_files
from uncanny.estimate.totals import WORK, Estimate

HEADINGS = {
    "cpu_hours": "CPU h of the rest",
    "wall_hours": "wall h",
    "disk_gb": "disk GB",
    "memory_gb": "memory GB",
    "jobs_left": "jobs left",
    "cpu_hours_left": "CPU h left",
    "wall_hours_left": "wall h left",
    "disk_gb_left": "disk GB left",
}
NOTES = {
    "accelerator": ("GPU h: hours on an accelerator.", "an NVIDIA A100 in float32"),
    "processor": (
        "Core h of GPU jobs: hours on one processor core of the jobs that would use a GPU.",
        "one core of a server",
    ),
}
DEVICE_HOURS = {"accelerator": "GPU h", "processor": "core h of GPU jobs"}


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
    shown = {title: readable(frame, estimate) for title, frame in tables.items()}
    notes = said(estimate)
    parts = [
        table_files.markdown(frame, title=title, caption="" if number else notes)
        for number, (title, frame) in enumerate(shown.items())
    ]
    files.write_text(stem.with_suffix(".md"), "\n".join(parts))
    texts = [f"{title}\n\n{_aligned(frame)}\n" for title, frame in shown.items()]
    return "\n".join([*texts, notes])


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
    """Cost of an update and of an evaluation of every model, and of scoring a cell."""
    amounts, rows = estimate.amounts, {}
    for job in estimate.work.jobs(p for paths in estimate.targets.values() for p in paths):
        if job.rule not in ("train_model", "draw_samples", "draw_part", "score_samples"):
            continue
        part = amounts.parts(job)[0]
        if part.key not in rows:
            ratio, basis = estimate.rates.of(part.key)
            rows[part.key] = _rate(job, amounts, part, ratio) | {
                "basis": basis,
                "records": len(estimate.rates.ratios.get(part.key, ())),
            }
    return pd.DataFrame(list(rows.values()))


def _rate(job, amounts, part, ratio: float) -> dict:
    model = job.parts[0]
    dataset = amounts.study.names(model)["dataset"]
    row = {"dataset": dataset, "network": amounts.study.names(model)["network"]}
    if job.rule == "train_model":
        unit = f"update of {part.key[2]} images"
    elif job.rule == "score_samples":
        row["network"] = amounts.study.evaluation(dataset)["extractor"]
        unit = "score of a cell"
    else:
        guided = f", {len(part.key[2])} gradients" if part.key[2] else ""
        unit = f"evaluation of an image, {part.key[3]}{guided}"
    return {"work": WORK[job.rule]} | row | {"unit": unit, "ms": 1000 * ratio * part.each}


def readable(frame: pd.DataFrame, estimate: Estimate) -> pd.DataFrame:
    """The table with few digits and headings in words."""
    device = DEVICE_HOURS[estimate.place.device.name]
    names = HEADINGS | {"device_hours": device, "device_hours_left": f"{device} left"}
    shown = frame.drop(columns=[name for name in ("disk_gb_left",) if name in frame])
    for name in shown.select_dtypes("float"):
        shown[name] = [float(f"{value:.3g}") for value in shown[name]]
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
