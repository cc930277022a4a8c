"""Progress of a long job: a line in its log every few seconds."""

import time
from collections.abc import Callable

MARK = "progress: "
SECONDS = 5.0  # between two lines of a job


class Progress:
    """Progress of one job. total: number of units; first: units done by an earlier attempt."""

    def __init__(self, total: int, unit: str, first: int = 0):
        self.total, self.unit, self.first = total, unit, first
        self.began = self.printed = time.monotonic()

    def at(self, done: int, facts: Callable[[], dict] = dict) -> None:
        """Print a line if the last is old enough. facts: called only then, name → number."""
        now = time.monotonic()
        if now - self.printed < SECONDS or done <= self.first:
            return
        self.printed = now
        rate = (done - self.first) / (now - self.began)
        words = [f"{done:,} of {self.total:,} {self.unit}", f"{rate:.3g} per second"]
        words += [f"{format_duration((self.total - done) / rate)} left"]
        words += [f"{name} {value:.4g}" for name, value in facts().items()]
        print(MARK + ", ".join(words), flush=True)


def format_duration(seconds: float) -> str:
    """Seconds as text: 42 s, 7 min, 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
