"""Hours, disk and memory of every target of a study, the whole of it and what is left."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uncanny.estimate import costs, loads, records
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job, Jobs, target_rules
from uncanny.estimate.schedule import wall_seconds
from uncanny.study.study import Study

STARTING = "starting of jobs"
BASES = ("measured", "scaled", "default")
START = {"here": 0.25, "cluster": 20.0}  # seconds before a job works: imports shared, or its own


@dataclass(frozen=True)
class Site:
    """Where a study runs.

    device: of jobs that ask for a GPU. at_once: jobs side by side; devices: GPUs side by side, None
    for as many. start: seconds before a job works. one_machine: a job that takes all cores keeps
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
    disk: float = 0.0
    memory: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class Estimate:
    """What a study costs at a site. results: folder of its results, and of earlier records. jobs:
    those behind its targets, from `workflow.dag`.
    """

    def __init__(self, study: Study, results: Path, site: Site, jobs: Iterable[Job]):
        self.site, self.facts = site, Facts(study, results, site.device)
        self.jobs = Jobs(jobs, target_rules(study))
        self.every = self.jobs.behind(p for paths in self.jobs.targets.values() for p in paths)
        self.needs = {job.name: self.jobs.needed(job) for job in self.every}
        self.rates, self.memory = records.learn(self.facts, self.every)

    def of_targets(self) -> list[dict]:
        """One row per target: its sums, those of what is `left`, and what they rest on."""
        rows = []
        for target in self.jobs.targets:
            whole, left = (
                self._sums(jobs, self.cost, self.site.start, self._wall)
                for jobs in self._whole_and_left(target)
            )
            rows.append({"target": target} | whole | _left(left))
        return rows

    def of_work(self, target: str = "all") -> list[dict]:
        """One row per kind of work of a target; the start of its jobs is a kind of its own."""
        whole, left = self._whole_and_left(target)
        rows = []
        for kind in self._kinds(whole):
            sums, sums_left = (
                self._sums([job for job in jobs if loads.kind(job) == kind], self.cost, 0.0)
                for jobs in (whole, left)
            )
            rows.append({"work": kind} | sums | _left(sums_left))
        sums, sums_left = (self._sums(jobs, _no_cost, self.site.start) for jobs in (whole, left))
        return [*rows, {"work": STARTING} | sums | {"basis": "default"} | _left(sums_left)]

    def without_entry(self) -> dict[str, int]:
        """rule -> number of jobs, of rules whose cost nobody has stated."""
        rules = [job.rule for job in self.every if job.rule not in loads.ENTRIES]
        return {rule: rules.count(rule) for rule in dict.fromkeys(rules)}

    @cache
    def exists(self, path: str) -> bool:
        """Whether a file is there. What a changed config makes again is for a dry run to say."""
        return (self.facts.results / path).exists()

    @cache
    def cost(self, job: Job) -> Cost:
        seconds, load = dict.fromkeys(BASES, 0.0), loads.load(self.facts, job)
        for work in load.works:
            ratio, basis = self.rates.of(work.key)
            seconds[basis] += ratio * work.stated
        base = self.site.device.base if job.on_device else costs.PROCESSOR.base
        return Cost(seconds, load.disk, self.memory.get(job.rule) or base + load.memory / 1e6)

    def _whole_and_left(self, target: str) -> tuple[list[Job], list[Job]]:
        paths = self.jobs.targets[target]
        return self.jobs.behind(paths), self.jobs.behind(paths, self.exists)

    def _kinds(self, jobs: list[Job]) -> list[str]:
        """Kinds of work in the order of their entries; those without an entry come last."""
        kinds = {loads.kind(job) for job in jobs}
        known = dict.fromkeys(entry.kind for entry in loads.ENTRIES.values())
        return [kind for kind in known if kind in kinds] + sorted(kinds - known.keys())

    def _sums(
        self, jobs: list[Job], cost: Callable[[Job], Cost], start: float, wall=None
    ) -> dict[str, float | str]:
        hours, bases = {True: 0.0, False: 0.0}, dict.fromkeys(BASES, 0.0)
        for job in jobs:
            hours[job.on_device] += (cost(job).total + start) / 3600
            bases = {basis: bases[basis] + cost(job).seconds[basis] for basis in BASES}
        return {
            "jobs": len(jobs),
            "device_hours": hours[True],
            "cpu_hours": hours[False],
            **({"wall_hours": wall(jobs, hours[True])} if wall else {}),
            "disk_gb": sum(cost(job).disk for job in jobs) / 1e9,
            "memory_gb": max((cost(job).memory for job in jobs), default=0.0) / 1e3,
            "basis": shares(bases),
        }

    def _wall(self, jobs: list[Job], device_hours: float) -> float:
        """Hours until all jobs are done."""
        site, by_name = self.site, {job.name: job for job in jobs}
        waits = site.one_machine and site.at_once > 1
        seconds = wall_seconds(
            list(by_name),
            self.needs,
            lambda name: self.cost(by_name[name]).total + site.start,
            site.at_once,
            lambda name: waits and by_name[name].alone,
        )
        return max(seconds / 3600, device_hours / (site.devices or site.at_once))


def _no_cost(job: Job) -> Cost:
    return Cost(dict.fromkeys(BASES, 0.0))


def _left(sums: dict) -> dict:
    return {f"{name}_left": sums[name] for name in sums if name not in ("basis", "memory_gb")}


def shares(seconds: dict[str, float]) -> str:
    """What an amount rests on: one word, or shares in percent."""
    total = sum(seconds.values())
    percent = {basis: 100 * value / total for basis, value in seconds.items() if total}
    large = {basis: share for basis, share in percent.items() if share >= 0.5}
    if len(large) == 1:
        return next(iter(large))
    return ", ".join(f"{basis} {share:.0f} %" for basis, share in large.items())
