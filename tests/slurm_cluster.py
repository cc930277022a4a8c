"""A throwaway Slurm on this machine: a CPU node and two GPU nodes, for as long as a block lasts.

GPUs are counted resources, no hardware is needed. Everything lies in one temporary folder; nothing of a Slurm that the
machine may have is touched. Started as a program, this module is Snakemake with a shorter pause between two looks at
its jobs.
"""

import asyncio
import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = (
    "sbatch",
    "srun",
    "squeue",
    "scancel",
    "scontrol",
    "sinfo",
    "sacct",
    "sacctmgr",
    "sshare",
)
NODES = ("cpu1", "gpu1", "gpu2")
MARK = "UNCANNY_TEST_CLUSTER"  # in the environment of every process that belongs to a cluster
SECONDS = 120.0  # a machine that is busy with other things takes its time
QUIET = 200.0  # no job changes its state: longer than a time limit and what follows it
LONGEST = 900.0
FAILURES = (AssertionError, subprocess.SubprocessError)  # of a command

SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
MessageTimeout=60
TCPTimeout=20
BatchStartTimeout=120
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=1
MinJobAge=3600
KillWait=60
UnkillableStepTimeout=300
SlurmdTimeout=300
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
NodeName=cpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=20000
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=20000 Gres=gpu:1
NodeName=gpu2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=2 RealMemory=20000 Gres=gpu:1
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes=gpu[1-2] MaxTime=INFINITE
"""
GRES_CONF = "NodeName=gpu[1-2] Name=gpu File=/dev/null\n"  # a count without a file is refused

# Slurm's own limits count for a busy machine too: a job that is not launched within cred_expire is held for good, and
# one that is put back into the queue waits as long; a node that does not answer in time loses its jobs.


def lacking():
    """Why there can be no cluster here, or None."""
    missing = [name for name in (*DAEMONS, *CLIENTS[:6]) if _program(name) is None]
    return f"no {', '.join(missing)} (apt-get install slurm-wlm munge)" if missing else None


def _program(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def waited(condition, what, seconds=SECONDS):
    """The first true value of a function that is asked again and again. what: a message, or a function that makes it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")


