"""An estimate as tables: to read in the terminal and in Markdown, and to compute with."""

import textwrap
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from uncanny.estimate import limits, loads
from uncanny.estimate.totals import Estimate
from uncanny.runtime import files, table_files

LEFT = (("", ""), ("_left", " left"))
SHORT = 20  # hours in all, up to which times are shown in minutes
DEVICE = {"accelerator": "GPU", "processor": "core"}
HOURS = {
    "accelerator": "GPU: time on one of these; CPU: time on a core of the jobs without one.",
    "processor": "Core: time on one processor core of the jobs that would use a GPU; "
    "CPU: of all others.",
}


def write(estimate: Estimate, stem: Path) -> str:
    """Write stem.csv and stem.md; the text for the terminal.

    The CSV has targets and kinds of work below each other, hours as `device_hours` (of jobs that
    ask for an accelerator, on it or on a core of a processor) and `cpu_hours` (of all others).
    """
    targets, work = pd.DataFrame(estimate.of_targets()), pd.DataFrame(estimate.of_work())
    facts = {"study": estimate.facts.study.name, "device": estimate.site.device.name}
    facts |= {"at_once": estimate.site.at_once}
    both = pd.concat([targets, work]).assign(**facts)
    columns = ["target", "work", *facts]
    both = both[columns + [name for name in both if name not in columns]]
    files.write_text(stem.with_suffix(".csv"), both.to_csv(index=False, lineterminator="\n"))
    tables = {heading(estimate): targets, "By kind of work, of all": work}
    if estimate.site.device.accelerates:
        tables |= {
            "Time limits that jobs with a GPU ask for first": pd.DataFrame(estimate.of_limits())
        }
    tables |= {"What the hours rest on": rates(estimate)}
    hours = targets["device_hours"].max()
    shown = {title: readable(frame, estimate, hours) for title, frame in tables.items()}
    notes = notes_of(estimate)
    sections = [
        table_files.markdown(frame, title=title, caption="" if number else notes)
        for number, (title, frame) in enumerate(shown.items())
    ]
    files.write_text(stem.with_suffix(".md"), "\n".join(sections))
    texts = [f"{title}\n\n{_aligned(frame)}\n" for title, frame in shown.items()]
    return "\n".join([*texts, textwrap.fill(notes, 100)])


def heading(estimate: Estimate) -> str:
    site = estimate.site
    number = "" if site.devices is None else f"{site.devices} "
    devices = f"{number}NVIDIA {site.device.card}" if site.device.accelerates else "processor cores"
    return f"Study {estimate.facts.study.name} on {devices}, {site.at_once} jobs at a time"


def notes_of(estimate: Estimate) -> str:
    """Notes for the reader of the numbers."""
    device = estimate.site.device.name
    notes = [
        HOURS[device],
        "What targets share is in each of them, and once in all_figures and all.",
        "Ready: when a figure is there in a run of all_figures.",
        "Left: jobs whose file is not there; `snakemake -n` says what a changed config makes",
        "again. Measured: from records of this study. Scaled: stated costs times what was",
        f"measured of other work. Default: {stated(estimate)}.",
    ]
    if shard := estimate.shard_images():
        hours = f"{limits.LONGEST:g} hours"
        notes.append(f"With shard_images: {shard} or fewer, no draw takes longer than {hours}.")
    if rules := estimate.without_entry():
        numbers = {rule: f"{n} job{'s' * (n != 1)}" for rule, n in rules.items()}
        names = ", ".join(f"{rule} ({number})" for rule, number in numbers.items())
        notes.append(f"No cost is stated for {names}: until one has run, only starts are counted.")
    return " ".join(notes)


def stated(estimate: Estimate) -> str:
    """Where rates without records come from."""
    device, precisions = estimate.site.device, sorted(estimate.facts.study.precisions())
    if not device.accelerates:
        return "stated for one core of a server"
    text = f"stated for an NVIDIA {device.card} in {' and '.join(precisions)}"
    if set(precisions) & {"tf32", "bf16"}:
        text += ", by measurements on an H200 and the ratio of the peaks of both cards"
    return text


def rates(estimate: Estimate) -> pd.DataFrame:
    """Cost of an update and of an evaluation of every network, and of scoring a cell."""
    rows = {}  # of the first job of each kind, dataset, network and number of gradients
    for job in estimate.every:
        load, (work, *_) = loads.of_job(estimate.facts, job)
        key = work.key[:3]
        if load.unit and key not in rows:
            ratio, basis, count = estimate.rates.of(key)
            rows[key] = loads.kind(job), *load.unit, 1000 * ratio * work.unit_seconds, basis, count
    columns = ["work", "dataset", "network", "unit", "ms", "basis", "records"]
    return pd.DataFrame(list(rows.values()), columns=columns)


def readable(frame: pd.DataFrame, estimate: Estimate, hours: float) -> pd.DataFrame:
    """The table with few digits and headings in words; minutes where there are few hours in all.

    Columns of what is left are shown if some of it is done.
    """
    unit, scale = ("min", 60) if hours <= SHORT else ("h", 1)
    device = DEVICE[estimate.site.device.name]
    times = {"device_hours": device, "cpu_hours": "CPU", "wall_hours": "wall"}
    times |= {"ready_hours": "ready"}
    names = {
        f"{key}{end}": f"{text}{words} {unit}" for key, text in times.items() for end, words in LEFT
    }
    names |= {"disk_gb": "disk GB", "memory_gb": "memory GB", "jobs_left": "jobs left"}
    names |= {"longest_hours": f"longest {unit}", "limit_hours": f"limit {unit}"}
    names |= {"exceed": "jobs beyond it", "card_gb": "GPU memory GB"}
    untouched = "jobs_left" in frame and (frame["jobs_left"] == frame["jobs"]).all()
    dropped = {"disk_gb_left"} | {name for name in frame if untouched and name.endswith("_left")}
    shown = frame.drop(columns=[name for name in frame if name in dropped])
    for name in shown.select_dtypes("float"):
        factor = scale if "_hours" in name else 1
        shown[name] = [float(f"{factor * value:.3g}") for value in shown[name]]
    return shown.rename(columns=names)


def _aligned(frame: pd.DataFrame) -> str:
    """Columns in line: numbers to the right, text to the left."""
    sides = ["right" if pd.api.types.is_numeric_dtype(frame[name]) else "left" for name in frame]
    rows = [list(frame), *frame.astype(object).map(table_files.shown).to_numpy().tolist()]
    return tabulate(rows, tablefmt="plain", colalign=sides, disable_numparse=True)
