"""The workflow on a real Slurm: where its jobs run, and what becomes of scores when jobs, nodes and time limits fail.

Every fault comes while a training job is frozen in the midst of its training: that takes no luck, and no long jobs.
"""

import json
import os
import re
import signal
from pathlib import Path

import pytest
import slurm_cluster
from test_workflow import CONFIG, clone, edited, snakemake

from uncanny.workflow.partition_file import read

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

PLAN = ["--config", "milestones=[6]", "segment_epochs=6", "num_images=20"]
FAULTY = ["figure_2", "table_2"]
PARTITIONS = "profiles/slurm/partitions.yaml"
PREPARED = "results/tiny/datasets/digits/dataset.json"


@pytest.fixture(scope="module")
def cluster():
    if reason := slurm_cluster.lacking():
        pytest.skip(f"no cluster on this machine: {reason}")
    with slurm_cluster.running() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A clone in which the same study has run on this machine."""
    folder = clone(tmp_path_factory.mktemp("local"))
    done = snakemake(folder, *FAULTY, *PLAN, "seeds=[0,1,2,3]")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return clone(tmp_path_factory.mktemp("cluster"))


def submitted(cluster, folder, *arguments):
    """The workflow on the cluster, as it runs."""
    return slurm_cluster.Run(cluster, folder, [*arguments, "--configfile", CONFIG])


def finished(run, status=0):
    """What Snakemake has said, when it is done."""
    run.watched()
    assert (run.process.returncode == 0) == (status == 0), run.text()[-6000:]
    return run.text()


def scores(folder):
    """All score records but for their times, by path."""
    result = sorted((folder / "results/tiny/scores").rglob("*.json"))
    return {
        str(path.relative_to(folder)): {
            k: v for k, v in json.loads(path.read_text()).items() if k != "timing"
        }
        for path in result
    }


def seed(scores, number):
    return {path: score for path, score in scores.items() if f"/seed-{number}/" in path}


# -- faults -----------------------------------------------------------------------------------------
# Each gets the frozen process and Slurm's record of its job; it may return what has to be done once the process has gone.


def cancelled(cluster, pid, job):
    cluster.command("scancel", job["JobId"])


def killed(cluster, pid, job):
    os.kill(pid, signal.SIGKILL)


def requeued(cluster, pid, job):
    cluster.command("scontrol", "requeue", job["JobId"])


def node_down(cluster, pid, job):
    node = f"nodename={job['NodeList']}"
    cluster.command("scontrol", "update", node, "state=down", "reason=test")
    return lambda: cluster.command("scontrol", "update", node, "state=resume")


def out_of_time(cluster, pid, job):
    cluster.command("scontrol", "update", f"jobid={job['JobId']}", "TimeLimit=1")


# Time limits: put back into the queue; submitted again
ONCE, TWICE = ["00:21:00"], ["00:21:00", "00:42:00"]
FAULTS = {  # log of a job: fault, states and time limits of its submissions, whether the last one goes on from a state
    "train_model/vp_uncond/seed-0/epoch-6": (cancelled, ["CANCELLED", "COMPLETED"], TWICE, True),
    "train_model/vp_uncond/seed-1/epoch-6": (node_down, ["COMPLETED"], ONCE, None),  # nobody waits for such a node
    "train_model/vp_uncond/seed-2/epoch-6": (out_of_time, ["TIMEOUT", "COMPLETED"], ["00:01:00", TWICE[1]], True),
    "train_model/ddpm_cosine/seed-0/epoch-6": (requeued, ["COMPLETED"], ONCE, True),
    "train_classifier/noisy/digits-ddpm-cosine": (killed, ["FAILED", "COMPLETED"], TWICE, False),
}  # fmt: skip


def comment(log):
    """What Slurm's record of a job has as comment."""
    rule, _, wildcards = re.sub("seed-|epoch-", "", log).partition("/")
    return f"rule_{rule}_wildcards_{re.sub('[/-]', '_', wildcards)}"


def disturbed(run, faults):
    """Let each fault happen once, to a job that is frozen in the midst of training; Slurm's records of those jobs then."""
    cluster, waiting, names, after, seen = run.cluster, dict(faults), {}, {}, {}

    def look():
        for pid in cluster.processes(".train_"):
            if pid not in names:
                result = cluster.job_of(pid).get("Comment")
                names[pid] = next((name for name in waiting if comment(name) == result), None)
            if names[pid] in waiting and slurm_cluster.heeds_sigterm(pid):
                os.kill(pid, signal.SIGSTOP)
                name, job = names[pid], cluster.job_of(pid)
                devices = slurm_cluster.variable(pid, "CUDA_VISIBLE_DEVICES")
                seen[name] = job | {"devices": devices}
                after[pid] = waiting.pop(name)(cluster, pid, job)
        for pid in [pid for pid in after if not Path(f"/proc/{pid}").exists()]:
            repair = after.pop(pid)
            if repair:
                repair()
        return not waiting and not after

    run.watched(look)  # a run that was interrupted may be gone before its jobs are
    assert not waiting, f"no such jobs: {list(waiting)}\n{run.text()[-6000:]}"
    return seen


