"""What is done when Slurm is slow, down or refuses, with a stand-in for the plugin; test_slurm.py has a real one."""

import asyncio
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from uncanny.workflow import slurm_executor

DOWN = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
REFUSED = "sbatch: error: Batch job submission failed: Invalid feature specification"
FULL = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nBatch job submission failed: Job violates accounting/QOS policy"
MESSAGE = "SLURM sbatch failed. The error message was '{}'.\n    sbatch call:\n        sbatch …"


class Log(list):
    """What was said."""

    def warning(self, text):
        self.append(text)

    error = warning


class Later:
    """Timers that wait to be asked."""

    def __init__(self, monkeypatch):
        self.waiting = []
        monkeypatch.setattr(slurm_executor.threading, "Timer", self.timer)

    def timer(self, seconds, work):
        return SimpleNamespace(start=lambda: self.waiting.append((seconds, work)))

    def run(self):
        """The next one's pause, after its work."""
        seconds, work = self.waiting.pop(0)
        work()
        return seconds


class Job:
    """A job as the scheduler has it."""

    name, threads, restart_times, attempt = "train_model", 1, 2, 1

    def __init__(self, path="a.pt", group=False, **resources):
        self.output, self.group, self.resources = [path], group, resources

    def is_group(self):
        return self.group


@pytest.fixture
def later(monkeypatch):
    return Later(monkeypatch)


@pytest.fixture
def executor(monkeypatch):
    """An executor whose submissions and polls are for the test to answer."""
    for name, stand_in in {
        "__init__": lambda self, workflow, logger: None,
        "check_active_jobs": polls,
        "run_job": lambda self, job: self.submissions.pop(0)(job),
        "report_job_success": lambda self, info: self.ends.append((info.external_jobid, "done")),
        "report_job_error": lambda self, info, msg=None, **_: self.ends.append((info.external_jobid, msg)),
        "_report_job_error_threadsafe": lambda self, info, msg: self.ends.append((info.job, msg)),
        "cancel_jobs": lambda self, jobs: self.ends.extend(job.external_jobid for job in jobs),
    }.items():  # fmt: skip
        monkeypatch.setattr(plugin.Executor, name, stand_in)
    made = slurm_executor.Executor(None, None)
    made.logger, made.ends, made.answers, made.submissions = Log(), [], [], []
    made.active_jobs, made.run_uuid = [], "uncanny_x"
    made._job_submission_executor = SimpleNamespace(submit=lambda work, job: work(job))
    monkeypatch.setattr(slurm_executor, "_answer", lambda command: "")
    monkeypatch.setattr(slurm_executor, "_forgotten", lambda number: True)
    return made


async def polls(self, active_jobs):
    """As the plugin's: nobody goes on after a poll that failed."""
    self._states = self.answers.pop(0)
    for job in active_jobs:
        state = (self._states or {}).get(job.external_jobid, "PENDING")
        if state == "COMPLETED":
            self.report_job_success(job)
        elif self._states is not None:
            yield job


def polled(executor, jobs, *answers):
    """Numbers of the jobs that go on after so many polls."""
    executor.answers += answers

    async def once(jobs):
        return [job async for job in executor.check_active_jobs(jobs)]

    for _ in answers:
        jobs = asyncio.run(once(jobs))
    return [job.external_jobid for job in jobs]


def info(number, job=None):
    return SubmittedJobInfo(job or Job(), external_jobid=number)


# -- polls -----------------------------------------------------------------------------------------


def test_a_failed_poll_loses_no_job_and_is_said_once(executor):
    jobs = [info("1"), info("2")]
    assert polled(executor, jobs, None, None, None) == ["1", "2"]
    assert executor.logger == ["cluster: Slurm does not answer; waiting for it: 2 jobs"]
    assert polled(executor, jobs, {"1": "COMPLETED", "2": "RUNNING"}) == ["2"]
    assert executor.ends == [("1", "done")]
    assert executor.logger[1:] == ["cluster: Slurm answers again"]


