"""Hours, disk and memory of every target of a study: in all, and of what is left."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from uncanny.estimate import costs, limits, loads, order, records
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job, Jobs, target_rules
from uncanny.estimate.schedule import ends, wall_seconds
from uncanny.study.study import Study

STARTING = "starting of jobs"
BASES = ("measured", "scaled", "default")
START = {"here": 0.25, "cluster": 20.0}  # seconds before a job works: shared imports, or its own


@dataclass(frozen=True)
class Site:
    """Where a study runs.

    device: of jobs that request a GPU. at_once: number of parallel jobs. start: seconds before a
    job works. one_machine: whether a job that takes all cores keeps all others waiting. devices:
    number of parallel GPUs, None for one per job.
    """

    device: costs.Device
    at_once: int
    start: float
    one_machine: bool
    devices: int | None = None


def device_of(study: Study, results: Path, jobs: Iterable[Job]) -> costs.Device:
    """Where jobs that ask for a GPU run: a processor if the study says so or its jobs have run on
    one, else a GPU, wherever this is asked.
    """
    device = limits.device_of(study)
    if device.accelerates and study.config["estimate"].get("device", "auto") == "auto":
        ran_on = records.ran_on(Facts(study, results, device), list(jobs))
        device = costs.PROCESSOR if ran_on == "processor" else device
    return device


class Estimate:
    """Cost of a study at a site. results: folder of its results, and of earlier records. jobs:
    those that its targets depend on, from `workflow.dag`.

    costs: one row per job, by its name: kind of work, seconds by their basis and of its start,
    bytes on disk, memory in MB.
    """

    def __init__(self, study: Study, results: Path, site: Site, jobs: Iterable[Job]):
        self.site, self.facts = site, Facts(study, results, site.device)
        self.jobs = Jobs(jobs, target_rules(study))
        self.every = self.jobs.behind(p for paths in self.jobs.targets.values() for p in paths)
        self.rates, self.memory = records.learn(self.facts, self.every)
        self.needs = {job.name: self.jobs.needed(job) for job in self.every}
        self.costs = pd.DataFrame(map(self._cost, self.every), [job.name for job in self.every])

    def of_targets(self) -> list[dict]:
        """One row per target: its sums, those of what is `left`, and their basis.

        ready_hours: when a figure is there in a run of `all_figures`.
        """
        rows, ready = [], self.ready()
        for target in self.jobs.targets:
            whole, left = (self._sums(costs, wall=True) for costs in self._whole_and_left(target))
            when = {"ready_hours": ready.get(target, math.nan)}
            rows.append({"target": target} | whole | when | _left(left))
        return rows

    def of_work(self) -> list[dict]:
        """One row per kind of work of target all; the start of jobs is a separate kind."""
        whole, left = (costs.assign(start=0.0) for costs in self._whole_and_left("all"))
        known = dict.fromkeys(entry.kind for entry in loads.ENTRIES.values())
        kinds = set(whole["kind"])
        rows = []
        for kind in [*filter(kinds.__contains__, known), *sorted(kinds - known.keys())]:
            sums, sums_left = (self._sums(c[c["kind"] == kind]) for c in (whole, left))
            rows.append({"work": kind} | sums | _left(sums_left))
        starts = dict.fromkeys([*BASES, "disk", "memory"], 0.0) | {"default": self.site.start}
        sums, sums_left = (self._sums(costs.assign(**starts)) for costs in (whole, left))
        return [*rows, {"work": STARTING} | sums | _left(sums_left)]

    def ready(self) -> dict[str, float]:
        """figure → hours until it is there, if nothing is done yet and all figures are made."""
        jobs = Jobs(self.jobs.behind(self.jobs.targets["all_figures"]))
        ordered, files = order.in_order(jobs, order.wanted(self.facts.study))
        names = [job.name for job in ordered]
        seconds = self.costs[[*BASES, "start"]].sum(axis=1).to_dict()
        done = ends(names, self.needs, seconds, self.site.at_once)
        makers = {path: job.name for job in ordered for path in job.outputs}
        return {Path(file).stem: done[makers[file]] / 3600 for file in files}

    def without_entry(self) -> dict[str, int]:
        """rule -> number of jobs, of rules without a stated cost."""
        rules = [job.rule for job in self.every if job.rule not in loads.ENTRIES]
        return {rule: rules.count(rule) for rule in dict.fromkeys(rules)}

    @cache
    def exists(self, path: str) -> bool:
        """Whether a file is there; files that a changed config would make again count as there."""
        return (self.facts.results / path).exists()

    def _cost(self, job: Job) -> dict:
        load, works = loads.of_job(self.facts, job)
        stated = sum(work.stated for work in works)
        seconds = dict.fromkeys(BASES, 0.0)
        for work in works:
            ratio, basis, _ = self.rates.of(work.key)
            seconds[basis] += ratio * work.stated
        base = (self.site.device if job.on_device else costs.PROCESSOR).base
        memory = self.memory.get(job.rule) or base + load.memory / 1e6
        about = {"kind": loads.kind(job), "on_device": job.on_device, "alone": job.alone}
        about |= {"rule": job.rule, "stated": stated, "card": load.card, "gpus": load.gpus}
        return about | seconds | {"start": self.site.start, "disk": load.disk, "memory": memory}

    def of_limits(self) -> list[dict]:
        """One row per rule of jobs that ask for a GPU: their longest job, the time limits that they
        ask for first, how many of them should take longer than that, their largest memory on a GPU.
        """
        rows = []
        for rule, jobs in self.costs[self.costs["on_device"]].groupby("rule", sort=False):
            asked = jobs["stated"].map(limits.minutes) / 60
            hours = jobs[[*BASES, "start"]].sum(axis=1) / 3600
            row = {"rule": rule, "jobs": len(jobs), "longest_hours": hours.max()}
            row |= {"limit_hours": asked.max(), "exceed": int((hours > asked).sum())}
            rows.append(row | {"card_gb": jobs["card"].max() / 1e9})
        return rows

    def shard_images(self) -> int | None:
        """Largest `shard_images` with which no draw takes longer than limits.LONGEST; None without
        draws on a GPU.
        """
        facts, most = self.facts, 0.0
        for job in self.every:
            if job.rule in ("draw_samples", "draw_part") and facts.device.accelerates:
                _, works = loads.of_job(facts, job)
                model = job.wildcards["model"]
                count = int(job.wildcards.get("number") or facts.images_of_cell(model))
                most = max(most, sum(work.stated for work in works) / count)
        count = facts.study.config["num_images"]
        return limits.shard_images(most * count, count) if most else None

    def _whole_and_left(self, target: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        paths = self.jobs.targets[target]
        whole, left = self.jobs.behind(paths), self.jobs.behind(paths, self.exists)
        return tuple(self.costs.loc[[job.name for job in jobs]] for jobs in (whole, left))

    def _sums(self, jobs: pd.DataFrame, wall: bool = False) -> dict[str, float | str]:
        seconds = jobs[[*BASES, "start"]].sum(axis=1)
        busy = seconds * jobs["gpus"].where(jobs["on_device"], 1) / 3600
        hours = {side: sum(busy[jobs["on_device"] == side]) for side in (True, False)}
        return {
            "jobs": len(jobs),
            "device_hours": hours[True],
            "cpu_hours": hours[False],
            **({"wall_hours": self._wall(jobs, seconds, hours[True])} if wall else {}),
            "disk_gb": jobs["disk"].sum() / 1e9,
            "memory_gb": jobs["memory"].max() / 1e3 if len(jobs) else 0.0,
            "basis": shares(jobs[list(BASES)].sum().to_dict()),
        }

    def _wall(self, jobs: pd.DataFrame, seconds: pd.Series, device_hours: float) -> float:
        """Hours until all jobs are done."""
        site = self.site
        alone = set(jobs.index[jobs["alone"] & site.one_machine & (site.at_once > 1)])
        wall = wall_seconds(list(jobs.index), self.needs, seconds.to_dict(), site.at_once, alone)
        return max(wall / 3600, device_hours / (site.devices or site.at_once))


def _left(sums: dict) -> dict:
    return {f"{name}_left": sums[name] for name in sums if name not in ("basis", "memory_gb")}


def shares(seconds: Mapping[str, float]) -> str:
    """Basis of an amount: one word, or shares in percent."""
    total = sum(seconds.values())
    percent = {basis: 100 * value / total for basis, value in seconds.items() if total}
    large = {basis: share for basis, share in percent.items() if share >= 0.5}
    if len(large) == 1:
        return next(iter(large))
    return ", ".join(f"{basis} {share:.0f} %" for basis, share in large.items())
