"""Kill a study again and again, give the same command after each kill, and compare what it makes.

PYTHONPATH=tests python -m faults.campaign --kills 50 --targeted --seed 0 --folder FOLDER. One line
is printed per kill. FOLDER/faults.json has all of them, FOLDER/faults.md the table: fault, trials,
survived, how it shows. A kill counts as survived if the study that it befell came out, byte for
byte, as one that was left alone: all but logs, benchmarks and times. Exit status 1 if one did not.
"""

import argparse
import collections
import dataclasses
import json
import random
import re
import shutil
import sys
import time
from pathlib import Path

from faults.outcome import differences, results
from faults.runs import FAULTS, Run
from test_workflow import clone

STARTS = 5  # kills come before this many further jobs have started
KILLS = 8  # of one study
WRITTEN = {
    "a checkpoint": "*/checkpoints/*/epoch-*.pt",
    "a sample set": "*/samples/*.npz",
    "a score": "*/scores/vp/*.json",
    "a figure": "*/figures/*.csv",
}
MOMENTS = ("begun", "half", "whole", "named")  # named: it has its name, what belongs to it has not
SHOWS = {  # what a user reads
    "a job says that its process was killed": r"the job's process was killed \(out of memory\?\)",
    "Snakemake names the job and its log": r"Error in rule \w+",
}
STARTED = "    jobid:"
LOCKED = "Directory cannot be locked"


# ---- Kills ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Kill:
    """What is killed, and while which file is being written; without one, at a random moment."""

    study: str  # that it befell
    fault: str
    written: str = ""
    moment: str = ""
    shown: str = ""
    locked: bool = False
    survived: bool = False

    @property
    def halt(self) -> tuple[str, str] | None:
        return (WRITTEN[self.written], self.moment) if self.written else None


def at_random(run: Run, fault: str, rng: random.Random) -> bool:
    """Kill at a random moment; False if the run has ended before."""
    starts, share = rng.randrange(STARTS), rng.random()
    if not run.until(lambda: run.text().count(STARTED) >= starts + 1):
        return False
    time.sleep(share * (time.monotonic() - run.begun) / (starts + 1))
    return run.until(lambda: FAULTS[fault](run, rng))


def while_written(run: Run, fault: str, rng: random.Random) -> bool:
    """Kill when the run has stopped at the file that it was to stop at."""
    return run.until(run.halted) and FAULTS[fault](run, rng)


def again(folder, halt=None) -> tuple[Run, bool]:
    """The same command; once more after `--unlock` where Snakemake asks for that."""
    run = Run(folder, "all", halt=halt)
    if run.until(lambda: STARTED in run.text()) or LOCKED not in run.text():
        return run, False
    unlock = Run(folder, "--unlock")
    assert unlock.wait() == 0, unlock.text()
    return Run(folder, "all", halt=halt), True


def befallen(folder, kills: list[Kill], rng: random.Random) -> tuple[list[Kill], list[Run]]:
    """A study that is killed again and again: the kills that hit something, and the runs."""
    hit, runs = [], []
    for kill in kills:
        run, locked = again(folder, kill.halt)
        runs.append(run)
        if hit:
            hit[-1].locked = locked
        meet = while_written if kill.written else at_random
        if not meet(run, kill.fault, rng):
            break
        run.wait()
        shown = [name for name, text in SHOWS.items() if re.search(text, run.text())]
        gone = "Snakemake is gone" if run.process.returncode < 0 else "its work was done"
        kill.shown = ", ".join(shown) or f"nothing: {gone}"
        hit.append(kill)
    return hit, runs


