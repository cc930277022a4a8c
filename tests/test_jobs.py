"""Jobs, in their own process and in forks of one that has torch loaded."""

import json
import os
import pickle
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from standin import standin

from uncanny.workflow import fork_client, fork_server, jobs

SCRIPT = """
import os, sys, time
def main(snakemake):
    print("to the log", os.getpid(), "torch" in sys.modules)
    if snakemake.params.action == "fail":
        raise ValueError("config: key, value, expectation")
    if snakemake.params.action == "bug":
        {}["missing"]
    if snakemake.params.action == "sleep":
        time.sleep(60)
    if snakemake.params.action == "die":
        os.kill(os.getpid(), 9)
"""

RUN = """
if __name__ == "__main__":
    import pickle, sys
    sys.path.extend({path!r})
    from uncanny.workflow import jobs
    jobs.run({script!r}, pickle.loads({snakemake!r}))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return str(path)


def job(tmp_path, action):
    return standin(tmp_path / "logs" / "rule" / "a.log", params={"action": action})


def test_output_goes_to_the_log_and_a_benchmark_is_kept(tmp_path, script):
    assert jobs.execute(script, job(tmp_path, "work")) == 0
    assert "to the log" in (tmp_path / "logs/rule/a.log").read_text()
    record = json.loads((tmp_path / "benchmarks/rule/a.json").read_text())
    assert record["seconds"] >= 0
    assert record["peak_memory_mb"] > 1


def test_a_users_mistake_is_one_line_and_a_traceback_in_the_log(tmp_path, script, capsys):
    assert jobs.execute(script, job(tmp_path, "fail")) == 1
    error = capsys.readouterr().err
    assert error.startswith("rule: config: key, value, expectation (log: ")
    assert error.count("\n") == 1
    assert "Traceback" in (tmp_path / "logs/rule/a.log").read_text()
    assert not (tmp_path / "benchmarks").exists()


def test_a_bug_names_its_kind(tmp_path, script, capsys):
    assert jobs.execute(script, job(tmp_path, "bug")) == 1
    assert "KeyError" in capsys.readouterr().err


@pytest.fixture(scope="module")
def server():
    """A server whose parent is this process; its jobs are started with the returned environment."""
    before, python = os.environ.get(fork_server.VARIABLE), sys.executable
    fork_server.start()
    sys.executable = python
    yield os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    folder = os.path.dirname(os.environ[fork_server.VARIABLE])
    if before is None:
        del os.environ[fork_server.VARIABLE]
    subprocess.run(["pkill", "-f", folder], check=False)


def command(script, snakemake):
    """What Snakemake starts for a job: its script, with the job's values in it."""
    filled = RUN.format(path=sys.path, script=script, snakemake=pickle.dumps(snakemake))
    whole = Path(script).with_name("whole.py")
    whole.write_text(Path(script).read_text() + filled)
    return [sys.executable, "-IS", fork_client.__file__, str(whole)]


def client(environment, script, snakemake):
    return subprocess.Popen(
        command(script, snakemake), env=environment, stderr=subprocess.PIPE, text=True
    )


def pid_in_log(tmp_path):
    deadline = time.time() + 60
    log = tmp_path / "logs/rule/a.log"
    while time.time() < deadline:
        if log.exists() and "to the log" in log.read_text():
            return int(log.read_text().split()[3])
        time.sleep(0.05)
    raise AssertionError("the job did not start")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().split()[2] != "Z"


def test_a_forked_job_has_torch_and_its_own_process(tmp_path, script, server):
    process = client(server, script, job(tmp_path, "work"))
    assert process.wait(60) == 0, process.stderr.read()
    text = (tmp_path / "logs/rule/a.log").read_text()
    assert text.split()[4] == "True"
    assert int(text.split()[3]) != process.pid


def test_a_forked_job_fails_as_a_job_of_its_own_would(tmp_path, script, server):
    process = client(server, script, job(tmp_path, "fail"))
    assert process.wait(60) == 1
    assert "config: key, value, expectation" in process.stderr.read()


def test_a_forked_job_that_is_killed_fails(tmp_path, script, server):
    process = client(server, script, job(tmp_path, "die"))
    assert process.wait(60) == 1
    assert "was killed" in process.stderr.read()


def ends(pid, seconds):
    """Whether a process is gone within so many seconds."""
    deadline = time.time() + seconds
    while alive(pid) and time.time() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_a_forked_job_ends_with_the_job_that_asked_for_it(tmp_path, script, server):
    process = client(server, script, job(tmp_path, "sleep"))
    pid = pid_in_log(tmp_path)
    assert alive(pid)
    process.kill()
    process.wait()
    assert ends(pid, 60)


def test_the_server_ends_with_its_parent(tmp_path):
    code = "import os; from uncanny.workflow import fork_server; fork_server.PRELOADED = (); fork_server.start(); print(os.environ[fork_server.VARIABLE])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    folder = os.path.dirname(done.stdout.strip())
    deadline = time.time() + 30
    while os.path.exists(folder) and time.time() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(folder)


PARENT = """
import os, subprocess, sys, time
from uncanny.workflow import fork_server
fork_server.PRELOADED = ()
fork_server.start()
subprocess.Popen(sys.argv[1:])
time.sleep(60)
"""


def test_jobs_end_with_the_snakemake_that_was_killed(tmp_path, script):
    """Or they would write beside those of the next run."""
    task = command(script, job(tmp_path, "sleep"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *task], env=environment)
    pid = pid_in_log(tmp_path)
    parent.kill()
    parent.wait()
    assert ends(pid, 30)


def test_a_folder_that_allows_no_socket_is_no_obstacle(tmp_path, monkeypatch, capsys):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    monkeypatch.delenv(fork_server.VARIABLE, raising=False)
    fork_server.start()
    assert fork_server.VARIABLE not in os.environ
    assert "without a shared process" in capsys.readouterr().err
    assert list(deep.iterdir()) == []


def test_without_a_server_the_job_runs_in_its_own_process(tmp_path, script):
    environment = {k: v for k, v in os.environ.items() if k != fork_server.VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    process = client(environment, script, job(tmp_path, "work"))
    assert process.wait(60) == 0
    assert (tmp_path / "logs/rule/a.log").read_text().split()[3:] == [str(process.pid), "False"]
