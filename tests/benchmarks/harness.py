"""Benchmarks: works that take turns in one process, their times side by side, two files that say so.

A module of this folder is one benchmark: `measure(scale, device)` gives works by name, the first of
them ours. Run it with PYTHONPATH=scripts, or all of them with `make bench`. Both clocks are read:
that of the wall, and the processor's seconds of this process and of what it started, which another
program on the machine disturbs less.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import limits
import numpy as np
import report
import torch
from scales import SCALES

from uncanny.evaluation import timing
from uncanny.runtime import hardware

VERSIONS = ("torch", "numpy", "diffusers", "denoising-diffusion-pytorch", "k-diffusion")
VERSIONS += ("torch-fidelity",)


@dataclass(frozen=True)
class Work:
    """call(number) does it once. flops, bytes: the fewest operations, and bytes to and from memory,
    that it takes. group: works of one group are compared, with its first. note: what is not equal.
    """

    call: Callable[[int], object]
    flops: float = 0.0
    bytes: float = 0.0
    group: str = ""
    note: str = ""


def clocks() -> np.ndarray:
    """[wall, processor] in seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.process_time() + children.ru_utime + children.ru_stime
    return np.array([time.perf_counter(), spent])


def compare(
    works: Mapping[str, Work],
    rounds: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> dict:
    """Rows by name: seconds [rounds][wall, processor], and medians with quartiles of times, of
    ratios to the first of the group, and of the part of the machine's limit that is reached.
    """
    ceilings = limits.works(device, dtype)
    calls = [work.call for work in works.values()] + [call for call, _ in ceilings.values()]
    for call in calls:
        call(0)
    taken = np.array(timing.alternating(calls, rounds, device, clock=clocks))
    rates = {
        name: amount / seconds
        for (name, (_, amount)), seconds in zip(ceilings.items(), taken[len(works) :], strict=True)
    }
    firsts: dict[str, np.ndarray] = {}
    rows = {}
    for (name, work), seconds in zip(works.items(), taken, strict=False):
        ours = firsts.setdefault(work.group, seconds)
        floor = np.maximum(work.flops / limits.fastest(rates), work.bytes / rates["memory"])
        rows[name] = {"group": work.group, "note": work.note, "gflop": work.flops / 1e9}
        rows[name] |= {"seconds": seconds.tolist(), "time": _spread(seconds)}
        rows[name] |= {
            "ours_over_it": _spread(ours / seconds),
            "of_limit": _spread(floor / seconds),
        }
    return {"rows": rows, "limits": {name: _spread(rate) for name, rate in rates.items()}}


def _spread(values: np.ndarray) -> dict:
    """Quartiles over rounds of [rounds, 2] values, by clock."""
    result = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    return {clock: result[:, i].tolist() for i, clock in enumerate(("wall", "processor"))}


def machine(device: torch.device) -> dict:
    """What was measured on, and with which versions."""
    versions = {name: _version(name) for name in VERSIONS}
    return {
        "date": datetime.date.today().isoformat(),
        "device": hardware.describe(device),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "peak_memory_mb": round(hardware.peak_memory_mb(device)),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main(benchmark: str, measure: Callable) -> None:
    """Run one benchmark as its command line says, and write FOLDER/BENCHMARK-SCALE-BATCH.json, .md."""
    parser = argparse.ArgumentParser(description=benchmark)
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--scale", choices=sorted(SCALES), default="digits")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, help="images at once, if not the scale's own number")
    arguments = parser.parse_args()
    device = hardware.device(arguments.threads)
    scale = SCALES[arguments.scale].of(arguments.batch)
    result = compare(measure(scale, device), arguments.rounds, device)
    record = {"benchmark": benchmark, "scale": arguments.scale, "batch": scale.batch}
    record |= {"rounds": arguments.rounds, "machine": machine(device)} | result
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / f"{benchmark}-{arguments.scale}-{scale.batch}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".md").write_text(report.table(record))
    print(report.table(record), flush=True)
