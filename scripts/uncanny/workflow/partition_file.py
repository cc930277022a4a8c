"""The site's file of partitions, and the forms in which times are written."""

import re
from dataclasses import fields
from math import inf
from pathlib import Path

import yaml
from snakemake_executor_plugin_slurm.partitions import PartitionLimits

from uncanny.registry.components import near

OTHER_CLUSTER = {"slurm_cluster", "cluster", "clusters"}
LIMITS = [each.name for each in fields(PartitionLimits)]
NUMBERS = {name for name in LIMITS if name.startswith("max_") and name != "max_runtime"}
UNITS = {"d": 1440, "h": 60, "m": 1, "s": 1 / 60}  # minutes
TIME = "a number of minutes, 2d12h30m, or 1-12:00:00"


def read(path: Path | str) -> dict[str, dict]:
    """Partitions of a site's file, `max_runtime` in minutes; not those on another cluster, which
    Slurm shows elsewhere. ValueError that names partition and key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        # Without YAML's own types: it takes 8:00:00 for a number to the base of 60.
        raw, listed = yaml.load(text, Loader=yaml.BaseLoader), yaml.safe_load(text)
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(listed, dict) or not isinstance(listed.get("partitions"), dict):
        raise ValueError(f"{path}: expected `partitions:` with names and what each gives")
    found = {}
    for name, limits in listed["partitions"].items():
        where = f"{path}: partition {name!r}"
        if not isinstance(name, str) or not isinstance(limits, dict):
            raise ValueError(
                f"{where}: {limits!r}; expected limits such as {{max_gpu: 1}}, or {{}}"
            )
        _check_limits(limits, where)
        if "max_runtime" in limits:
            written = raw["partitions"][name]["max_runtime"]
            limits["max_runtime"] = minutes_of(written, f"{where}: max_runtime")
        if not OTHER_CLUSTER & limits.keys():
            found[name] = limits
    return found


def _check_limits(limits: dict, where: str) -> None:
    for key, value in limits.items():
        if key not in LIMITS and key not in OTHER_CLUSTER:
            raise ValueError(f"{where}: {key}: no such limit{near(str(key), LIMITS)}")
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if key in NUMBERS and not whole:
            raise ValueError(f"{where}: {key}: {value!r}; expected a whole number")


def minutes_of(text: str, where: str) -> float:
    """Minutes of a time as a site writes it; ValueError where its parts could mean two things."""
    written = text.strip().lower()
    units = re.findall(r"(\d+(?:\.\d+)?)\s*([dhms])", written)
    if re.fullmatch(r"\d+(\.\d+)?", written):
        minutes = float(written)
    elif re.fullmatch(r"(\d+(\.\d+)?\s*[dhms]\s*)+", written):
        minutes = sum(float(number) * UNITS[unit] for number, unit in units)
    elif re.fullmatch(r"(\d+-)?\d+:\d\d:\d\d", written):
        minutes = slurm_minutes(written)
    elif days := re.fullmatch(r"(\d+)-(\d+)(?::(\d\d))?", written):
        minutes = int(days[1]) * 1440 + int(days[2]) * 60 + int(days[3] or 0)
    else:
        raise ValueError(f"{where}: {text}; expected {TIME}")
    if not minutes:
        raise ValueError(f"{where}: {text}; expected more than no time")
    return minutes


def slurm_minutes(text: str) -> float:
    """Minutes of a time as Slurm prints it: [days-][hours:]minutes:seconds; inf for no limit."""
    days, _, clock = text.strip().rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in (days or "0", *parts)):
        return inf
    hours, minutes, seconds = [0] * (3 - len(parts)) + [int(part) for part in parts[:3]]
    return int(days or 0) * 1440 + hours * 60 + minutes + seconds / 60
