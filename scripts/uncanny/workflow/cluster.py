"""Check, before anything is submitted, that a cluster can run the jobs of a run.

Otherwise a mistake in the site's partition file would only show when each job has failed after all
its attempts, or would leave jobs waiting for ever.
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
VARIABLE = "SNAKEMAKE_SLURM_PARTITIONS"  # names the partition file if no option does


@dataclass(frozen=True)
class Partitions:
    """Partitions of a cluster.

    gpus: whether each has nodes with a GPU. default: the partition of jobs that name none, or None.
    minutes: time limit of a job in each, inf without one.
    """

    gpus: dict[str, bool]
    default: str | None
    minutes: dict[str, float] = field(default_factory=dict)

    def with_gpus(self) -> str:
        """Names of partitions with GPUs, for messages."""
        return ", ".join(sorted(name for name, offers in self.gpus.items() if offers)) or "none"

    def check_name(self, name: str, source: str) -> None:
        """Raise ValueError, which begins with `source`, if there is no such partition."""
        if name not in self.gpus:
            known = ", ".join(sorted(self.gpus))
            raise ValueError(f"{source}: no partition {name!r} on this cluster; it has {known}")


class Site:
    """A cluster as jobs see it: partitions as Slurm reports them and as the partition file does."""

    def __init__(self, available: Partitions | None, listed: Mapping[str, dict]):
        """available: partitions in Slurm, None if it does not answer. listed: from `read`."""
        self.available = available
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
        """The cluster of this machine. Raises ValueError for a mistake in the file."""
        path = partition_file or os.environ.get(VARIABLE)
        listed = read(path) if path else {}
        try:
            return cls(partitions(), listed)
        except ValueError:
            return cls(None, listed)

    def max_minutes(self, partition: str) -> float:
        """Longest time, in minutes, that a job may request in a partition."""
        in_slurm = self.available.minutes.get(partition, inf) if self.available else inf
        return min(self.minutes.get(partition, inf), in_slurm)

    def eligible(self, resources: Mapping, threads: int = 1) -> list[str]:
        """Partitions for a job, whatever its time: those that it names, else those of the file
        whose limits it keeps, else the default partition.
        """
        if names := named(resources):
            return names
        if self.listed:
            request = _Request({**resources, "runtime": 0}, threads)
            return [
                partition.name
                for partition in self.listed
                if partition.score_job_fit(request) is not None
            ]
        return [self.available.default] if self.available and self.available.default else []

    def time_limit(self, resources: Mapping, threads: int = 1) -> float:
        """Longest time, in minutes, that a job may request in any of its eligible partitions."""
        return max(map(self.max_minutes, self.eligible(resources, threads)), default=inf)


@dataclass(frozen=True)
class _Request:
    """The attributes of a job by which the executor chooses a partition."""

    resources: dict
    threads: int


def check(jobs: Mapping[str, Mapping], partition_file: Path | str | None) -> list[str]:
    """Check that partitions exist and offer what jobs request.

    jobs: resources by rule, of the rules that run on the cluster. partition_file: the site's file,
    or None. Returns one line for each partition whose time limit shortens the jobs' own. Raises
    ValueError that names file or rule, its value and what the cluster offers.
    """
    available = partitions()
    path = partition_file or os.environ.get(VARIABLE)
    listed = read(path) if path else {}
    for name in listed:
        available.check_name(name, str(path))
    unassigned = []
    for rule, resources in jobs.items():
        names = named(resources)
        for name in names:
            available.check_name(name, f"{rule}: slurm_partition")
        if requests_gpu(resources):
            if not names:
                unassigned.append(rule)
            elif not any(available.gpus[name] for name in names):
                raise ValueError(f"{rule}: slurm_partition {names[0]!r}: {_none(available)}")
    if unassigned and path:
        _check_file(path, listed, available, unassigned)
    elif unassigned and not available.gpus.get(available.default, True):
        raise ValueError(
            f"{_some(unassigned)}: would go to the default partition {available.default!r}: "
            f"{_none(available)}; name another in a partition file (slurm-partition-config)"
        )
    return _check_sizes(Site(available, listed), jobs, path)


def _check_sizes(site: Site, jobs: Mapping[str, Mapping], path: Path | str | None) -> list[str]:
    """One line for each partition whose time limit is below what jobs request.

    Raises ValueError for a job that fits no listed partition.
    """
    shorter: dict[tuple[str, float], list[str]] = {}
    for rule, resources in jobs.items():
        threads = resources.get("_cores", 1)
        eligible = site.eligible(resources, threads)
        if site.listed and not eligible:
            request = {key: resources.get(key) for key in ("gpu", "gres", "mem_mb", "constraint")}
            requested = ", ".join(f"{key}={value}" for key, value in request.items() if value)
            raise ValueError(
                f"{path}: no partition fits {rule}, which requests threads={threads}, {requested}"
            )
        minutes, limit = resources.get("runtime") or 0, site.time_limit(resources, threads)
        if minutes > limit:
            name = max(eligible, key=site.max_minutes)
            shorter.setdefault((name, limit), []).append(f"{rule} ({_duration(minutes)})")
    return [
        f"partition {name!r} limits jobs to {_duration(limit)}: {_some(rules, 5)} request that"
        for (name, limit), rules in shorter.items()
    ]


def partitions() -> Partitions:
    """Partitions as `sinfo` lists them. Raises ValueError if there is no Slurm, or no answer."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise ValueError(
            f"no {', '.join(missing)} on this machine: --profile slurm is for a login node of a "
            "cluster with Slurm; without it, jobs run here"
        )
    command = ["sinfo", "--all", "--noheader", "--format=%P|%G|%l"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        raise ValueError(f"Slurm does not answer: {answer.stderr.strip() or 'sinfo failed'}")
    gpus: dict[str, bool] = {}
    minutes: dict[str, float] = {}
    default = None
    for line in answer.stdout.splitlines():  # the default partition is marked with *
        marked, gres, limit = (*line.split("|"), "", "")[:3]
        name = marked.removesuffix("*")
        default = name if marked != name else default
        gpus[name] = gpus.get(name, False) or "gpu" in gres
        minutes[name] = slurm_minutes(limit)
    return Partitions(gpus, default, minutes)


def named(resources: Mapping) -> list[str]:
    """Partitions that a job itself names."""
    return re.findall(r"[^,\s]+", str(resources.get("slurm_partition") or ""))


def requests_gpu(resources: Mapping) -> bool:
    """Whether a job requests a GPU, by number or as a generic resource."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres") or "")


def _check_file(path: Path | str, listed: dict, available: Partitions, rules: list[str]) -> None:
    with_gpu = [name for name, limits in listed.items() if limits.get("max_gpu")]
    if not with_gpu:
        raise ValueError(
            f"{path}: no partition has max_gpu, but jobs need a GPU ({_some(rules)}); partitions "
            f"that offer one: {available.with_gpus()}"
        )
    for name in with_gpu:
        if not available.gpus[name]:
            raise ValueError(f"{path}: partition {name!r} has max_gpu: {_none(available)}")


def _none(available: Partitions) -> str:
    return f"it offers no GPU; partitions that do: {available.with_gpus()}"


def _some(rules: list[str], limit: int = 3) -> str:
    return ", ".join(rules[:limit]) + (" …" if len(rules) > limit else "")


def _duration(minutes: float) -> str:
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"