@contextlib.contextmanager
def running():
    """A cluster that is up, and down at the end of the block, whatever happens in it."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # sockets want short paths
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """Daemons, and the commands of a user."""

    def __init__(self, folder):
        self.folder, self.daemons = folder, {}
        path = f"{folder}/bin:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        foreign = ("SLURM_", "SBATCH_", "SRUN_", "SNAKEMAKE_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.environment = kept | {"PATH": path, MARK: str(folder)}

    def start(self):
        self._write()
        munge = [
            f"--{what}={self.folder}/munge/{what}"
            for what in ("key-file", "pid-file", "log-file", "seed-file")
        ]
        self._launch(
            "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *munge
        )
        waited((self.folder / "munge.socket").exists, lambda: f"munge: {self._log_of('munged')}")
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        waited(
            lambda: list(self.nodes().values()) == ["idle"] * 3,
            lambda: f"a cluster that is up\n{self.report()}",
        )

    def start_controller(self):
        self._launch("slurmctld", "-D", "-f", f"{self.folder}/slurm.conf")

    def stop_controller(self):
        """No command of Slurm is answered from now on; jobs that run go on."""
        self.daemons["slurmctld"].terminate()
        self.daemons["slurmctld"].wait(60)

    @contextlib.contextmanager
    def replaced(self, name, script):
        """One of a user's commands is another script; `real` in it is the command."""
        path = self.folder / "bin" / name
        before = path.read_text()
        path.write_text(f"#!/bin/bash\nreal() {{\n{before.replace('exec ', '')}}}\n{script}\n")
        try:
            yield
        finally:
            path.write_text(before)

    @contextlib.contextmanager
    def impatient(self, *names):
        """Some of a user's commands wait two seconds for an answer, not a minute."""
        conf = (self.folder / "slurm.conf").read_text()
        (self.folder / "quick.conf").write_text(
            conf.replace("MessageTimeout=60", "MessageTimeout=2")
        )
        with contextlib.ExitStack() as stack:
            for name in names:
                quick = f'SLURM_CONF={self.folder}/quick.conf exec {_program(name)} "$@"'
                stack.enter_context(self.replaced(name, quick))
            yield

    def start_node(self, node):
        self._launch(
            "slurmd", "-D", "-N", node, "-f", f"{self.folder}/slurm.conf", name=f"slurmd-{node}"
        )

    def stop(self):
        """End what this cluster has started: daemons first, so that nothing begins anew, then all that is left."""
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in self.daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
        waited(self._killed, lambda: f"an end of processes {self.processes()}")

    def _killed(self):
        for pid in self.processes():
            _kill(pid)
        return not self.processes()

    def command(self, *arguments, attempts=3):
        """Output of one of Slurm's commands; a controller that is busy is asked again."""
        done = subprocess.run(
            arguments, env=self.environment, capture_output=True, text=True, timeout=60
        )
        if done.returncode and attempts > 1:
            time.sleep(1)
            return self.command(*arguments, attempts=attempts - 1)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.returncode} {done.stderr}"
        return done.stdout

    def clear(self):
        """No job is left, neither waiting nor frozen."""
        self.command("scancel", f"--user={getpass.getuser()}")
        for pid in self.processes():
            if variable(pid, "SLURM_JOB_ID") and "slurmstepd" not in _read(pid, "cmdline"):
                _kill(pid)
        waited(lambda: not self.command("squeue", "--noheader"), "the queue is empty")

    def states(self):
        """Number and state of every job there was."""
        return self.command("squeue", "--noheader", "--states=all", "--format=%i %T")

    def report(self):
        """What Slurm says of jobs and nodes, and its daemons, for a message."""
        answers = []
        for command in (
            ["squeue", "--format=%i %T %M of %l, %N, %r: %k"],
            ["sinfo", "--Node", "--format=%N %T %E"],
        ):
            with contextlib.suppress(*FAILURES):
                answers.append(self.command(*command, attempts=1))
        return "\n".join(
            [*answers, self._log_of("slurmctld", *(f"slurmd-{node}" for node in NODES))]
        )

    def nodes(self):
        """State of each node, in Slurm's words; none while the controller does not answer."""
        with contextlib.suppress(*FAILURES):
            lines = self.command("sinfo", "--noheader", "--Node", "--format=%N %T", attempts=1)
            return dict(line.split() for line in lines.splitlines())
        return {}

    def jobs(self):
        """Slurm's records of all jobs, oldest first: fields by name."""
        text = self.command("scontrol", "show", "job", "--detail", "--oneliner")
        result = [
            dict(re.findall(r"(\S+?)=(.*?) *(?= \S+?=|$)", line))
            for line in text.splitlines()
            if "JobId=" in line
        ]
        return sorted(result, key=lambda job: int(job["JobId"]))

    def job_of(self, pid):
        """Slurm's record of the job that a process belongs to; empty if it has ended."""
        number = variable(pid, "SLURM_JOB_ID")
        return next((job for job in self.jobs() if job["JobId"] == number), {})

    def processes(self, *words):
        """Processes of this cluster whose command line has all these words."""
        return [
            pid
            for pid in _pids()
            if all(w in _read(pid, "cmdline") for w in words) and _belongs(pid, self.folder)
        ]

    def _write(self):
        for name in ("bin", "state", "munge", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)  # munge wants its socket to be reachable by all
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge/key-file"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        conf = SLURM_CONF.format(
            folder=self.folder, host=host, user=getpass.getuser(), ports=_free_ports(4)
        )
        (self.folder / "slurm.conf").write_text(conf)
        (self.folder / "gres.conf").write_text(GRES_CONF)
        for name in CLIENTS:  # not by a variable: the executor takes SLURM_… out of what jobs start
            script = self.folder / "bin" / name
            script.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_program(name)} "$@"\n'
            )
            script.chmod(0o755)

    def _launch(self, program, *arguments, name=None):
        name = name or program
        with (self.folder / f"{name}.out").open("w") as out:
            self.daemons[name] = subprocess.Popen(
                [_program(program), *arguments], env=self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def _log_of(self, *names):
        """What daemons have said so far, for a message."""
        files = [self.folder / f"{name}{suffix}" for name in names for suffix in (".out", ".log")]
        return "\n".join(f"{f.name}:\n{_tail(f, 1500)}" for f in files if f.exists())


def _heed_interrupts():
    """What a shell starts in the background ignores them, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """Snakemake that hands its jobs to a cluster. It ends, or it is ended with all that belongs to it."""

    def __init__(self, cluster, folder, arguments):
        command = [sys.executable, __file__, "--profile", "slurm", "--latency-wait", "10"]
        command += ["--slurm-init-seconds-before-status-checks", "1", *arguments]
        self.cluster, self.folder = cluster, folder
        self.log = folder / f"run-{len(list(folder.glob('run-*.log')))}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=cluster.environment, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=_heed_interrupts,
            )  # fmt: skip

    def text(self):
        """What it has said so far."""
        return self.log.read_text()

    def watched(self, step=lambda: False, longest=LONGEST):
        """Ask `step()` again and again until it is true or the run has ended; what it said last.

        Where nothing happens, or for too long, the run is ended, with one message on what everybody was at.
        """
        started = news = asked = time.monotonic()
        result, before = None, None
        try:
            while not (result := step()) and self.process.poll() is None:
                now = time.monotonic()
                if now - asked > 3:
                    state, asked = (len(self.text()), self.cluster.states()), now
                    before, news = state, now if state != before else news
                assert now - news < QUIET, f"nothing has happened for {QUIET:.0f} s"
                assert now - started < longest, f"not within {longest:.0f} s"
                time.sleep(0.03)
        except Exception as error:
            report = f"{error}\n{self.cluster.report()}\nrun:\n{_tail(self.log, 5000)}"
            with contextlib.suppress(*FAILURES):
                self.end()
            raise AssertionError(report) from error
        return result

    def end(self):
        """Kill it and its jobs, and take its lock off the folder."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.cluster.clear()
        shutil.rmtree(self.folder / ".snakemake/locks", ignore_errors=True)


def _tail(path, count):
    return path.read_text(errors="replace")[-count:]


def _kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _pids():
    return [
        int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()
    ]


def _read(pid, name):
    try:
        return (
            Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""


def _belongs(pid, folder):
    return f"{MARK}={folder} " in _read(pid, "environ")


def heeds_sigterm(pid):
    """Whether a process has a handler of its own for SIGTERM."""
    result = re.search(r"SigCgt:\s*([0-9a-f]+)", _read(pid, "status"))
    return bool(result) and bool(int(result[1], 16) >> (signal.SIGTERM - 1) & 1)


def variable(pid, name):
    """A variable of a process's environment, or None."""
    result = re.search(rf"(?:^| ){name}=(\S*) ", _read(pid, "environ"))
    return result and result[1]


def _snakemake():
    """Snakemake that looks at its jobs every second; its own pauses grow to three minutes."""
    from snakemake.cli import main
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    async def shortly(self):
        await asyncio.sleep(1)

    RemoteExecutor.sleep = shortly
    main(sys.argv[1:])


if __name__ == "__main__":
    _snakemake()
