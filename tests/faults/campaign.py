"""Kill a study again and again, give the same command after each kill, and compare what it makes.

python -m faults.campaign --kills 50 --targeted --seed 0 --folder FOLDER (in tests/). One line is
printed per kill. FOLDER/faults.json has all of them, FOLDER/faults.md the table: fault, trials,
survived, how it shows. A kill counts as survived if the study that it befell came out, byte for
byte, as one that was left alone: all but logs, benchmarks and times. Exit status 1 if one did not.
"""

import argparse
import collections
import itertools
import json
import random
import re
import shutil
import sys
import time
from pathlib import Path

from faults.runs import CONFIG, FAULTS, Run

RESULTS = "results/faults"
APART = ("logs", "benchmarks")  # folders without results
STARTS = 7  # kills come before this many further jobs have started
KILLS = 8  # of one study
WRITTEN = {
    "a checkpoint": "*/checkpoints/*/epoch-*.pt",
    "a sample set": "*/samples/*.npz",
    "a score": "*/scores/vp/*.json",
    "a figure": "*/figures/*.csv",
}
MOMENTS = ("begun", "half", "whole", "named")  # named: it has its name, what belongs to it has not
SHOWS = {  # what a user reads: first kind that fits
    "the job's process was killed": r"the job's process was killed \(out of memory\?\)",
    "Snakemake: error in rule": r"Error in rule \w+",
    "nothing: Snakemake is gone": "",
}
LOCKED = "Directory cannot be locked"


# ---- What comes out ---------------------------------------------------------------------------


def results(folder) -> dict[str, object]:
    """All that a study has made, by path: JSON without times, of other files the bytes."""
    root = Path(folder) / RESULTS
    found = sorted(path for path in root.rglob("*") if path.is_file())
    paths = [path for path in found if path.relative_to(root).parts[0] not in APART]
    return {str(path.relative_to(root)): _timeless(path) for path in paths}


def _timeless(path: Path) -> object:
    if path.suffix != ".json":
        return path.read_bytes()
    value = json.loads(path.read_text())
    return {key: part for key, part in value.items() if key != "timing"}


def differences(folder, expected: dict[str, object]) -> list[str]:
    """Paths that are missing, left over, or other than expected."""
    found = results(folder)
    return sorted(
        path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)
    )


# ---- Kills ------------------------------------------------------------------------------------


def at_random(run: Run, fault: str, rng: random.Random) -> bool:
    """Kill at a random moment; False if the run has ended before."""
    starts, share, begun = rng.randrange(STARTS), rng.random(), time.monotonic()
    if not run.until(lambda: run.text().count("    jobid:") >= starts + 1):
        return False
    time.sleep(share * (time.monotonic() - begun) / (starts + 1))
    return run.until(lambda: FAULTS[fault](run, rng))


def while_written(run: Run, fault: str, rng: random.Random) -> bool:
    """Kill when the run has stopped at the file that it was to stop at."""
    return run.until(run.halted) and FAULTS[fault](run, rng)


def after(run: Run) -> dict:
    """What the user sees of a kill, and of the same command given again as far as its lock."""
    run.wait()
    shown = next(name for name, text in SHOWS.items() if re.search(text, run.text()))
    again = Run(run.folder, "--dry-run", "--quiet")
    again.wait()
    return {"shown": shown, "traceback": "Traceback" in run.text()}


def again(folder, **options) -> tuple[Run, bool]:
    """The same command; after `--unlock` where Snakemake asks for that."""
    run = Run(folder, "all", **options)
    if run.until(lambda: "    jobid:" in run.text()) or LOCKED not in run.text():
        return run, False
    unlock = Run(folder, "--unlock")
    assert unlock.wait() == 0, unlock.text()
    return Run(folder, "all", **options), True
