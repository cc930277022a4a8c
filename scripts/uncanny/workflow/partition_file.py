"""Read a site's partition file, and times in the formats that it and Slurm use."""

import re
from dataclasses import fields
from math import inf
from pathlib import Path

import yaml
from snakemake_executor_plugin_slurm.partitions import PartitionLimits

from uncanny.registry.components import near

OTHER_CLUSTER = {"slurm_cluster", "cluster", "clusters"}
LIMITS = [limit.name for limit in fields(PartitionLimits)]
NUMBERS = {name for name in LIMITS if name.startswith("max_") and name != "max_runtime"}
UNITS = {"d": 1440, "h": 60, "m": 1, "s": 1 / 60}  # minutes
TIME = "a number of minutes, 2d12h30m, or 1-12:00:00"


def read(path: Path | str) -> dict[str, dict]:
    """Limits of each partition, `max_runtime` in minutes, without partitions on other clusters,
    which Slurm does not list here.

    Raises ValueError that names file, partition and key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        # Also without YAML's types, for which 8:00:00 is a sexagesimal number.
        raw, listed = yaml.load(text, Loader=yaml.BaseLoader), yaml.safe_load(text)
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(listed, dict) or not isinstance(listed.get("partitions"), dict):
        raise ValueError(f"{path}: expected `partitions:` with names and their limits")
    partitions = {}
    for name, limits in listed["partitions"].items():
        source = f"{path}: partition {name!r}"
        if not isinstance(name, str) or not isinstance(limits, dict):
            raise ValueError(
                f"{source}: {limits!r}; expected limits such as {{max_gpu: 1}}, or {{}}"
            )
        _check_limits(limits, source)
        if "max_runtime" in limits:
            text = raw["partitions"][name]["max_runtime"]
            limits["max_runtime"] = minutes_of(text, f"{source}: max_runtime")
        if not OTHER_CLUSTER & limits.keys():
            partitions[name] = limits
    return partitions


def _check_limits(limits: dict, source: str) -> None:
    for key, value in limits.items():
        if key not in LIMITS and key not in OTHER_CLUSTER:
            raise ValueError(f"{source}: {key}: unknown limit{near(str(key), LIMITS)}")
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if key in NUMBERS and not whole:
            raise ValueError(f"{source}: {key}: {value!r}; expected a whole number")


def minutes_of(text: str, source: str) -> float:
    """Minutes of a time as a site may write it. Raises ValueError, which begins with `source`, for
    other or ambiguous formats and for 0.
    """
    time = text.strip().lower()
    units = re.findall(r"(\d+(?:\.\d+)?)\s*([dhms])", time)
    if re.fullmatch(r"\d+(\.\d+)?", time):
        minutes = float(time)
    elif re.fullmatch(r"(\d+(\.\d+)?\s*[dhms]\s*)+", time):
        minutes = sum(float(number) * UNITS[unit] for number, unit in units)
    elif re.fullmatch(r"(\d+-)?\d+:\d\d:\d\d", time):
        minutes = slurm_minutes(time)
    elif days := re.fullmatch(r"(\d+)-(\d+)(?::(\d\d))?", time):
        minutes = int(days[1]) * 1440 + int(days[2]) * 60 + int(days[3] or 0)
    else:
        raise ValueError(f"{source}: {text}; expected {TIME}")
    if not minutes:
        raise ValueError(f"{source}: {text}; expected a time above 0")
    return minutes


def slurm_minutes(text: str) -> float:
    """Minutes of a time as Slurm prints it: [days-][hours:]minutes:seconds; inf for no limit."""
    days, _, clock = text.strip().rpartition("-")
    fields = clock.split(":")
    if not all(field.isdigit() for field in (days or "0", *fields)):
        return inf
    hours, minutes, seconds = [0] * (3 - len(fields)) + [int(field) for field in fields[:3]]
    return int(days or 0) * 1440 + hours * 60 + minutes + seconds / 60