@pytest.fixture(scope="module")
def faulty(cluster, folder):
    """The study on the cluster, while it goes wrong in every way; what was seen of the jobs that failed."""
    run = submitted(cluster, folder, *FAULTY, *PLAN, "seeds=[0,1,2]")
    seen = disturbed(run, {name: fault for name, (fault, *_) in FAULTS.items()})
    finished(run)
    return seen


def rule(job):
    """The rule of a job; "cell" of the group."""
    return re.match(r"rule_(cell|\w+?(?=_wildcards_|$))", job["Comment"])[1]


# -- where jobs run ---------------------------------------------------------------------------------


def test_jobs_that_need_a_gpu_and_no_others_have_one(cluster, faulty):
    """From Slurm's own records."""
    for job in cluster.jobs():
        needs_one = rule(job) not in ("prepare_dataset", "gather_samples", "gather_many_samples")
        assert job["Partition"] == ("gpu" if needs_one else "cpu"), job
        assert ("gres:gpu" in job.get("TresPerJob", "")) == needs_one, job
        if job["JobState"] == "COMPLETED":
            assert re.match("gpu" if needs_one else "cpu", job["NodeList"]), job
            assert job["NumCPUs"] == "1", job


def test_a_job_sees_its_device(faulty):
    assert {name: job["devices"] for name, job in faulty.items()} == dict.fromkeys(FAULTS, "0")


def test_sampling_and_scoring_of_a_cell_are_one_submission(cluster, faulty):
    names = [rule(job) for job in cluster.jobs() if job["JobState"] == "COMPLETED"]
    assert names.count("cell") == 6
    assert not {"draw_samples", "score_samples"} & set(names)


# -- what becomes of results ------------------------------------------------------------------------


def test_scores_are_those_of_an_undisturbed_local_run(folder, local, faulty):
    ours, theirs = scores(folder), scores(local)
    assert len(ours) == 7  # two cells of three seeds, and the real images
    assert ours == {path: theirs[path] for path in ours}


def test_weights_are_those_of_an_undisturbed_local_run(folder, local, faulty):
    result = [path.relative_to(folder) for path in (folder / "results/tiny").rglob("epoch-*.pt")]
    assert len(result) == 4
    for path in result:
        assert (folder / path).read_bytes() == (local / path).read_bytes(), path


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_happened_and_was_survived(cluster, folder, faulty, name):
    """From Slurm's records: what became of each submission, and that a new one asks for more time."""
    _, states, limits, goes_on = FAULTS[name]
    attempts = [job for job in cluster.jobs() if job["Comment"] == comment(name)]
    assert [attempt["JobState"] for attempt in attempts] == states
    assert [attempt["TimeLimit"] for attempt in attempts] == limits
    assert attempts[-1]["Restarts"] == str(2 - len(states))
    log = (folder / f"results/tiny/logs/{name}.log").read_text()
    assert goes_on in (None, "goes on from" in log)
    print(
        f"{name}: {FAULTS[name][0].__name__} -> {', '.join(states)}; restarts {attempts[-1]['Restarts']}"
    )


def test_nothing_unfinished_is_left(folder, faulty):
    assert not list((folder / "results").rglob("*.unfinished.pt"))
    assert not list((folder / ".snakemake/incomplete").rglob("*"))


def test_an_interrupted_run_ends_its_jobs_and_the_same_command_goes_on(
    cluster, folder, local, faulty
):
    command = [*FAULTY, *PLAN, "seeds=[3]"]
    run = submitted(cluster, folder, *command)
    job = "train_model/vp_uncond/seed-3/epoch-6"
    disturbed(run, {job: lambda *_: run.process.send_signal(signal.SIGINT)})
    finished(run, status=1)
    slurm_cluster.waited(lambda: not cluster.command("squeue", "--noheader"), cluster.report)
    run = submitted(cluster, folder, *command)
    assert run.watched(lambda: cluster.processes("draw_samples.py")), run.text()[-6000:]
    run.process.kill()
    run.process.wait()
    cluster.command("scancel", "--partition=gpu")
    unlocked = snakemake(folder, "--unlock", *PLAN)
    assert unlocked.returncode == 0, unlocked.stderr
    finished(submitted(cluster, folder, *command))
    assert seed(scores(folder), 3) == seed(scores(local), 3)


# -- a controller that is slow, down, or refuses ----------------------------------------------------

SEGMENT = "results/tiny/checkpoints/vp_uncond/seed-0/epoch-1.pt"
REFERENCE = "results/tiny/features/tiny_cnn/digits-train.npz"
CELL = "results/tiny/scores/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json"
ONE = [SEGMENT, "--config", "milestones=[1]", "segment_epochs=1"]
FIRST_FAILS = """
if mkdir "$0.failed"; then
    echo "sbatch: error: Batch job submission failed: Unable to contact slurm controller" >&2; exit 1
fi
real "$@"
"""
SLOW = '[[ "$*" == "show config" && -e "$0.slow" ]] && sleep 11; real "$@"'


