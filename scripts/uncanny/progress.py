"""What a long job says of itself while it runs, and what a run looks like from outside.

A job prints a line into its log every few seconds; whoever watches reads the last line of each log.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from uncanny import jobs

MARK = "progress: "
SECONDS = 5.0  # between two lines of a job
STALE = 120.0  # a job that has said nothing for so long is not shown
TAIL = 4096  # bytes at the end of a log that hold its last line


class Progress:
    """How far one job is. total: of its units; first: how many an earlier attempt has done."""

    def __init__(self, total: int, unit: str, first: int = 0, *, seconds: float = SECONDS):
        self.total, self.unit, self.first, self.seconds = total, unit, first, seconds
        self.began = self.said = time.monotonic()

    def at(self, done: int, facts: Callable[[], dict] = dict) -> None:
        """Print a line if it is time to. facts: asked for only then, name → number."""
        now = time.monotonic()
        if now - self.said < self.seconds or done <= self.first:
            return
        self.said = now
        rate = (done - self.first) / (now - self.began)
        words = [f"{done:,} of {self.total:,} {self.unit}", f"{rate:.3g} per second"]
        words += [f"{spoken((self.total - done) / rate)} left"]
        words += [f"{name} {value:.4g}" for name, value in facts().items()]
        print(MARK + ", ".join(words), flush=True)


def spoken(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 7 min, 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


# ---- From outside ---------------------------------------------------------------------------


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
