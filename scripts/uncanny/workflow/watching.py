"""Watch a run from its log files, whose last lines have the progress of jobs."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from uncanny.runtime.progress import MARK, format_duration
from uncanny.workflow import jobs

STALE = 120.0  # seconds after a job's last output, from which on it is not shown
TAIL = 4096  # bytes at the end of a log in which its last line is looked for


def view(results: Path, snakemake: Path, now: float) -> list[str]:
    """Lines on the whole run, and on each running job that reports its progress.

    results: folder of the study. snakemake: folder .snakemake of the run. now: seconds since 1970.
    """
    running = sorted(_running(results / "logs", now))
    width = max((len(name) for name, _ in running), default=0)
    return [
        *_total(snakemake / "log", now),
        *(f"{name:{width}}  {progress}" for name, progress in running),
    ]


def _running(logs: Path, now: float) -> Iterator[tuple[str, str]]:
    """(rule and wildcards, progress) of unfinished jobs with recent output."""
    for path in logs.rglob("*.log"):
        if now - path.stat().st_mtime > STALE or _done(path):
            continue
        last = _last_line(path)
        if last.startswith(MARK):
            yield str(path.relative_to(logs).with_suffix("")), last.removeprefix(MARK)


def _done(log: Path) -> bool:
    """Whether the job's benchmark record is newer than its log."""
    record = jobs.benchmark_of(log)
    return record.exists() and record.stat().st_mtime >= log.stat().st_mtime


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""


def _total(logs: Path, now: float) -> list[str]:
    """Jobs done by Snakemake's newest run, its time so far, and its last line of progress."""
    newest = max(logs.glob("*.snakemake.log"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return [f"{logs}: no run yet"]
    text = newest.read_text(errors="replace")
    if ended := re.search(r"^Elapsed time: ([\d:]+)", text, flags=re.M):
        return [f"ended after {ended[1]} h: {newest}"]
    counted = re.findall(r"^(\d+) of (\d+) steps", text, flags=re.M)
    failed = len(re.findall(r"^Error in (?:group|rule) ", text, flags=re.M))
    done, total = map(int, counted[-1]) if counted else (0, 0)
    facts = [f"{done:,} of {total:,} jobs" if total else "no job done yet"]
    facts += [f"{format_duration(now - _started(newest))} since the start"]
    facts += re.findall(rf"^{MARK}(\d.*)", text, flags=re.M)[-1:]
    if failed:
        facts.append(f"{failed} failed: see {newest}")
    return [", ".join(facts)]


def _started(log: Path) -> float:
    """Start of a run in seconds since 1970, from the name of Snakemake's log (local time)."""
    stamp = log.name.partition(".")[0]
    return time.mktime(time.strptime(stamp, "%Y-%m-%dT%H%M%S"))
