"""Whether a cluster can take the jobs of a run: asked once, before anything is submitted.

Without it, a mistake in the site's file shows as a failure of each job, after all its attempts, or
as jobs that wait for ever.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from snakemake_executor_plugin_slurm.partitions import Partition, PartitionLimits

from uncanny.workflow.partition_file import read, slurm_minutes

PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct")
VARIABLE = "SNAKEMAKE_SLURM_PARTITIONS"  # where the executor looks if no option names a file


@dataclass(frozen=True)
class Partitions:
    """The partitions of a cluster. gpus: whether a node of each offers one. default: where jobs go
    that name none, or None. minutes: the longest time limit of a job in each, inf without one.
    """

    gpus: dict[str, bool]
    default: str | None
    minutes: dict[str, float] = field(default_factory=dict)

    def with_gpus(self) -> str:
        """Names, to be read."""
        return ", ".join(sorted(name for name, offers in self.gpus.items() if offers)) or "none"

    def expect(self, name: str, where: str) -> None:
        """Raise ValueError if there is no such partition."""
        if name not in self.gpus:
            known = ", ".join(sorted(self.gpus))
            raise ValueError(f"{where}: no partition {name!r} on this cluster; it has {known}")


class Site:
    """A cluster as jobs see it: what Slurm says of its partitions, and what the file says."""

    def __init__(self, there: Partitions | None, listed: Mapping[str, dict]):
        """there: None where Slurm does not answer. listed: what `read` gives."""
        self.there = there
        self.minutes = {name: limits.get("max_runtime", inf) for name, limits in listed.items()}
        without_time = {
            name: {key: value for key, value in limits.items() if key != "max_runtime"}
            for name, limits in listed.items()
        }
        self.listed = [
            Partition(name, PartitionLimits(**limits)) for name, limits in without_time.items()
        ]

    @classmethod
    def of(cls, partition_file: Path | str | None) -> "Site":
        """The cluster of this machine; ValueError where the file has a mistake."""
        path = partition_file or os.environ.get(VARIABLE)
        listed = read(path) if path else {}
        try:
            return cls(partitions(), listed)
        except ValueError:
            return cls(None, listed)

    def max_minutes(self, partition: str) -> float:
        """Minutes that a job may ask for in a partition."""
        in_slurm = self.there.minutes.get(partition, inf) if self.there else inf
        return min(self.minutes.get(partition, inf), in_slurm)

    def eligible(self, resources: Mapping, threads: int = 1) -> list[str]:
        """Partitions to which a job can go, its time aside: those that it names, those of the file
        whose limits it keeps, or the default partition.
        """
        if names := named(resources):
            return names
        if self.listed:
            asked = _Request({**resources, "runtime": 0}, threads)
            return [each.name for each in self.listed if each.score_job_fit(asked) is not None]
        return [self.there.default] if self.there and self.there.default else []

    def time_limit(self, resources: Mapping, threads: int = 1) -> float:
        """Minutes that a job may ask for where it can go at all."""
        return max(map(self.max_minutes, self.eligible(resources, threads)), default=inf)


@dataclass(frozen=True)
class _Request:
    """As much of a job as the executor looks at to choose a partition."""

    resources: dict
    threads: int


def check(jobs: Mapping[str, Mapping], partition_file: Path | str | None) -> list[str]:
    """Check that partitions exist, and that jobs go where there is what they need.

    jobs: resources by rule, of what goes to the cluster. partition_file: the site's file, or None.
    Returns one line for each partition in which jobs ask for less time than they would.
    Raises ValueError that names file or rule, what it says and what is there.
    """
    there = partitions()
    path = partition_file or os.environ.get(VARIABLE)
    listed = read(path) if path else {}
    for name in listed:
        there.expect(name, str(path))
    free = []
    for rule, resources in jobs.items():
        names = named(resources)
        for name in names:
            there.expect(name, f"{rule}: slurm_partition")
        if needs_gpu(resources):
            if not names:
                free.append(rule)
            elif not any(there.gpus[name] for name in names):
                raise ValueError(f"{rule}: slurm_partition {names[0]!r}: {_none(there)}")
    if free and path:
        _check_file(path, listed, there, free)
    elif free and not there.gpus.get(there.default, True):
        raise ValueError(
            f"{_some(free)}: go to the default partition {there.default!r}: {_none(there)}; name "
            "it in a file of partitions (slurm-partition-config)"
        )
    return _check_sizes(Site(there, listed), jobs, path)


def _check_sizes(site: Site, jobs: Mapping[str, Mapping], path: Path | str | None) -> list[str]:
    """Raise ValueError for a job that no listed partition takes; what jobs would ask beyond the
    time of theirs.
    """
    shorter: dict[tuple[str, float], list[str]] = {}
    for rule, resources in jobs.items():
        threads = resources.get("_cores", 1)
        eligible = site.eligible(resources, threads)
        if site.listed and not eligible:
            asked = {key: resources.get(key) for key in ("gpu", "gres", "mem_mb", "constraint")}
            said = ", ".join(f"{key}={value}" for key, value in asked.items() if value)
            raise ValueError(
                f"{path}: no partition takes {rule}, which asks for threads={threads}, {said}"
            )
        minutes, limit = resources.get("runtime") or 0, site.time_limit(resources, threads)
        if minutes > limit:
            name = max(eligible, key=site.max_minutes)
            shorter.setdefault((name, limit), []).append(f"{rule} ({_duration(minutes)})")
    return [
        f"partition {name!r} gives a job {_duration(limit)}: {_some(rules, 5)} ask for that"
        for (name, limit), rules in shorter.items()
    ]


def partitions() -> Partitions:
    """What Slurm says about its partitions; ValueError where there is no Slurm."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise ValueError(
            f"no {', '.join(missing)} on this machine: --profile slurm is for a login node of a "
            "cluster with Slurm; without it, jobs run here"
        )
    question = ["sinfo", "--all", "--noheader", "--format=%P|%G|%l"]
    answer = subprocess.run(question, capture_output=True, text=True)
    if answer.returncode != 0:
        raise ValueError(f"Slurm does not answer: {answer.stderr.strip() or 'sinfo failed'}")
    gpus: dict[str, bool] = {}
    minutes: dict[str, float] = {}
    default = None
    for line in answer.stdout.splitlines():
        shown, offers, limit = (*line.split("|"), "", "")[:3]
        name = shown.removesuffix("*")
        default = name if shown != name else default
        gpus[name] = gpus.get(name, False) or "gpu" in offers
        minutes[name] = slurm_minutes(limit)
    return Partitions(gpus, default, minutes)


def named(resources: Mapping) -> list[str]:
    """The partitions that a job itself names."""
    return re.findall(r"[^,\s]+", str(resources.get("slurm_partition") or ""))


def needs_gpu(resources: Mapping) -> bool:
    """Whether a job asks for a GPU, by number or as a generic resource."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres") or "")


def _check_file(path: Path | str, listed: dict, there: Partitions, rules: list[str]) -> None:
    meant = [name for name, limits in listed.items() if limits.get("max_gpu")]
    if not meant:
        raise ValueError(
            f"{path}: no partition has max_gpu, but jobs need a GPU ({_some(rules)}); partitions "
            f"that offer one: {there.with_gpus()}"
        )
    for name in meant:
        if not there.gpus[name]:
            raise ValueError(f"{path}: partition {name!r} has max_gpu: {_none(there)}")


def _none(there: Partitions) -> str:
    return f"it offers no GPU; partitions that do: {there.with_gpus()}"


def _some(rules: list[str], most: int = 3) -> str:
    return ", ".join(rules[:most]) + (" …" if len(rules) > most else "")


def _duration(minutes: float) -> str:
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"
