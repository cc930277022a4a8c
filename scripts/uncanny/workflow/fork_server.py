"""Jobs forked from one process that has torch loaded.

Importing torch and torch-fidelity takes longer than many a cell's arithmetic and would be paid by
every job. While Snakemake runs jobs on this machine, one server process holds the imports and forks
a child for each job; the job's own process hands its work over and waits. Where no server listens
(a cluster node, a test) the job runs in its own process. A child ends with the job that asked for
it; the server ends with the Snakemake that started it, and ends all children: nothing that is left
over writes into the results of the next run.
"""

import contextlib
import importlib
import os
import pickle
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

VARIABLE = "UNCANNY_WARM_SOCKET"
PRELOADED = (
    "numpy",
    "torch",
    "torch_fidelity",
    "pandas",
    "matplotlib.pyplot",
    "snakemake.iocontainers",
)
LENGTH = struct.Struct("!Q")


def start() -> None:
    """Start the server for all jobs of this process and its children; called once, by the main
    Snakemake. Where the machine does not allow it, jobs run in their own processes.
    """
    folder = tempfile.mkdtemp(prefix="uncanny-")  # mode 0700: nobody else can connect
    path = os.path.join(folder, "warm")
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(path)
        except OSError as error:  # a long TMPDIR, a file system without sockets
            print(f"jobs start without a shared process: {path}: {error}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            return
        listener.listen(128)  # jobs may connect while the server is still importing
        _launch(listener, folder)
    os.environ[VARIABLE] = path


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


def call(task: tuple[str, object]) -> int | None:
    """Have the server run a job in a fork of itself; exit status, or None where no server listens.

    task: (path of a script with `main`, its snakemake object); standard output and error are this
    process's.
    """
    path = os.environ.get(VARIABLE)
    if not path or not os.path.exists(path):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        surroundings = (sys.path, os.getcwd(), dict(os.environ))
        message = pickle.dumps(
            (surroundings, pickle.dumps(task))
        )  # the task needs the path before it is read
        try:
            connection.connect(path)
            socket.send_fds(connection, [LENGTH.pack(len(message))], [1, 2])
            connection.sendall(message)
            status = connection.recv(1)
        except OSError:  # the server has ended before it took the job
            return None
    if not status:
        print(f"{task[0]}: the job's process was killed (out of memory?)", file=sys.stderr)
        return 1
    return status[0]


def serve(listener: socket.socket, parent: int) -> None:
    """Fork a child for each connection until the parent process is gone; end them with it."""
    try:
        for module in PRELOADED:
            importlib.import_module(module)
    except (ImportError, OSError, MemoryError) as error:  # the jobs will meet it, and name it
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
                _end_with(_child, connection)
            children.add(child)
            connection.close()
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitpid(-1, os.WNOHANG)[0]:
                children.discard(ended)
    for child in children:
        os.kill(child, signal.SIGTERM)  # training keeps its state


def _end_with(work, connection: socket.socket) -> None:
    """Leave a forked process without ever returning into the server's loop."""
    status = 1
    try:
        status = work(connection)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _child(connection: socket.socket) -> int:
    from uncanny.workflow import jobs

    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 2)
    for target, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, target)
    surroundings, task = pickle.loads(_receive(connection, *LENGTH.unpack(head)))
    sys.path[:], folder, environment = surroundings
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_die_with, args=(connection,), daemon=True).start()
    status = jobs.execute(*pickle.loads(task))
    connection.sendall(bytes([status]))
    return status


def _receive(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(1 << 20, count - len(parts)))
        if not part:
            os._exit(1)
        parts += part
    return bytes(parts)


def _die_with(connection: socket.socket) -> None:
    """A job that is killed closes its end: stop at once, as if the kill had come here."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    descriptor, parent, folder = sys.argv[1:]
    try:
        with socket.socket(fileno=int(descriptor)) as listener:
            serve(listener, int(parent))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
