"""A study of thousands of cells whose jobs do nothing: what the workflow itself costs.

PYTHONPATH=tests python -m faults.soak --cells 5000 --folder FOLDER, or with --slurm. One job in a
hundred fails at first. Prints, and writes to FOLDER/soak.json: jobs, seconds, the largest memory of the main
process, and what ran more often than it had to. Exit status 1 where that is anything.
"""

import argparse
import collections
import json
import math
import re
import shutil
import sys
import time
import zlib
from pathlib import Path

import slurm_cluster
import yaml
from faults.runs import CONFIG, Run
from test_workflow import ROOT, clone

EPOCHS, SAMPLERS = 10, 10  # of each model
CELLS = EPOCHS * SAMPLERS  # of each model
ONE_IN = 100  # jobs fails at first
STUDY = "soak.yaml"
FORGIVING = ("--retries", "2", "--quiet", "all")
JOB = '''
"""A job that leaves empty outputs; one in a hundred fails at first."""

import zlib
from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    name = f"{snakemake.output[0]}\\n"
    with open("jobs.txt", "a") as file:
        file.write(name)
    first = Path("jobs.txt").read_text().count(name) == 1
    if first and zlib.crc32(name.encode()) % ONE_IN == 0:
        raise ValueError("fails at first")
    for path in snakemake.output:
        Path(path).write_text("{}")


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
'''


def study(cells: int) -> dict:
    """The fault study's config, grown to so many cells."""
    config = yaml.safe_load((ROOT / CONFIG).read_text())
    models = {f"m{index}": config["models"]["vp"] for index in range(cells // CELLS)}
    samplers = {
        f"S{n}": {"kind": "euler", "num_steps": n, "grid": "polynomial"}
        for n in range(4, 4 + SAMPLERS)
    }
    panel = {"models": list(models)}
    figures = {
        f"figure_{name}": {
            "kind": "curves",
            "metric": "is2",
            "panels": [panel | {"samplers": [name]}],
        }
        for name in samplers
    }
    grown = {"models": models, "samplers": samplers, "figures": figures, "tables": {}, "claims": {}}
    kept = {key: part for key, part in config.items() if key != "shard_images"}
    return kept | grown | {"milestones": list(range(1, EPOCHS + 1))}


def prepared(folder: Path, cells: int) -> Path:
    """A clone with that config, and jobs that do nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    clone(folder)
    for path in (folder / "scripts").glob("*.py"):
        path.write_text(JOB.replace("ONE_IN", str(ONE_IN)))
    (folder / STUDY).write_text(json.dumps(study(cells)))
    return folder


def memory_mb(pid: int) -> float:
    """Largest memory of a process so far; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    result = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(result[1]) / 1024 if result else 0.0


class Memory:
    """Megabytes of Snakemake's main process, when its first job has begun and at most."""

    def __init__(self, folder: Path):
        self.begun, self.planned, self.most = folder / "jobs.txt", 0.0, 0.0

    def look(self, pid: int) -> None:
        self.most = max(self.most, memory_mb(pid))
        if not self.planned and self.begun.exists():
            self.planned = self.most


def local(folder: Path, memory: Memory) -> None:
    """All of it on this machine."""
    run = Run(folder, "all", *FORGIVING, config=STUDY)
    while not run.ended():
        memory.look(run.process.pid)
        time.sleep(0.2)


def on_slurm(folder: Path, memory: Memory) -> None:
    """All of it on a cluster of this machine."""
    with slurm_cluster.running() as cluster:
        run = slurm_cluster.Run(cluster, folder, ["all", *FORGIVING, "--configfile", STUDY])
        run.watched(lambda: memory.look(run.process.pid), longest=math.inf)


def fails(name: str) -> bool:
    """Whether the job of this output fails at first."""
    return zlib.crc32(f"{name}\n".encode()) % ONE_IN == 0


def submitted_with(name: str) -> str:
    """Output of the other job of a cell: on a cluster both are one submission, made anew if one
    of them fails.
    """
    return name.replace("/samples/", "/scores/").replace(".npz", ".json")


def counted(folder: Path, slurm: bool) -> dict:
    """Jobs, those that failed at first, those that ran more or less often than that asks."""
    result = collections.Counter((folder / "jobs.txt").read_text().splitlines())
    asked = {
        name: 1 + fails(name) + (slurm and "/samples/" in name and fails(submitted_with(name)))
        for name in result
    }
    odd = sorted(name for name, times in result.items() if times != asked[name])
    failed = sum(fails(name) for name in result)
    return {"jobs": len(result), "failed_at_first": failed, "without_cause": odd}


def soak(folder, cells: int, slurm: bool) -> dict:
    """Run the study to its end, and once more; what was seen, also written into the folder."""
    folder = prepared(Path(folder).resolve() / "soak", cells)
    memory, begun = Memory(folder), time.monotonic()
    (on_slurm if slurm else local)(folder, memory)
    seconds, begun = time.monotonic() - begun, time.monotonic()
    again = Run(folder, "all", config=STUDY)
    complete = again.wait() == 0 and "Nothing to be done" in again.text()
    result = {"cells": cells, "slurm": slurm, "complete": complete} | counted(folder, slurm)
    result |= {"seconds": round(seconds), "seconds_again": round(time.monotonic() - begun)}
    result |= {"planned_mb": round(memory.planned), "peak_mb": round(memory.most)}
    (folder.parent / "soak.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--cells", type=int, default=5000, help=f"a multiple of {CELLS}")
    parser.add_argument(
        "--folder", default="results/soak", help="of the study and what was measured"
    )
    parser.add_argument("--slurm", action="store_true", help="on a cluster of this machine")
    arguments = parser.parse_args()
    if arguments.slurm and (reason := slurm_cluster.lacking()):
        sys.exit(f"no cluster on this machine: {reason}")
    report = soak(arguments.folder, arguments.cells, arguments.slurm)
    print(json.dumps(report, indent=1))
    sys.exit(bool(report["without_cause"]) or not report["complete"])
