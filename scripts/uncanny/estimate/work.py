"""Amounts of work, the loads of jobs, and which function states the load of the jobs of a rule."""

from collections.abc import Callable
from dataclasses import dataclass, field

WEIGHT = 4  # bytes of a weight in float32
RECORD = 10_000  # bytes of records, logs and small files
# Of all activations of a network, the share that is held at once without gradients on a GPU: from
# the peak of 15.8 GB with batches of 682 images (results/measured/gpu/speed.json)
HELD = 0.17


@dataclass(frozen=True)
class Work:
    """An amount of one kind of work. key: its kind, then all that its cost depends on.

    unit_seconds: stated seconds of one unit.
    """

    key: tuple
    amount: float
    unit_seconds: float

    @property
    def stated(self) -> float:
        """Stated seconds of the whole amount."""
        return self.amount * self.unit_seconds


@dataclass(frozen=True)
class Load:
    """Amounts that a job takes.

    works: its own work, that which its records time first. rest: overhead such as reading, writing
    and waiting for the device; None: the default of its device. disk: bytes of its outputs. memory:
    bytes in addition to its libraries. card: bytes on a GPU: weights with what trains them, and
    activations, in float32 even where some are kept in fewer bits. gpus: number of them, if it asks
    for some. unit: dataset, network and name of the unit of the first work, for the table of rates.
    """

    works: list[Work] = field(default_factory=list)
    rest: Work | None = None
    disk: float = RECORD
    memory: float = 0.0
    card: float = 0.0
    gpus: int = 1
    unit: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Entry:
    """kind: of work, a row of the estimate. load: (facts, job, wildcards by name) -> Load."""

    kind: str
    load: Callable[..., Load]


ENTRIES: dict[str, Entry] = {}


def entry(kind: str, *rules: str):
    """Register a function that returns the load of jobs of some rules."""

    def register(function: Callable[..., Load]):
        ENTRIES.update(dict.fromkeys(rules, Entry(kind, function)))
        return function

    return register


NO_REST = Work(("rest",), 0, 0.0)
