"""What a training job leaves behind when it is cut off, so that its next attempt goes on there.

The state is in the folder of the checkpoint that the job is to make. It is written every ten
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
    anything else, or is damaged, is not used.
    """

    def __init__(self, path: Path | str, job: dict, *, seconds: float = SECONDS):
        self.path, self.job, self.seconds = Path(path), job, seconds
        self._stop, self._last, self._before = False, time.monotonic(), None

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
        """Write the state if it is time to; raise Stopped if the job was asked to stop."""
        stop, now = self._stop, time.monotonic()
        if not stop and now - self._last < self.seconds:
            return
        current = state()
        checkpoints.save(self.path, current | {"job": self.job})
        self._last = now
        if stop:
            raise Stopped(
                f"asked to stop at step {current['step']}; {self.path} keeps the state, and the "
                "same command goes on from it"
            )
