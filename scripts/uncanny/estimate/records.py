"""What earlier jobs of the study took, from the records that they left. No torch here."""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job
from uncanny.estimate.loads import Work, load

ENOUGH = 100  # records of one kind that are read
FEW = 10  # records, of which the median is taken
# Work that says how fast the device is.
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

    def of(self, key: tuple) -> tuple[float, str]:
        """(factor on the stated cost, "measured", "scaled" or "default")."""
        known = self._known(key)
        if known is None:
            return 1.0, "default"
        basis = "measured" if len(known) >= min(2, len(key)) else "scaled"
        return typical(self.ratios[known]), basis

    def count(self, key: tuple) -> int:
        """Number of records that a cost rests on."""
        known = self._known(key)
        return 0 if known is None else len(self.ratios[known])

    def _known(self, key: tuple) -> tuple | None:
        """The longest prefix of which there are records."""
        least = 1 if key[0] == "rest" else 0
        prefixes = (key[:length] for length in range(len(key), least - 1, -1))
        return next((prefix for prefix in prefixes if prefix in self.ratios), None)


def typical(values: Sequence[float]) -> float:
    """The mean without the lowest and the highest tenth; of few values the median.

    A mean, because sums are estimated; cut, because a job may have been stopped for hours.
    """
    if len(values) < FEW:
        return statistics.median(values)
    cut = len(values) // 10
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


@dataclass(frozen=True)
class Record:
    """each: seconds of one unit of a job's own work; own: of all of it; whole: of the job; memory:
    MB. None where the record does not say it.
    """

    each: float | None
    own: float | None
    whole: float | None
    memory: float | None


def learn(facts: Facts, jobs: Iterable[Job]) -> tuple[Rates, dict[str, float]]:
    """Rates from the records of jobs, and the largest memory of a job of each rule in MB.

    Records of jobs that ask for a GPU count only where they ran on a device of the same kind.
    """
    rates, memory, jobs = Rates(), {}, list(jobs)
    elsewhere = _device(facts, jobs) not in (None, facts.device.name)
    for job in jobs:
        works = load(facts, job).works
        if (job.on_device and elsewhere) or all(rates.enough(work.key) for work in works):
            continue
        record = read(facts, job)
        if record is None or not works[0].amount:
            continue
        if record.memory is not None:
            memory[job.rule] = max(record.memory, memory.get(job.rule, 0.0))
        for work, seconds in _shares(*works, record=record):
            if work.stated:  # what is stated to cost nothing has no ratio
                rates.learn(work.key, seconds / work.stated)
    return rates, memory


def _shares(own: Work, *others: Work, record: Record) -> Iterator[tuple[Work, float]]:
    """(work, seconds) of a job, as far as its record tells them apart."""
    if record.each is not None:
        yield own, record.each * own.amount
        if record.whole is not None and others and record.own is not None:
            yield others[0], max(record.whole - record.own, 0.0)
    elif record.whole is not None and not any(work.key[0] in ON_DEVICE for work in others):
        rest = sum(work.stated for work in others)
        yield own, max(record.whole - rest, 0.1 * record.whole)


def read(facts: Facts, job: Job) -> Record | None:
    """What a job took; None where it left no record."""
    each, own, _ = _timing(facts, job)
    benchmark = _json(facts.results / f"benchmarks/{job.name}.json")
    if each is None and benchmark is None:
        return None
    benchmark = benchmark or {}
    return Record(each, own, benchmark.get("seconds"), benchmark.get("peak_memory_mb"))


def _device(facts: Facts, jobs: list[Job]) -> str | None:
    """Kind of device that the study's jobs ran on, by the first record that says so."""
    devices = (_timing(facts, job)[2] for job in jobs if job.on_device)
    device = next(filter(None, devices), None)
    return device and ("processor" if device == "cpu" else "accelerator")


def _timing(facts: Facts, job: Job) -> tuple[float | None, float | None, str | None]:
    """(seconds of one unit of the own work, seconds of all of it, device), as a job that trains or
    samples has it in its record; None for what is not known.
    """
    work = load(facts, job).works[0].key[0]
    if work not in ON_DEVICE:
        return None, None, None
    record = next((path for path in job.outputs if path.endswith(".json")), "")
    content = _json(facts.results / record)
    if content is None and work == "evaluation":  # scores keep the times of samples that are gone
        content = _json(facts.results / f"scores/{job.subject}.json")
    content = content or {}
    timing = content.get("timing") or {}
    seconds, each = timing.get("seconds"), None
    if work == "evaluation" and "ms_per_nfe" in timing:
        each = timing["ms_per_nfe"] / 1000
    elif seconds and (count := timing.get("updates") or content.get("steps")):
        each = seconds / count
    return each, seconds if each is not None else None, timing.get("device")


def _json(path: Path) -> dict | None:
    """A record; None where there is none, or a damaged one: an estimate can do without."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
