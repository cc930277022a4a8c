"""Time limits that jobs ask for, and the size of shards. No torch here."""

import math
from collections.abc import Mapping
from pathlib import Path

from uncanny.estimate import costs, loads
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job
from uncanny.study.study import Study

LEAST = 20  # minutes: start of a job, loading of its libraries, slow disks
SLACK = 1.5  # of the stated time
LONGEST = 6.0  # hours of a draw, from which a cell is better divided


def minutes(seconds: float) -> int:
    """Time limit of the first attempt at a job that should take so many seconds."""
    return LEAST + math.ceil(SLACK * seconds / 60)


class Limits:
    """Time limits of the jobs of a study, by rule and wildcards, before anything has run."""

    def __init__(self, study: Study, results: Path):
        self.facts = Facts(study, results, device_of(study))
        self.facts.count_networks()

    def minutes(self, rule: str, wildcards: Mapping[str, str], on_device: bool) -> int:
        """Minutes to ask for."""
        job = Job(rule, f"{rule}/", dict(wildcards), (), (), on_device=on_device, alone=False)
        return minutes(sum(work.stated for work in loads.of_job(self.facts, job)[1]))


def device_of(study: Study) -> costs.Device:
    """Where the jobs of a study that ask for a GPU run, if nothing else is known."""
    options = study.config["estimate"]
    if study.config["device"] == "cpu" or options.get("device") == "processor":
        return costs.PROCESSOR
    return costs.accelerator(options.get("card", costs.CARD))


def shard_images(seconds: float, count: int) -> int:
    """Most images of a draw, an equal share of `count`, if all of them take so many seconds."""
    parts = math.ceil(seconds / (3600 * LONGEST))
    return math.ceil(count / max(1, parts))