def test_an_interrupt_during_a_poll_cancels_the_jobs_that_it_is_about(executor):
    executor._polled, executor._ended = [info("1"), info("2")], {"2"}
    executor.cancel_jobs([info("3")])
    assert executor.ends == ["3", "1"]


@pytest.mark.parametrize("complete", [True, False])
def test_a_job_that_slurm_has_forgotten_ends_by_its_files(executor, tmp_path, complete):
    path = tmp_path / "a.pt"
    if complete:
        path.touch()
    jobs = [info("7", Job(str(path)))]
    assert polled(executor, jobs, {}, {}) == ["7"]
    assert polled(executor, jobs, {}) == []
    assert executor.ends == [("7", "done" if complete else "Slurm no longer knows job 7. ")]


def test_a_job_that_slurm_only_does_not_list_goes_on(executor, monkeypatch):
    """Accounts come late: asked for by its number, Slurm knows the job."""
    monkeypatch.setattr(slurm_executor, "_forgotten", lambda number: False)
    assert polled(executor, [info("7")], {}, {}, {}, {}) == ["7"]
    assert polled(executor, [info("7_3")], {"7": "RUNNING"}) == ["7_3"]


def test_a_job_that_waits_in_vain_is_named_once(executor, monkeypatch):
    answer = "1|gpu|PartitionTimeLimit\n2|gpu|Priority\n"
    monkeypatch.setattr(slurm_executor, "_answer", lambda command: answer)
    polled(executor, [info("1", Job("a.pt")), info("2")], {"1": "PENDING", "2": "PENDING"}, {})
    assert executor.logger == ["cluster: a.pt: job 1 waits in partition 'gpu': PartitionTimeLimit"]


# -- submissions -----------------------------------------------------------------------------------


def fails(executor, text):
    """A submission as the plugin reports that it failed."""
    return lambda job: executor._report_job_error_threadsafe(info(None, job), MESSAGE.format(text))


def test_a_controller_that_is_down_uses_up_no_attempt(executor, later):
    taken = []
    executor.submissions = [*[fails(executor, DOWN)] * 7, taken.append]
    job = Job()
    executor.run_job(job)
    pauses = [later.run() for _ in range(7)]
    assert pauses == [10, 20, 40, 80, 160, 300, 300]
    assert (taken, executor.ends) == ([job], [])
    assert executor.logger[0] == f"a.pt: not submitted: {DOWN}; tried again in 10 s"


def test_a_refusal_pauses_before_the_next_attempt_and_is_handed_on(executor, later):
    job = Job()
    executor.submissions = [fails(executor, REFUSED)] * 2
    executor.run_job(job)
    assert executor.ends == []
    assert later.run() == 10
    assert executor.ends == [(job, MESSAGE.format(REFUSED))]
    job.attempt = 3  # the last
    executor.run_job(job)
    assert len(executor.ends) == 2
    assert not later.waiting


def test_a_full_queue_is_waited_for_while_our_own_jobs_fill_it(executor, later):
    executor.submissions, executor.active_jobs = [fails(executor, FULL)] * 2, [info("1")]
    executor.run_job(Job())
    executor.active_jobs = []
    assert later.run() == 10
    assert executor.ends == []
    assert later.run() == 20
    assert len(executor.ends) == 1


def test_the_sentence_of_a_refused_group_is_said(executor):
    executor.report_job_error(info(None, Job("b.json", group=True)), MESSAGE.format(REFUSED))
    assert executor.logger == [f"b.json: {REFUSED}"]


def test_an_error_that_the_plugin_cannot_report_is_reported(executor):
    """Its own handler asks a group for its rule."""

    def run(job):
        try:
            raise ValueError("account 'x' is not known")
        except ValueError:
            raise AttributeError("rule") from None

    job = Job(group=True)
    job.restart_times, executor.submissions = 0, [run]
    executor.run_job(job)
    assert executor.ends == [(job, "account 'x' is not known")]


def test_snakemake_uses_it_for_slurm():
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    slurm_executor.register()
    assert ExecutorPluginRegistry().get_plugin("slurm").executor is slurm_executor.Executor
