"""What a job that trains or samples leaves behind when it is cut off, so that its next attempt goes
on there.

The state is in the folder of the file that the job is to make. It is written every ten
minutes, and when the job is asked to stop (SIGTERM, as a cluster sends it at a time limit or before
it gives the node to somebody else); it is removed when the job is done.
"""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from uncanny.runtime import checkpoints

SECONDS = 600.0


class Stopped(ValueError):
    """The job was asked to stop and has kept its state."""


class ResumeState:
    """The state of one job between its start and its end; a context in which SIGTERM is heeded.

    path: where the state lies. job: everything that determines the result. A state that belongs to
    anything else, or is damaged, is not used. at_once: a job that is asked to stop does so wherever
    it is, with the state of its last `keep`, not at the next one, which may be minutes away.
    """

    def __init__(
        self, path: Path | str, job: dict, *, seconds: float = SECONDS, at_once: bool = False
    ):
        self.path, self.job, self.seconds, self.at_once = Path(path), job, seconds, at_once
        self._stop, self._last, self._before = False, time.monotonic(), None
        self._state, self._writing = None, False

    def __enter__(self) -> "ResumeState":
        if threading.current_thread() is threading.main_thread():  # others hear no signals
            self._before = signal.signal(signal.SIGTERM, self._hear)
        return self

    def __exit__(self, kind, *_) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if kind is None:
            self.path.unlink(missing_ok=True)

    def _hear(self, *_) -> None:
        self._stop = True
        if self.at_once and not self._writing:
            self._write_and_stop()

    def state(self) -> dict | None:
        """What an earlier attempt at this job has kept, or None."""
        if not self.path.exists():
            return None
        try:
            state = checkpoints.load(self.path)
        except ValueError as error:
            print(f"not used: {error}", flush=True)
            return None
        if state.get("job") != self.job:
            print(f"not used: {self.path} belongs to a job with other parameters", flush=True)
            return None
        print(f"goes on from {self.path}, step {state['step']}", flush=True)
        return state

    def keep(self, state: Callable[[], dict]) -> None:
        """Write the state if it is time to; raise Stopped if the job was asked to stop.

        state: a function that gives it; with at_once, also later.
        """
        self._state = state
        if self._stop:
            self._write_and_stop()
        if time.monotonic() - self._last >= self.seconds:
            self._write()
            if self._stop and self.at_once:  # asked while it was written
                self._write_and_stop()

    def _write(self) -> dict:
        self._writing = True
        current = self._state()
        checkpoints.save(self.path, current | {"job": self.job})
        self._last, self._writing = time.monotonic(), False
        return current

    def _write_and_stop(self) -> None:
        if self._state is None:
            raise Stopped("asked to stop before there was anything to keep")
        current = self._write()
        raise Stopped(
            f"asked to stop at step {current['step']}; {self.path} keeps the state, and the same "
            "command goes on from it"
        )
