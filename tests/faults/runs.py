"""A study as a user runs it, with all processes that come of it."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

CONFIG = "tests/faults/faults.yaml"
HALTING = Path(__file__).parent / "halting"
LONG = 900.0  # seconds after which a run hangs


class Run:
    """Snakemake in a folder, in a process group of its own.

    halt: (pattern of a path, moment) at which the process that writes such a file stops: see
    `halting/sitecustomize.py`.
    """

    def __init__(self, folder, *arguments, config=CONFIG, halt=None, prefix=()):
        self.folder, self.name = Path(folder), f"run-{uuid.uuid4().hex[:12]}"
        self.printed = self.folder.parent / f"{self.name}.txt"
        self.begun = time.monotonic()
        self.mark = self.folder.parent / f"{self.name}.mark"
        environment = os.environ | {"UNCANNY_RUN": self.name, "OMP_NUM_THREADS": "1"}
        if halt:
            environment |= {"PYTHONPATH": str(HALTING)}
            environment |= {"UNCANNY_HALT": "\n".join([*halt, str(self.mark)])}
        command = [*prefix, sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        with self.printed.open("w") as file:
            self.process = subprocess.Popen(
                [*command, "--configfile", config], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    def text(self) -> str:
        return self.printed.read_text(errors="replace")

    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self) -> int:
        return self.process.wait(LONG)

    def until(self, condition) -> bool:
        """Wait for a condition; False if the run ended before."""
        deadline = time.monotonic() + LONG
        while not condition():
            if self.ended():
                return bool(condition())
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} hangs:\n{self.text()[-3000:]}")
            time.sleep(0.03)
        return True

    # ---- Its processes ------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Command lines of all living processes of the run, by id."""
        mark = f"UNCANNY_RUN={self.name}\0".encode()
        result = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                if mark in Path(entry.path, "environ").read_bytes() + b"\0":
                    line = Path(entry.path, "cmdline").read_bytes()
                    result[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
        return {pid: line for pid, line in result.items() if line}  # the dead have none

    def jobs(self) -> list[int]:
        """The processes that Snakemake started for its jobs."""
        lines = self.processes().items()
        return [pid for pid, line in lines if ".snakemake/scripts/" in line and "bash" not in line]

    def workers(self) -> list[int]:
        """The forks in which jobs do their work."""
        lines = self.processes().items()
        servers = [pid for pid, line in lines if "uncanny.workflow.fork_server" in line]
        return [pid for pid in servers if parent(pid) in servers]

    def halted(self) -> int | None:
        """The process that waits at the file, if one does."""
        text = self.mark.read_text() if self.mark.exists() else ""
        return int(text) if text else None

    def let_go(self) -> None:
        self.mark.with_name(f"{self.mark.name}.go").touch()

    def end(self) -> None:
        """Kill whatever is left."""
        while result := self.processes():
            for pid in result:
                kill(pid)
            time.sleep(0.05)
        self.process.wait()


def parent(pid: int) -> int | None:
    """Id of a process's parent; None where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


# ---- Faults -----------------------------------------------------------------------------------
# Each kills something of a run with SIGKILL, and says whether there was something to kill.


def a_job(run: Run, rng: random.Random) -> bool:
    """The process that Snakemake started, and not the fork that works for it."""
    return _one(run.jobs(), rng)


def a_worker(run: Run, rng: random.Random) -> bool:
    """The process that works, as a machine without memory does it."""
    return _one([run.halted()] if run.halted() else run.workers(), rng)


def snakemake(run: Run, rng: random.Random) -> bool:
    """Snakemake alone: its jobs go on."""
    return _one([] if run.ended() else [run.process.pid], rng)


def process_group(run: Run, rng: random.Random) -> bool:
    """Snakemake and its jobs, as a terminal that is closed the hard way."""
    if run.ended():
        return False
    os.killpg(run.process.pid, signal.SIGKILL)
    return True


def everything(run: Run, rng: random.Random) -> bool:
    """All processes at once, as a power cut."""
    if run.ended():
        return False
    result = run.processes()
    for stop in (signal.SIGSTOP, signal.SIGKILL):
        for pid in result:
            try:
                os.kill(pid, stop)
            except ProcessLookupError:
                continue
    run.end()
    return True


def _one(pids: list[int], rng: random.Random) -> bool:
    if pids:
        kill(rng.choice(sorted(pids)))
    return bool(pids)


FAULTS = {f.__name__: f for f in (a_job, a_worker, snakemake, process_group, everything)}
