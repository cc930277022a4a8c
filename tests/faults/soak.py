"""A study of thousands of cells whose jobs do nothing: what the workflow itself costs.

PYTHONPATH=tests python -m faults.soak --cells 5000 --folder FOLDER. One job in a hundred fails at
first. Prints, and writes to FOLDER/soak.json: jobs, seconds, the largest memory of the main
process, and what ran more often than it had to. Exit status 1 where that is anything.
"""

import argparse
import collections
import json
import re
import shutil
import sys
import time
import zlib
from pathlib import Path

import yaml
from faults.runs import CONFIG, Run
from test_workflow import ROOT, clone

EPOCHS, SAMPLERS = 10, 10  # of each model
CELLS = EPOCHS * SAMPLERS  # of each model
ONE_IN = 100  # jobs fails at first
JOB = '''
"""A job that leaves empty outputs; one in a hundred fails at first."""

import zlib
from pathlib import Path

from uncanny import jobs


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
    (folder / "soak.yaml").write_text(json.dumps(study(cells)))
    return folder


def memory_mb(pid: int) -> float:
    """Largest memory of a process so far; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def watched(run: Run, folder: Path) -> dict:
    """Wait for a run; its seconds, memory of its main process when jobs begin and at most."""
    planned, most = 0.0, 0.0
    while not run.ended():
        most = max(most, memory_mb(run.process.pid))
        if not planned and (folder / "jobs.txt").exists():
            planned = most
        time.sleep(0.2)
    seconds = time.monotonic() - run.begun
    return {"seconds": round(seconds), "planned_mb": round(planned), "peak_mb": round(most)}


def counted(folder: Path) -> dict:
    """Jobs, those that failed at first, those that ran more or less often than that asks."""
    found = collections.Counter((folder / "jobs.txt").read_text().splitlines())
    failed = {name for name in found if zlib.crc32(f"{name}\n".encode()) % ONE_IN == 0}
    odd = sorted(name for name, times in found.items() if times != 1 + (name in failed))
    return {"jobs": len(found), "failed_at_first": len(failed), "without_cause": odd}


def soak(folder, cells: int) -> dict:
    folder = prepared(Path(folder).resolve() / "soak", cells)
    run = Run(folder, "all", "--retries", "2", "--quiet", "all", config="soak.yaml")
    measured = watched(run, folder)
    again = Run(folder, "all", config="soak.yaml")
    complete = again.wait() == 0 and "Nothing to be done" in again.text()
    found = counted(folder) | measured | {"cells": cells, "complete": complete}
    found |= {"seconds_again": round(time.monotonic() - again.begun)}
    (folder.parent / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--cells", type=int, default=5000, help=f"a multiple of {CELLS}")
    parser.add_argument(
        "--folder", default="results/soak", help="of the study and what was measured"
    )
    given = parser.parse_args()
    found = soak(given.folder, given.cells)
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["without_cause"]) or not found["complete"])
