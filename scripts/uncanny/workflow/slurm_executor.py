"""Slurm executor that survives a slow, unreachable or refusing controller.

Snakemake's plugin, version 2.8.0, forgets all jobs after one failed poll, loses the message with
which Slurm refuses a group of jobs, and reports every failed submission at once, so that a
controller that is down for a minute uses up all attempts.
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

# Messages of sbatch when the controller could not be reached, as opposed to a refusal.
BUSY = re.compile(
    r"unable to contact|timed out|temporarily unable|not responding|connection|standby|munge|"
    r"transport endpoint|zero bytes|authentication|slurmctld|resource temporarily",
    re.IGNORECASE,
)
# Messages about limits that apply only until other jobs have ended.
FULL = re.compile(r"submit limit|max(imum)? number of jobs|QOSMax|AssocMax", re.IGNORECASE)
SENTENCE = re.compile(r"The error message was '(.*?)'\.\s", re.DOTALL)
# Reasons of pending jobs that do not pass by themselves.
STUCK = re.compile(r"PartitionTimeLimit|BadConstraints|Held|held|NeverSatisfied|NotAllowed|Invalid")

PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds before the next try, doubled with each
UNKNOWN_POLLS = 3  # polls without a job, before Slurm is asked for it by number
REMINDER = 600.0  # seconds before a warning is repeated


def register() -> None:
    """Have Snakemake use this executor for `--executor slurm`."""
    ExecutorPluginRegistry().get_plugin("slurm").executor = Executor


class Executor(plugin.Executor):
    """The plugin's executor, but polls lose no job and failed submissions are tried again."""

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
        for partition in self._partitions or []:  # Slurm's own limits apply, whatever the file has
            partition.limits.max_runtime = self._site.max_minutes(partition.name)

    # -- polling ---------------------------------------------------------------------------------

    def _record_states(self) -> None:
        """Record the states of each poll, and never call sacct without an accounting database: the
        plugin does so if its query of MinJobAge takes too long.
        """
        has_accounting = _answer(["sacct", "--noheader", "--starttime=now"]) is not None
        if not has_accounting:
            self.workflow.executor_settings.status_command = "squeue"
        ask_age, ask_states = plugin.get_min_job_age, plugin.query_job_status

        async def states(command, logger):
            answer = await ask_states(command, logger)
            self._states = answer[0]
            return answer

        plugin.get_min_job_age = ask_age if has_accounting else lambda: inf
        plugin.query_job_status = states

    async def check_active_jobs(self, active_jobs):
        """Yield the jobs that go on, all but those whose end has been reported."""
        self._states, self._polled = None, active_jobs
        async for _ in super().check_active_jobs(active_jobs):
            pass
        if active_jobs and self._states is None:
            waiting = f"{len(active_jobs)} job{'s' * (len(active_jobs) > 1)}"
            self._warn_once("polls", f"Slurm does not answer; waiting for it: {waiting}")
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
        """Also cancel the jobs that are being polled, which Snakemake does not count meanwhile."""
        super().cancel_jobs([*active_jobs, *filter(self._goes_on, self._polled)])

    def _goes_on(self, job: SubmittedJobInfo) -> bool:
        return job.external_jobid not in self._ended

    def _end_unknown_jobs(self, active_jobs) -> None:
        """End the jobs that Slurm has forgotten, as successful if their output exists: files get
        their final names only when they are complete.
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
        """Warn of each pending job that will not start by itself."""
        if not self._due("reasons"):
            return
        command = ["squeue", "--noheader", "--states=PENDING", f"--name={self.run_uuid}"]
        answer = _answer([*command, "--format=%i|%P|%r"])
        names = {job.external_jobid: _name(job.job) for job in active_jobs}
        for line in (answer or "").splitlines():
            number, partition, reason = (*line.split("|"), "", "")[:3]
            if STUCK.search(reason) and number in names:
                text = f"job {number} waits in partition {partition!r}: {reason}"
                self._warn_once(number, f"{names[number]}: {text}", again=inf)

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
        """Reduce the time that a job requests to what its eligible partitions allow."""
        resources = dict(job.resources.items())
        limit = self._site.time_limit(resources, job.threads)
        if (resources.get("runtime") or 0) > limit:
            resources["runtime"] = int(limit)
            job._resources = resources if job.is_group() else ResourceList(fromdict=resources)

    def run_job(self, job):
        try:
            super().run_job(job)
        except Exception as error:  # for a group of jobs the plugin's own handler fails
            self._report_job_error_threadsafe(
                SubmittedJobInfo(job), str(error.__context__ or error)
            )

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str):
        """Handle a failed submission: try again after a pause if Slurm could not be reached, or is
        full while jobs of this run are in the queue; else pause before the job's next attempt.

        The plugin calls this for submissions only.
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

    def _after(self, seconds: float, function, *arguments) -> None:
        def run():
            with contextlib.suppress(RuntimeError):  # the run has ended meanwhile
                function(*arguments)

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        timer.start()

    # -- warnings --------------------------------------------------------------------------------

    def _due(self, subject: str, again: float = REMINDER) -> bool:
        """Whether the last warning on a subject is at least `again` seconds old; restarts the
        clock if so.
        """
        now = time.monotonic()
        if now - self._last_warned.get(subject, -inf) < again:
            return False
        self._last_warned[subject] = now
        return True

    def _warn_once(self, subject: str, text: str, again: float = REMINDER) -> None:
        if self._due(subject, again):
            self.logger.warning(f"cluster: {text}")


def _name(job) -> str:
    """A job's name in messages: its first output file, or its rule."""
    return next(iter(job.output), None) or job.name


def _sentence(message: str) -> str:
    """Slurm's own message, on one line."""
    match = SENTENCE.search(message)
    return " ".join((match[1] if match else message).split())


def _answer(command: list[str]) -> str | None:
    """Output of a command; None if it fails or takes longer than a minute."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _forgotten(number: str) -> bool:
    """Whether Slurm answers that it does not know a job; False if it does not answer."""
    command = ["scontrol", "--oneliner", "show", "job", number]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode != 0 and "Invalid job id" in done.stderr
