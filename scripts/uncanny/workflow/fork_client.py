"""What Snakemake starts for each job: hands the job's script to the fork server and waits.

Run as `python -IS fork_client.py SCRIPT`. It starts once per job, so it imports little, and nothing
of this library: Snakemake's part of the script alone takes ten times as long to import.
"""

import json
import os
import socket
import struct
import sys

VARIABLE = "UNCANNY_FORK_SERVER"
LENGTH = struct.Struct("!Q")


def call(script: str) -> int | None:
    """Run a script in a fork of the server; return its exit status, or None without a server.

    The script writes to this process's standard output and error.
    """
    path = os.environ.get(VARIABLE)
    if not path or not os.path.exists(path):
        return None
    message = json.dumps([script, os.getcwd(), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            socket.send_fds(connection, [LENGTH.pack(len(message))], [1, 2])
            connection.sendall(message)
            status = connection.recv(1)
        except OSError:  # the server ended before it accepted the job
            return None
    if not status:
        print(f"{script}: the job's process was killed (out of memory?)", file=sys.stderr)
        return 1
    return status[0]


def main(script: str) -> None:
    status = call(script)
    if status is None:
        os.execv(sys.executable, [sys.executable, script])
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