def trial(folder, kills: list[Kill], expected: dict, rng: random.Random) -> list[Kill]:
    """A study from its clone to its end; the kills that hit something."""
    shutil.rmtree(folder, ignore_errors=True)
    clone(folder)
    hit, runs = befallen(folder, kills, rng)
    last, locked = again(folder)
    if hit:
        hit[-1].locked |= locked
    wrong = [] if last.wait() == 0 else [last.text()[-3000:]]
    for run in runs:  # what was left over writes now, if it still can
        run.let_go()
        run.process.wait()
        deadline = time.monotonic() + 20
        while run.processes() and time.monotonic() < deadline:
            time.sleep(0.2)
        run.end()
    wrong += differences(folder, expected)
    check = Run(folder, "all", "--dry-run")
    if check.wait() != 0 or "Nothing to be done" not in check.text():
        wrong.append(check.text()[-3000:])
    print(*wrong, sep="\n", end="\n" * bool(wrong), flush=True)
    for kill in hit:
        kill.survived = not wrong
    return hit


def at_random_moments(number: int, seed: int):
    """More than enough studies: their kills, and a generator for their moments."""
    for index in range(10 * number):
        study = f"{seed} {index}"
        rng = random.Random(study)
        yield [Kill(study, rng.choice(list(FAULTS))) for _ in range(KILLS)], rng


def while_files_are_written(seed: int):
    """One study for each moment of a file: each kind of file with another fault."""
    faults = [name for name in FAULTS if name != "a_job"]  # whose worker stops by itself
    for turn, moment in enumerate(MOMENTS):
        study, kinds = f"{seed} {moment}", enumerate(WRITTEN)
        kills = [Kill(study, faults[(turn + i) % len(faults)], kind, moment) for i, kind in kinds]
        yield kills, random.Random(study)


# ---- The table --------------------------------------------------------------------------------


def table(kills: list[Kill]) -> str:
    """Markdown: fault, trials, survived, how it shows."""
    groups = {}
    for kill in kills:
        when = f"while {kill.written} is written" if kill.written else "at a random moment"
        groups.setdefault((kill.fault.replace("_", " "), when), []).append(kill)
    lines = ["| killed | when | trials | survived | how it shows |", "|---|---|---|---|---|"]
    for (fault, when), group in sorted(groups.items()):
        shown = [f"{name}: {n}" for name, n in collections.Counter(k.shown for k in group).items()]
        locked = sum(kill.locked for kill in group)
        shown += [f"the next command asks for `--unlock`: {locked}"] if locked else []
        survived = sum(kill.survived for kill in group)
        lines.append(f"| {fault} | {when} | {len(group)} | {survived} | {'; '.join(shown)} |")
    return "\n".join(lines) + "\n"


def undisturbed(folder) -> dict[str, object]:
    """What a study makes that nobody kills."""
    if not Path(folder).exists():
        clone(folder)
    run = Run(folder, "all")
    assert run.wait() == 0, run.text()
    return results(folder)


def known(path: Path) -> list[Kill]:
    """Kills of a campaign that was cut off itself."""
    return [Kill(**entry) for entry in json.loads(path.read_text())] if path.exists() else []


def campaign(folder, number: int, targeted: bool, seed: int) -> list[Kill]:
    """All kills. They are written down after each study, and the same call goes on from there."""
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    expected, done = undisturbed(folder / "undisturbed"), known(folder / "faults.json")
    plans = list(while_files_are_written(seed)) if targeted else []
    for kills, rng in [*plans, *at_random_moments(number, seed)]:
        left = number - sum(not kill.written for kill in done)
        kills = kills if kills[0].written else kills[:left]
        if not kills or kills[0].study in {kill.study for kill in done}:
            continue
        hit = trial(folder / "trial", kills, expected, rng)
        done += hit
        print(*hit, sep="\n", flush=True)
        records = [dataclasses.asdict(kill) for kill in done]
        (folder / "faults.json").write_text(json.dumps(records, indent=1) + "\n")
        (folder / "faults.md").write_text(table(done))
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(".")[0])
    parser.add_argument("--kills", type=int, default=50, help="at random moments")
    parser.add_argument("--targeted", action="store_true", help="also while files are written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="results/kills", help="of studies and tables")
    arguments = parser.parse_args()
    kills = campaign(arguments.folder, arguments.kills, arguments.targeted, arguments.seed)
    print(table(kills))
    sys.exit(not all(kill.survived for kill in kills))
