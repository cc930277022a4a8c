"""Time and memory that earlier jobs of the study took, from their records. No torch here."""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uncanny.estimate import loads
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job
from uncanny.estimate.work import Work
from uncanny.runtime.result_paths import Cell, is_of

ENOUGH = 100  # records that are read of one kind
FEW = 10  # records, of which the median is taken
# Work that shows the speed of the device.
ON_DEVICE = {"update", "evaluation", "classifier update"}


@dataclass
class Rates:
    """Measured cost of work in units of the stated cost, by key and by every prefix of it.

    A cost that has not been measured is the stated one times the ratio of the longest prefix of its
    key that has records: of the same network, else of the same kind of work, else of all.
    """

    ratios: dict[tuple, list[float]] = field(default_factory=dict)

    def learn(self, key: tuple, ratio: float) -> None:
        least = 0 if key[0] in ON_DEVICE else 1
        for length in range(least, len(key) + 1):
            self.ratios.setdefault(key[:length], []).append(ratio)

    def enough(self, key: tuple) -> bool:
        return len(self.ratios.get(key, ())) >= ENOUGH

    def of(self, key: tuple) -> tuple[float, str, int]:
        """(factor on the stated cost; "measured", "scaled" or "default"; number of records)."""
        least = 1 if key[0] == "rest" else 0
        for length in range(len(key), least - 1, -1):
            if ratios := self.ratios.get(key[:length]):
                basis = "measured" if length >= min(2, len(key)) else "scaled"
                return typical(ratios), basis, len(ratios)
        return 1.0, "default", 0


def typical(values: Sequence[float]) -> float:
    """The mean without the lowest and the highest tenth; of few values the median.

    A mean, because sums are estimated; cut, because a job may have been stopped for hours.
    """
    if len(values) < FEW:
        return statistics.median(values)
    cut = len(values) // 10
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


def learn(facts: Facts, jobs: Iterable[Job]) -> tuple[Rates, dict[str, float]]:
    """Rates from the records of jobs, and the largest memory of a job of each rule in MB.

    Records of jobs that ask for a GPU count only where they ran on a device of the same kind.
    """
    rates, memory, jobs = Rates(), {}, list(jobs)
    other_device = ran_on(facts, jobs) not in (None, facts.device.name)
    for job in jobs:
        _, works = loads.of_job(facts, job)
        if (job.on_device and other_device) or all(rates.enough(work.key) for work in works):
            continue
        benchmark = _json(facts.results / f"benchmarks/{job.name}.json")
        if works[0].amount and "peak_memory_mb" in benchmark:
            memory[job.rule] = max(benchmark["peak_memory_mb"], memory.get(job.rule, 0.0))
        for work, seconds in _shares(works, _timing(facts, job), benchmark.get("seconds")):
            if work.stated:  # a stated cost of zero has no ratio
                rates.learn(work.key, seconds / work.stated)
    return rates, memory


def _shares(works: list[Work], timing: dict, whole: float | None) -> Iterator[tuple[Work, float]]:
    """(work, seconds) of a job, as far as its records separate them. whole: seconds of the job."""
    own, *more = works
    if "unit_seconds" in timing:
        yield own, timing["unit_seconds"] * own.amount
        if whole is not None and more and "seconds" in timing:
            yield more[0], max(whole - timing["seconds"], 0.0)
    elif whole is not None and not any(work.key[0] in ON_DEVICE for work in more):
        rest = sum(work.stated for work in more)
        yield own, max(whole - rest, 0.1 * whole)


def ran_on(facts: Facts, jobs: list[Job]) -> str | None:
    """Kind of device that the study's jobs ran on, by the first record that says so."""
    devices = (_timing(facts, job).get("device") for job in jobs if job.on_device)
    device = next(filter(None, devices), None)
    return device and ("processor" if device == "cpu" else "accelerator")


def _timing(facts: Facts, job: Job) -> dict:
    """Times in the record of a job that trains or samples: seconds of its own work, device,
    unit_seconds.
    """
    work = loads.of_job(facts, job)[1][0].key[0]
    if work not in ON_DEVICE:
        return {}
    path = next((path for path in job.outputs if path.endswith(".json")), "")
    record = _json(facts.results / path)
    if not record and is_of("samples", job.outputs[0]):  # scores keep the times of deleted samples
        record = _json(facts.results / Cell.from_path(job.outputs[0]).path("scores"))
    timing = record.get("timing") or {}
    if work == "evaluation" and "ms_per_nfe" in timing:
        return timing | {"unit_seconds": timing["ms_per_nfe"] / 1000}
    count = timing.get("updates") or record.get("steps")
    if work != "evaluation" and count and timing.get("seconds"):
        return timing | {"unit_seconds": timing["seconds"] / count}
    return timing


def _json(path: Path) -> dict:
    """A record; empty if it is missing or damaged: an estimate can do without."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
