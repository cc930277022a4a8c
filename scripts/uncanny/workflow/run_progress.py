"""Progress of a whole run, in Snakemake's own output: percent, time left, the next figure."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from statistics import fmean

from uncanny.estimate.job import Job, Jobs
from uncanny.runtime.progress import MARK, format_duration

SECONDS = 10.0  # between two lines; a file that was waited for has a line at once
ENOUGH = 0.05  # work done, relative to what is left, from which on a time left is printed
PARTS = ("sampler", "guidance", "model")  # jobs of a rule that agree in these take equally long


class RunProgress(logging.Handler):
    """Listens to the events of Snakemake's log and adds lines to it.

    jobs: those of the run, by Snakemake's number. files: those that are waited for, in the order
    in which they come. write: prints a line. clock: seconds.
    """

    def __init__(
        self,
        jobs: Mapping[int, Job],
        files: Sequence[str],
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__()
        self.jobs, self.write, self.clock = jobs, write, clock
        every = Jobs(jobs.values())
        self.behind = {file: {job.name for job in every.behind([file])} for file in files}
        self.times = Times()
        self.began = self.printed = clock()
        self.started: dict[int, float] = {}
        self.left, self.failed = dict(jobs), set()

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == "job_started":
            self.started |= dict.fromkeys(record.jobs, self.clock())
        elif event == "job_error":
            self._fail(record.jobid)
        elif event == "job_finished":
            self._finish(record.job_id)
        elif event == "progress" and self.clock() - self.printed >= SECONDS:
            self.write(self.line())

    def line(self) -> str:
        """How far the run is."""
        self.printed = self.clock()
        done = self.times.sum(job for number, job in self.jobs.items() if number not in self.left)
        left = self.times.sum(self.left.values())
        words = [f"{100 * done / (done + left):.0f} %"]
        if left and done > ENOUGH * left:
            seconds = (self.printed - self.began) * left / done
            words.append(f"about {format_duration(seconds)} left")
        if file := self._next():
            words.append(f"next: {PurePath(file).stem}")
        return MARK + ", ".join(words)

    def _next(self) -> str | None:
        names = {job.name for job in self.left.values()}
        waiting = (file for file, behind in self.behind.items() if behind & names)
        return next((file for file in waiting if not self.behind[file] & self.failed), None)

    def _fail(self, number: int) -> None:
        if number in self.jobs:
            self.failed.add(self.jobs[number].name)

    def _finish(self, number: int) -> None:
        job = self.left.pop(number, None)
        if job is None:
            return
        self.failed.discard(job.name)
        if number in self.started:
            self.times.learn(job, self.clock() - self.started[number])
        if ready := [PurePath(file).stem for file in job.outputs if file in self.behind]:
            self.printed = -SECONDS
            self.write(f"{MARK}{ready[0]} is ready")


class Times:
    """What jobs of a kind took so far; kinds without a job are as long as the most similar ones."""

    def __init__(self):
        self.seconds: dict[tuple, list[float]] = {}

    def learn(self, job: Job, seconds: float) -> None:
        for kind in _kinds(job):
            self.seconds.setdefault(kind, []).append(seconds)

    def sum(self, jobs: Iterable[Job]) -> float:
        return sum(map(self.typical, jobs))

    def typical(self, job: Job) -> float:
        known = next((kind for kind in reversed(_kinds(job)) if kind in self.seconds), None)
        return 1.0 if known is None else fmean(self.seconds[known])


def _kinds(job: Job) -> list[tuple]:
    """Kinds of job that it belongs to, the widest first: all, its rule, its sampler, …"""
    parts = (job.rule, *(job.wildcards.get(part) for part in PARTS))
    return [parts[:length] for length in range(len(parts) + 1)]
