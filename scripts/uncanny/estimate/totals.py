"""Hours, disk and memory of every target of a study, the whole of it and what is left."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uncanny.estimate import costs, records, storage
from uncanny.estimate.amounts import Amounts
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job
from uncanny.estimate.listing import Listing
from uncanny.estimate.schedule import wall_seconds
from uncanny.study.study import Study

DRAWING = "figures, tables, claims"
STARTING = "starting of jobs"
WORK = {
    "prepare_dataset": "data",
    "train_model": "training",
    "import_model": "data",
    "import_samples": "data",
    "import_many_samples": "data",
    "draw_samples": "sampling",
    "draw_part": "sampling",
    "gather_samples": "sampling",
    "gather_many_samples": "sampling",
    "trace_process": "sampling",
    "extract_reference": "scoring",
    "score_references": "scoring",
    "score_samples": "scoring",
    "score_sizes": "scoring",
    "measure_losses": "scoring",
    "compare_samplers": "sampling",
    "train_extractor": "extractors and classifiers",
    "train_classifier": "extractors and classifiers",
    "time_sampling": "timing",
    "time_training": "timing",
}
BASES = ("measured", "scaled", "default")

START = {"here": 0.25, "cluster": 20.0}  # seconds before a job works: imports shared, or its own


@dataclass(frozen=True)
class Place:
    """Where a study runs.

    device: of jobs that ask for an accelerator. at_once: jobs side by side; devices: accelerators
    side by side, None for as many. start: seconds before a job works. one_machine: timing jobs keep
    all others waiting.
    """

    device: costs.Device
    at_once: int
    start: float
    one_machine: bool
    devices: int | None = None


@dataclass(frozen=True)
class Cost:
    """seconds: of a job's work, by what they rest on; disk: bytes that stay; memory: MB."""

    seconds: dict[str, float]
    disk: float
    memory: float

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class Estimate:
    """What a study costs at a place. results: folder of its results, and of earlier records."""

    def __init__(self, study: Study, results: Path, place: Place):
        self.place, self.results = place, Listing(results)
        self.facts = Facts(study, results)
        self.amounts = Amounts(self.facts, place.device)
        self.work = self.facts.work
        self.targets = self.work.targets()
        every = self.work.jobs(path for paths in self.targets.values() for path in paths)
        self.needs = {job.name: self._before(job) for job in every}
        self.rates, self.memory = records.learnt(self.amounts, every, self.results)

    def of_targets(self) -> list[dict]:
        """One row per target: its sums, those of what is `left`, and what they rest on."""
        return [
            {"target": target}
            | self._sums(self.work.jobs(paths), self._wall)
            | _left(self._sums(self.work.jobs(paths, self.done), self._wall))
            for target, paths in self.targets.items()
        ]

    def of_work(self, target: str = "all") -> list[dict]:
        """One row per kind of work of a target; the start of its jobs is a kind of its own."""
        jobs = self.work.jobs(self.targets[target])
        left = {job.name for job in self.work.jobs(self.targets[target], self.done)}
        kinds: dict[str, list[Job]] = {kind: [] for kind in (*WORK.values(), DRAWING)}
        for job in jobs:
            kinds[WORK.get(job.rule, DRAWING)].append(job)
        rows = [
            {"work": kind}
            | self._sums(found, start=0.0)
            | _left(self._sums((job for job in found if job.name in left), start=0.0))
            for kind, found in kinds.items()
            if found
        ]
        return [*rows, {"work": STARTING} | self._starts(jobs, left)]

    def done(self, path: str) -> bool:
        """Whether a file is there. What a changed config makes again is for a dry run to say."""
        return self.results.has(path)

    @cache
    def cost(self, job: Job) -> Cost:
        seconds = dict.fromkeys(BASES, 0.0)
        for part in self.amounts.parts(job):
            ratio, basis = self.rates.of(part.key)
            seconds[basis] += ratio * part.amount * part.each
        memory = self.memory.get(job.rule) or storage.memory(job, self.facts, self.place.device)
        return Cost(seconds, storage.disk(job, self.facts), memory)

    def _sums(self, jobs: Iterable[Job], wall=None, start: float | None = None) -> dict:
        start = self.place.start if start is None else start
        jobs = list(jobs)
        costs = [self.cost(job) for job in jobs]
        hours = {True: 0.0, False: 0.0}
        bases = dict.fromkeys(BASES, 0.0)
        for job, cost in zip(jobs, costs, strict=True):
            hours[job.on_device] += (cost.total + start) / 3600
            bases = {basis: bases[basis] + cost.seconds[basis] for basis in BASES}
        return {
            "jobs": len(jobs),
            "device_hours": hours[True],
            "cpu_hours": hours[False],
            **({"wall_hours": wall(jobs, hours[True])} if wall else {}),
            "disk_gb": sum(cost.disk for cost in costs) / 1e9,
            "memory_gb": max((cost.memory for cost in costs), default=0.0) / 1e3,
            "basis": said(bases),
        }

    def _starts(self, jobs: list[Job], left: set[str]) -> dict:
        def hours(found: list[Job]) -> dict:
            count = {side: sum(job.on_device is side for job in found) for side in (True, False)}
            each = self.place.start / 3600
            sums = {"device_hours": count[True] * each, "cpu_hours": count[False] * each}
            return {"jobs": len(found)} | sums | {"disk_gb": 0.0, "memory_gb": 0.0}

        rest = hours([job for job in jobs if job.name in left])
        return hours(jobs) | {"basis": "default"} | _left(rest)

    def _wall(self, jobs: list[Job], device_hours: float) -> float:
        """Hours until all jobs are done."""
        place, by_name = self.place, {job.name: job for job in jobs}
        waits = place.one_machine and place.at_once > 1
        hours = wall_seconds(
            list(by_name),
            self.needs,
            lambda name: self.cost(by_name[name]).total + place.start,
            place.at_once,
            lambda name: waits and name.startswith("time_"),
        )
        return max(hours / 3600, device_hours / (place.devices or place.at_once))

    def _before(self, job: Job) -> list[str]:
        return [self.work.job(path).name for path in job.needs]


def _left(sums: dict) -> dict:
    return {f"{name}_left": sums[name] for name in sums if name not in ("basis", "memory_gb")}


def said(seconds: dict[str, float]) -> str:
    """What an amount rests on: one word, or shares in percent."""
    total = sum(seconds.values())
    shares = {basis: 100 * value / total for basis, value in seconds.items() if total}
    large = {basis: share for basis, share in shares.items() if share >= 0.5}
    if len(large) == 1:
        return next(iter(large))
    return ", ".join(f"{basis} {share:.0f} %" for basis, share in large.items())
