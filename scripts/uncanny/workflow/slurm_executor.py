"""The executor of Snakemake's plugin for Slurm, guarded against what version 2.8.0 does when Slurm
is slow, down or refuses: it forgets every job after one failed poll, loses the sentence with which
a group of jobs is refused, and hands every failure on at once, so that a controller that is down
for a minute uses up all attempts.
"""

import contextlib
import os
import re
import subprocess
import threading
import time
from math import inf

import snakemake_executor_plugin_slurm as plugin
from snakemake.iocontainers import ResourceList
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from uncanny.workflow import cluster

# What sbatch says when it could not ask, as opposed to a refusal.
BUSY = re.compile(
    r"unable to contact|timed out|temporarily unable|not responding|connection|standby|munge|"
    r"transport endpoint|zero bytes|authentication|slurmctld|resource temporarily",
    re.IGNORECASE,
)
# Limits that are met as soon as other jobs have ended.
FULL = re.compile(r"submit limit|max(imum)? number of jobs|QOSMax|AssocMax", re.IGNORECASE)
SENTENCE = re.compile(r"The error message was '(.*?)'\.\s", re.DOTALL)
# Reasons of waiting that do not pass by themselves.
STUCK = re.compile(r"PartitionTimeLimit|BadConstraints|Held|held|NeverSatisfied|NotAllowed|Invalid")

PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds before the next try, doubled with each
UNKNOWN_POLLS = 3  # answers without a job, before Slurm is asked for it by number
REMINDER = 600.0  # seconds between two lines that say the same


def register() -> None:
    """Have Snakemake use this executor for `--executor slurm`."""
    ExecutorPluginRegistry().get_plugin("slurm").executor = Executor