def test_a_run_outlives_its_controller(cluster, tmp_path):
    """Submissions and polls fail for a while: no job is lost, and no attempt is used up."""
    folder = clone(tmp_path)
    with cluster.impatient("squeue"), cluster.replaced("sbatch", FIRST_FAILS):
        run = submitted(cluster, folder, *ONE, "--slurm-status-attempts", "1")
        assert run.watched(lambda: cluster.processes(".train_model")), run.text()[-6000:]
        pid = cluster.processes(".train_model")[-1]
        os.kill(pid, signal.SIGSTOP)
        cluster.stop_controller()
        assert run.watched(lambda: "Slurm does not answer" in run.text())
        cluster.start_controller()
        os.kill(pid, signal.SIGCONT)
        text = finished(run)
    assert text.count("not submitted: sbatch: error: Batch job submission failed: Unable") == 1
    assert text.count("Slurm does not answer; waiting for it: 1 job") == 1
    assert "Slurm answers again" in text
    assert "Trying to restart" not in text


def test_one_slow_answer_without_accounts_loses_no_job(cluster, tmp_path):
    """The plugin would then ask for accounts that the cluster does not keep."""
    folder = clone(tmp_path)
    with cluster.replaced("scontrol", SLOW):
        run = submitted(cluster, folder, PREPARED, *ONE[1:])
        assert run.watched(lambda: cluster.processes(".prepare_dataset")), run.text()[-6000:]
        (cluster.folder / "bin/scontrol.slow").touch()
        finished(run)


def test_jobs_ask_for_no_more_time_than_their_partition_gives(cluster, tmp_path):
    """The site's file allows three days, Slurm eight hours: the job would wait for ever."""
    folder = clone(tmp_path)
    cluster.command("scontrol", "update", "partitionname=gpu", "MaxTime=480")
    try:
        cluster.command("generate-slurm-partition-config", "-o", str(folder / "site.yaml"))
        more = ("--set-resources", "train_model:runtime=720")
        text = finished(submitted(cluster, folder, *ONE, *more))
    finally:
        cluster.command("scontrol", "update", "partitionname=gpu", "MaxTime=INFINITE")
    assert text.count("partition 'gpu' limits jobs to 8 h: train_model (12 h) request that") == 1
    assert cluster.jobs()[-1]["TimeLimit"] == "08:00:00"
    assert cluster.jobs()[-1]["Account"] == "(null)"  # Slurm's default: none is guessed
    listed = read(folder / "site.yaml")  # as docs/cluster.md has it written
    assert listed["gpu"]["max_runtime"] == 480


def test_a_group_that_is_refused_shows_slurms_own_sentence(cluster, tmp_path):
    folder = clone(tmp_path)
    done = snakemake(folder, REFERENCE, *ONE)  # all that the cell needs
    assert done.returncode == 0, done.stdout + done.stderr
    refused = ["--retries", "0", "--set-resources", "draw_samples:constraint=nosuch"]
    text = finished(submitted(cluster, folder, CELL, *ONE[1:], *refused), status=1)
    sentence = "json: sbatch: error: Batch job submission failed: Invalid feature specification"
    assert sentence in text
    assert "Traceback" not in text


def test_jobs_that_slurm_forgets_end_by_their_files(cluster, tmp_path):
    """Without accounts, and where finished jobs are not kept: nobody says how a job ended."""
    folder = clone(tmp_path)
    known = 'real "$@" | grep -v "|COMPLETED"; exit 0'
    gone = '[[ "$*" == *"show job"* ]] && { echo Invalid job id >&2; exit 1; }; real "$@"'
    with cluster.replaced("squeue", known), cluster.replaced("scontrol", gone):
        finished(submitted(cluster, folder, PREPARED, *ONE[1:]))


# -- mistakes ---------------------------------------------------------------------------------------

MISTAKES = {
    "a partition that is not there": ("gpu: {", "gpux: {", "no partition 'gpux' on this cluster; it has cpu, gpu"),
    "no partition with GPUs": (", max_gpu: 1", "", "no partition has max_gpu, but jobs need a GPU"),
    "GPUs where there are none": ("cpu: {", "cpu: {max_gpu: 1, ", "partition 'cpu' has max_gpu: it offers no GPU"),
    "less memory than jobs need": ("gpu: {", "gpu: {max_mem_mb: 4000, ", "which requests threads=1, gpu=1, mem_mb=8000"),
    "a time that has two meanings": ("gpu: {max_runtime: 3d", "gpu: {max_runtime: 30:00", "partition 'gpu': max_runtime: 30:00; expected a number of minutes"),
    "a misspelt limit": (", max_gpu: 1", ", max_gpus: 1", "partition 'gpu': max_gpus: unknown limit; did you mean 'max_gpu'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A clone in which nothing has run."""
    return clone(tmp_path_factory.mktemp("fresh"))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_the_site_is_one_message_before_any_job(cluster, fresh, mistake):
    old, new, message = MISTAKES[mistake]
    before = len(cluster.jobs())
    with edited(fresh, PARTITIONS, (old, new)):
        text = finished(submitted(cluster, fresh, "figure_1", *PLAN, "seeds=[7]"), status=1)
    assert text.count(message) == 1
    assert "Traceback" not in text
    assert len(cluster.jobs()) == before
