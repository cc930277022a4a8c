"""Jobs forked from one process that has torch loaded.

Importing torch and torch-fidelity takes longer than the computation of many jobs. While Snakemake
runs jobs on this machine, one server process has the modules imported and forks a child for each
job; the job's own process (`fork_client`) hands over its script and waits. Without a server (on a
cluster node, in a test) the script runs in the job's own process. A child ends with the job that
asked for it; the server ends with the Snakemake that started it, and ends all children, so that no
left-over process writes into the results of the next run.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from uncanny.workflow import fork_client
from uncanny.workflow.fork_client import LENGTH, VARIABLE

PRELOADED = (
    "numpy",
    "torch",
    "torch_fidelity",
    "pandas",
    "scipy.special",
    "seaborn",
    "snakemake.iocontainers",
    "uncanny.training.segments",
    "uncanny.sampling.job",
    "uncanny.evaluation.scoring",
    "uncanny.study.checks.data",
    "uncanny.workflow.jobs",
)


def start() -> None:
    """Start the server for all jobs of this process and its children; called once, by the main
    Snakemake, which from then on starts scripts with the client in place of Python. If the machine
    does not allow it, jobs run in their own processes.
    """
    folder = tempfile.mkdtemp(prefix="uncanny-")  # mode 0700: nobody else can connect
    path = os.path.join(folder, "warm")
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(path)
        except OSError as error:  # TMPDIR is too long, or its file system has no sockets
            print(f"jobs start without a shared process: {path}: {error}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            return
        listener.listen(128)  # jobs may connect while the server is still importing
        _launch(listener, folder)
    os.environ[VARIABLE] = path
    sys.executable += f" -IS {shlex.quote(fork_client.__file__)}"  # Snakemake appends the script


def _launch(listener: socket.socket, folder: str) -> None:
    descriptor = str(listener.fileno())
    subprocess.Popen(
        [
            *shlex.split(sys.executable),
            "-m",
            "uncanny.workflow.fork_server",
            descriptor,
            str(os.getpid()),
            folder,
        ],
        pass_fds=[listener.fileno()],
        cwd=Path(__file__).parents[2],
        start_new_session=True,  # Ctrl-C is for Snakemake and its jobs
        stdin=subprocess.DEVNULL,
    )


def serve(listener: socket.socket, parent: int) -> None:
    """Fork a child for each connection until the parent process is gone; end them with it."""
    try:
        for module in PRELOADED:
            importlib.import_module(module)
    except (ImportError, OSError, MemoryError) as error:  # each job will report it
        print(f"jobs start without a shared process: {error}", file=sys.stderr)
        return
    children = set()
    while os.getppid() == parent:
        ready, _, _ = select.select([listener], [], [], 1.0)
        if ready:
            connection, _ = listener.accept()
            child = os.fork()
            if child == 0:
                listener.close()
                _run_and_exit(_child, connection)
            children.add(child)
            connection.close()
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                children.discard(pid)
    for child in children:
        os.kill(child, signal.SIGTERM)  # training saves its state


def _run_and_exit(function, connection: socket.socket) -> None:
    """Run a function in a forked process, which must never return to the server's loop."""
    status = 1
    try:
        status = function(connection)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _child(connection: socket.socket) -> int:
    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 2)
    for target, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, target)
    script, folder, environment = json.loads(_receive(connection, *LENGTH.unpack(head)))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_exit_when_closed, args=(connection,), daemon=True).start()
    status = _status(script)
    connection.sendall(bytes([status]))
    return status


def _status(script: str) -> int:
    """Run a script as Python would; return its exit status."""
    sys.argv[:] = [script]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _receive(connection: socket.socket, count: int) -> bytes:
    content = bytearray()
    while len(content) < count:
        chunk = connection.recv(min(1 << 20, count - len(content)))
        if not chunk:
            os._exit(1)
        content += chunk
    return bytes(content)


def _exit_when_closed(connection: socket.socket) -> None:
    """Exit as soon as the job's own process closes the connection, as it does when killed."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    descriptor, parent, folder = sys.argv[1:]
    try:
        with socket.socket(fileno=int(descriptor)) as listener:
            serve(listener, int(parent))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