class Executor(plugin.Executor):
    """The plugin's executor, whose polls lose no job and whose submissions are tried again."""

    def __init__(self, workflow, logger):
        self._ended = set()  # Slurm's numbers of jobs whose end is known
        self._unknown = {}  # number -> answers in a row that did not have it
        self._last_warned = {}  # subject -> time of the last line about it
        self._tries = {}  # job -> submissions of this attempt that Slurm did not take
        self._states = None  # number -> state, of the last answer
        self._polled = []
        super().__init__(workflow, logger)

    def __post_init__(self, test_mode: bool = False):
        settings = self.workflow.executor_settings
        try:
            self._site = cluster.Site.of(settings.partition_config)
        except ValueError as error:
            raise WorkflowError(f"cluster: {error}") from None
        self._record_states()
        super().__post_init__(test_mode)
        for partition in self._partitions or []:  # what Slurm gives counts, whatever the file says
            partition.limits.max_runtime = self._site.max_minutes(partition.name)

    # -- asking ----------------------------------------------------------------------------------

    def _record_states(self) -> None:
        """Record the states of each poll, and never ask for accounts that the cluster does not
        keep: the plugin does so where one question for MinJobAge takes too long.
        """
        keeps_accounts = _answer(["sacct", "--noheader", "--starttime=now"]) is not None
        if not keeps_accounts:
            self.workflow.executor_settings.status_command = "squeue"
        ask_age, ask_states = plugin.get_min_job_age, plugin.query_job_status

        async def states(command, logger):
            answer = await ask_states(command, logger)
            self._states = answer[0]
            return answer

        plugin.get_min_job_age = ask_age if keeps_accounts else lambda: inf
        plugin.query_job_status = states

    async def check_active_jobs(self, active_jobs):
        """Yield the jobs that go on: all but those whose end has been reported."""
        self._states, self._polled = None, active_jobs
        async for _ in super().check_active_jobs(active_jobs):
            pass
        if active_jobs and self._states is None:
            self._warn_once("polls", f"Slurm does not answer; {len(active_jobs)} jobs wait for it")
        elif active_jobs:
            self._end_unknown_jobs(active_jobs)
            self._warn_of_stuck_jobs(active_jobs)
            if self._last_warned.pop("polls", None):
                self.logger.warning("cluster: Slurm answers again")
        self._polled = []
        for job in active_jobs:
            if self._goes_on(job):
                yield job

    def cancel_jobs(self, active_jobs):
        """Cancel also those that a poll is about, which Snakemake does not count meanwhile."""
        super().cancel_jobs([*active_jobs, *filter(self._goes_on, self._polled)])

    def _goes_on(self, job: SubmittedJobInfo) -> bool:
        return job.external_jobid not in self._ended

    def _end_unknown_jobs(self, active_jobs) -> None:
        """End the jobs that Slurm has forgotten: by their files, which have their names only when
        they are whole.
        """
        for job in filter(self._goes_on, active_jobs):
            number = job.external_jobid
            shown = {number, number.partition("_")[0]} & self._states.keys()
            self._unknown[number] = 0 if shown else self._unknown.get(number, 0) + 1
            if self._unknown[number] < UNKNOWN_POLLS or not _forgotten(number):
                continue
            if all(os.path.exists(path) for path in job.job.output):
                self.report_job_success(job)
            else:
                self.report_job_error(job, msg=f"Slurm no longer knows job {number}. ")

    def _warn_of_stuck_jobs(self, active_jobs) -> None:
        """One line for each job that waits for what does not come by itself."""
        if not self._due("reasons"):
            return
        ask = ["squeue", "--noheader", "--states=PENDING", f"--name={self.run_uuid}"]
        answer = _answer([*ask, "--format=%i|%P|%r"])
        names = {job.external_jobid: _name(job.job) for job in active_jobs}
        for line in (answer or "").splitlines():
            number, partition, reason = (*line.split("|"), "", "")[:3]
            if STUCK.search(reason) and number in names:
                what = f"job {number} waits in partition {partition!r}: {reason}"
                self._warn_once(number, f"{names[number]}: {what}", again=inf)

    def report_job_success(self, job_info: SubmittedJobInfo):
        self._ended.add(job_info.external_jobid)
        super().report_job_success(job_info)

    def report_job_error(self, job_info: SubmittedJobInfo, msg=None, **kwargs):
        self._ended.add(job_info.external_jobid)
        if msg and job_info.job.is_group():  # Snakemake has no message for groups
            self.logger.error(f"{_name(job_info.job)}: {_sentence(msg)}")
        super().report_job_error(job_info, msg, **kwargs)

    # -- submitting ------------------------------------------------------------------------------

    def _submit_job(self, job):
        self._fit(job)
        super()._submit_job(job)

    def _submit_array_jobs(self, jobs):
        for job in jobs:
            self._fit(job)
        super()._submit_array_jobs(jobs)

    def _fit(self, job) -> None:
        """Ask for no more time than the partitions give to which a job can go."""
        found = dict(job.resources.items())
        limit = self._site.time_limit(found, job.threads)
        if (found.get("runtime") or 0) > limit:
            found["runtime"] = int(limit)
            job._resources = found if job.is_group() else ResourceList(fromdict=found)

    def run_job(self, job):
        try:
            super().run_job(job)
        except Exception as error:  # of a group: the plugin's own handler fails
            self._report_job_error_threadsafe(
                SubmittedJobInfo(job), str(error.__context__ or error)
            )

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str):
        """Called for submissions alone: try again after a pause where Slurm could not be asked, or
        is full with our own jobs; else pause before the next attempt.
        """
        job, sentence = job_info.job, _sentence(msg)
        tries = self._tries[job] = self._tries.get(job, 0) + 1
        pause = min(PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)
        in_queue = self.active_jobs or self._polled
        if BUSY.search(sentence) or (FULL.search(sentence) and in_queue):
            self._after(pause, self._job_submission_executor.submit, self.run_job, job)
        elif job.restart_times > job.attempt - 1:
            self._after(pause, super()._report_job_error_threadsafe, job_info, msg)
        else:
            super()._report_job_error_threadsafe(job_info, msg)
            return
        again = f"tried again in {pause:.0f} s"
        self.logger.warning(f"{_name(job)}: not submitted: {sentence}; {again}")

    def _after(self, seconds: float, work, *arguments) -> None:
        def run():
            with contextlib.suppress(RuntimeError):  # the run has ended meanwhile
                work(*arguments)

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        timer.start()

    # -- saying ----------------------------------------------------------------------------------

    def _due(self, subject: str, again: float = REMINDER) -> bool:
        """Whether it is time for a subject; if so, it is not for a while."""
        now = time.monotonic()
        if now - self._last_warned.get(subject, -inf) < again:
            return False
        self._last_warned[subject] = now
        return True

    def _warn_once(self, subject: str, text: str, again: float = REMINDER) -> None:
        if self._due(subject, again):
            self.logger.warning(f"cluster: {text}")


def _name(job) -> str:
    """What a message calls a job: the first of its files, or its rule."""
    return next(iter(job.output), None) or job.name


def _sentence(message: str) -> str:
    """What Slurm said, on one line."""
    found = SENTENCE.search(message)
    return " ".join((found[1] if found else message).split())


def _answer(command: list[str]) -> str | None:
    """What a command prints; None where it fails or takes longer than a minute."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _forgotten(number: str) -> bool:
    """Whether Slurm answers that it has no such job, as opposed to no answer."""
    command = ["scontrol", "--oneliner", "show", "job", number]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode != 0 and "Invalid job id" in done.stderr
