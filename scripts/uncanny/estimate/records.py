"""What earlier jobs of the study took, from the records that they left. No torch here."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from uncanny.estimate.job import Job
from uncanny.estimate.listing import Listing

ENOUGH = 100  # records of one kind that are read
FEW = 10  # records, of which the median is taken


@dataclass
class Rates:
    """Measured cost of work in units of the stated cost, by key and by every prefix of it.

    A cost that has not been measured is the stated one times the ratio found for the longest
    prefix of its key: for the same network, else for the same kind of work, else for all.
    """

    ratios: dict[tuple, list[float]] = field(default_factory=dict)

    def learn(self, key: tuple, ratio: float) -> None:
        least = 0 if key[0] in WORK else 1
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
        lengths = range(len(key), least - 1, -1)
        return next((key[:n] for n in lengths if key[:n] in self.ratios), None)


def typical(values: Sequence[float]) -> float:
    """The mean without the lowest and the highest tenth; of few values the median.

    A mean, because sums are estimated; cut, because a job may have been stopped for hours.
    """
    if len(values) < FEW:
        return statistics.median(values)
    cut = len(values) // 10
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


WORK = {"update", "evaluation", "classifier update"}  # work that says how fast the device is


@dataclass(frozen=True)
class Record:
    """seconds: of one unit of a job's own work; None where only the whole job is known. whole:
    seconds of the job, None where unknown. own: seconds of its own work. memory: MB.
    """

    each: float | None
    own: float | None
    whole: float | None
    memory: float | None


def learnt(amounts, jobs: Iterable[Job], results: Listing) -> tuple[Rates, dict[str, float]]:
    """Rates from the records of `results`, and the largest memory of a job of each rule in MB.

    Records of jobs that ask for an accelerator count only where they ran on a device of the same
    kind.
    """
    rates, memory, jobs = Rates(), {}, list(jobs)
    elsewhere = _ran_on(jobs, results) not in (None, amounts.device.name)
    for job in jobs:
        first, *others = amounts.parts(job)
        if rates.enough(first.key) and all(rates.enough(part.key) for part in others):
            continue
        record = None if job.on_device and elsewhere else read(job, results)
        if record is None or not first.amount:
            continue
        if record.memory is not None:
            memory[job.rule] = max(record.memory, memory.get(job.rule, 0.0))
        for part, seconds in _shares(first, others, record):
            if stated := part.amount * part.each:  # what is said to cost nothing has no ratio
                rates.learn(part.key, seconds / stated)
    return rates, memory


def _shares(first, others: list, record: Record) -> Iterator[tuple]:
    """(part, seconds) of a job, as far as its record tells them apart."""
    if record.each is not None:
        yield first, record.each * first.amount
        if record.whole is not None and others and record.own is not None:
            yield others[0], max(record.whole - record.own, 0.0)
    elif record.whole is not None and not any(part.key[0] in WORK for part in others):
        rest = sum(part.amount * part.each for part in others)
        yield first, max(record.whole - rest, 0.1 * record.whole)


def _ran_on(jobs: list[Job], results: Listing) -> str | None:
    """Kind of device that the study's jobs ran on, by the first record that says so."""
    found = (_timing(job, results)[1] for job in jobs if job.on_device)
    device = next((device for device in found if device), None)
    return device and ("processor" if device == "cpu" else "accelerator")


def read(job: Job, results: Listing) -> Record | None:
    """What a job took; None where it left no record."""
    timed, _ = _timing(job, results)
    whole = results.json(f"benchmarks/{job.name}.json")
    if timed is None and whole is None:
        return None
    each, own = timed or (None, None)
    return Record(each, own, (whole or {}).get("seconds"), (whole or {}).get("peak_memory_mb"))


def _timing(job: Job, results: Listing) -> tuple[tuple[float, float | None] | None, str | None]:
    """((seconds of one unit, seconds of the own work), device) of what a job says about itself."""
    record = str(PurePath(job.output).with_suffix(".json"))
    if job.rule == "train_model":
        timing = (results.json(record) or {}).get("timing", {})
        return _quotient(timing.get("seconds"), timing.get("updates")), timing.get("device")
    if job.rule == "train_classifier":
        found = results.json(record) or {}
        timing = found.get("timing", {})
        return _quotient(timing.get("seconds"), found.get("steps")), timing.get("device")
    if job.rule in ("draw_samples", "draw_part", "gather_samples"):
        found = results.json(record) or results.json(f"scores/{job.subject}.json")
        timing = (found or {}).get("timing") or {}
        if job.rule == "gather_samples" or "ms_per_nfe" not in timing:
            return None, timing.get("device")
        return (timing["ms_per_nfe"] / 1000, timing["seconds"]), timing.get("device")
    return None, None


def _quotient(seconds: float | None, count: int | None) -> tuple[float, float] | None:
    return (seconds / count, seconds) if seconds and count else None
