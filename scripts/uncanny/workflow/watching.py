"""What a run looks like from outside: whoever watches reads the last line of each log."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from uncanny.runtime.progress import MARK, spoken
from uncanny.workflow import jobs

STALE = 120.0  # a job that has said nothing for so long is not shown
TAIL = 4096  # bytes at the end of a log that hold its last line


def view(results: Path, snakemake: Path, now: float) -> list[str]:
    """Lines about a run: all of its jobs, and those that say how far they are.

    results: a study's folder. snakemake: the folder .snakemake of the run. now: seconds since 1970.
    """
    running = sorted(_running(results / "logs", now))
    width = max((len(name) for name, _ in running), default=0)
    return [*_total(snakemake / "log", now), *(f"{name:{width}}  {said}" for name, said in running)]


def _running(logs: Path, now: float) -> Iterator[tuple[str, str]]:
    """(rule and wildcards, last line) of jobs that have spoken lately and are not done."""
    for path in logs.rglob("*.log"):
        if now - path.stat().st_mtime > STALE or _done(path):
            continue
        last = _last_line(path)
        if last.startswith(MARK):
            yield str(path.relative_to(logs).with_suffix("")), last.removeprefix(MARK)


def _done(log: Path) -> bool:
    """Whether the job has left its record since it last spoke."""
    record = jobs.benchmark_of(log)
    return record.exists() and record.stat().st_mtime >= log.stat().st_mtime


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""


def _total(logs: Path, now: float) -> list[str]:
    """What the newest run of Snakemake has done, how long it has taken and may take."""
    newest = max(logs.glob("*.snakemake.log"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return [f"{logs}: no run yet"]
    text = newest.read_text(errors="replace")
    if ended := re.search(r"^Elapsed time: ([\d:]+)", text, flags=re.M):
        return [f"ended after {ended[1]} h: {newest}"]
    counted = re.findall(r"^(\d+) of (\d+) steps", text, flags=re.M)
    failed = len(re.findall(r"^Error in (?:group|rule) ", text, flags=re.M))
    done, every = map(int, counted[-1]) if counted else (0, 0)
    spent = newest.stat().st_mtime - _started(newest)
    words = [f"{done:,} of {every:,} jobs" if every else "nothing said yet"]
    words += [f"{spoken(now - _started(newest))} since the start"]
    if 0 < done < every:
        words.append(
            f"about {spoken(spent / done * (every - done))} left, if jobs go on as they did"
        )
    if failed:
        words.append(f"{failed} failed: see {newest}")
    return [", ".join(words)]


def _started(log: Path) -> float:
    """The time in the name of Snakemake's log, of this machine's clock."""
    stamp = log.name.partition(".")[0]
    return time.mktime(time.strptime(stamp, "%Y-%m-%dT%H%M%S"))
