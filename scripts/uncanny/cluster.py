"""Whether a cluster can take the jobs of a run: asked once, before anything is submitted.

Without it, a mistake in the site's file shows as a failure of each job, after all its attempts.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct")
VARIABLE = "SNAKEMAKE_SLURM_PARTITIONS"  # where the executor looks if no option names a file
OTHER_CLUSTER = {"slurm_cluster", "cluster", "clusters"}


@dataclass(frozen=True)
class Partitions:
    """The partitions of a cluster. gpus: whether a node of each offers one. default: where jobs go
    that name none, or None.
    """

    gpus: dict[str, bool]
    default: str | None

    def with_gpus(self) -> str:
        """Names, to be read."""
        return ", ".join(sorted(name for name, offers in self.gpus.items() if offers)) or "none"

    def expect(self, name: str, where: str) -> None:
        """Raise ValueError if there is no such partition."""
        if name not in self.gpus:
            known = ", ".join(sorted(self.gpus))
            raise ValueError(f"{where}: no partition {name!r} on this cluster; it has {known}")


def check(jobs: Mapping[str, Mapping], partition_file: Path | str | None) -> None:
    """Check that partitions exist, and that jobs which need a GPU go where there are some.

    jobs: resources by rule, of what goes to the cluster. partition_file: the site's file, or None.
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


def partitions() -> Partitions:
    """What Slurm says about its partitions; ValueError where there is no Slurm."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise ValueError(
            f"no {', '.join(missing)} on this machine: --profile slurm is for a login node of a "
            "cluster with Slurm; without it, jobs run here"
        )
    question = ["sinfo", "--all", "--noheader", "--format=%P|%G"]
    answer = subprocess.run(question, capture_output=True, text=True)
    if answer.returncode != 0:
        raise ValueError(f"Slurm does not answer: {answer.stderr.strip() or 'sinfo failed'}")
    gpus: dict[str, bool] = {}
    default = None
    for line in answer.stdout.splitlines():
        shown, _, offers = line.partition("|")
        name = shown.removesuffix("*")
        default = name if shown != name else default
        gpus[name] = gpus.get(name, False) or "gpu" in offers
    return Partitions(gpus, default)


def read(path: Path | str) -> dict[str, dict]:
    """Partitions of a site's file; not those on another cluster, which Slurm shows elsewhere."""
    listed = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["partitions"]
    return {name: limits for name, limits in listed.items() if not OTHER_CLUSTER & limits.keys()}


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


def _some(rules: list[str]) -> str:
    return ", ".join(rules[:3]) + (" …" if len(rules) > 3 else "")
