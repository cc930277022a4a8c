"""GPUs of this machine: which jobs run on which, without torch.

Snakemake limits how many jobs with `gpu=1` run at a time. Each of them takes a free place on one
GPU, a locked file, and sees that GPU alone (CUDA_VISIBLE_DEVICES). A job with `gpu=2` takes a place
on each of two GPUs, and sees both. The system gives places back when the job's process ends,
however it ends. Places belong to the machine: studies that run side by
side share them, and never put more jobs on a GPU than either of them allows.
"""

import csv
import fcntl
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")  # one folder per GPU
HIDDEN = "CUDA_VISIBLE_DEVICES"
VARIABLE = "UNCANNY_GPUS"  # places of the run, for its jobs
AMPERE = 8, 0  # as runtime.precision, which imports torch
PAUSE = 0.2  # seconds between two looks for a free place


@dataclass(frozen=True)
class Places:
    """Places for jobs: GPUs by the names that CUDA_VISIBLE_DEVICES takes, jobs on each, and the
    folder of their locks.
    """

    names: Sequence[str]
    jobs_per_gpu: int
    folder: str

    def __str__(self) -> str:
        gpus = "1 GPU" if len(self.names) == 1 else f"{len(self.names)} GPUs"
        jobs = "1 job" if self.jobs_per_gpu == 1 else f"{self.jobs_per_gpu} jobs"
        return f"{gpus} ({', '.join(self.names)}), {jobs} at a time on each"

    @property
    def total(self) -> int:
        return len(self.names) * self.jobs_per_gpu

    def take(self, count: int = 1) -> dict[str, int]:
        """Wait for places on `count` GPUs; return locks, which end with this process, by the GPU's
        name. Of fewer places none is kept, so that jobs never wait for each other's.
        """
        self.require(count)
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        while True:
            taken = self._free(count)
            if len(taken) == count:
                return taken
            for lock in taken.values():
                os.close(lock)
            time.sleep(PAUSE)

    def require(self, count: int) -> None:
        """Raise ValueError where a job asks for more GPUs than there are."""
        if count > len(self.names):
            raise ValueError(f"gpu={count}; expected at most {len(self.names)}, the GPUs here")

    def _free(self, count: int) -> dict[str, int]:
        """Locks of free places on at most `count` GPUs."""
        taken = {}
        # GPU by GPU: the second job goes to another GPU, not to the second place on the first.
        for number in range(self.jobs_per_gpu):
            for name in self.names:
                if name not in taken and len(taken) < count:
                    lock = _locked(Path(self.folder) / f"{name.replace('/', '-')}-{number}")
                    taken |= {} if lock is None else {name: lock}
        return taken


def visible(environment: Mapping[str, str]) -> list[str]:
    """Names of the GPUs that CUDA may use here: those that CUDA_VISIBLE_DEVICES lists, else all."""
    listed = environment.get(HIDDEN)
    if listed is not None:
        names = [name.strip() for name in listed.split(",")]
        # As CUDA does: the first entry that is none ends the list.
        ends = (i for i, name in enumerate(names) if name in ("", "-1", "NoDevFiles"))
        return names[: next(ends, len(names))]
    return [str(number) for number in range(_count())]


def precision_notes(names: Sequence[str], asked: Collection[str]) -> list[str]:
    """What to say of GPUs before Ampere, which compute in float32 where tf32 is asked for.

    names: of GPUs. asked: precisions of the study. ValueError for bf16 on such a GPU. Silent where
    the driver does not say how old a GPU is; its jobs find out.
    """
    old = [text for text, capability in _cards(names) if capability < AMPERE]
    if old and "bf16" in asked:
        raise ValueError(
            f"precision: bf16; {old[0]} does not compute in it; expected fp32 or tf32, or GPUs of "
            f"compute capability 8.0 or more ({HIDDEN}=… leaves the others out)"
        )
    return [f"precision: tf32 is fp32 on {text}" for text in old if "tf32" in asked]


def _cards(names: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """(description, compute capability) of GPUs, as far as the driver says it."""
    fields = "--query-gpu=index,uuid,name,compute_cap"
    rows = csv.reader(_driver(fields, "--format=csv,noheader"), skipinitialspace=True)
    known = [row for row in rows if len(row) == 4 and re.fullmatch(r"\d+\.\d+", row[3])]
    return [
        (f"{card} (compute capability {version})", tuple(map(int, version.split("."))))
        for index, uuid, card, version in known
        if index in names or any(uuid.startswith(name) for name in names if not name.isdigit())
    ]


def places(jobs_per_gpu: int, environment: Mapping[str, str]) -> Places | None:
    """Places on this machine, or None without a GPU."""
    names = visible(environment)
    folder = os.path.join(tempfile.gettempdir(), f"uncanny-gpus-{os.getuid()}")
    return Places(names, jobs_per_gpu, folder) if names else None


def offer(offered: Places) -> None:
    """Let the jobs that this process starts take these places."""
    os.environ[VARIABLE] = json.dumps(asdict(offered))


def enter(resources: Mapping, config: Mapping) -> None:
    """Show this job the GPUs that it may use; none if the study computes on the processor.

    Call it before CUDA starts. The places are held until the process ends.
    """
    if config.get("device") == "cpu":
        os.environ[HIDDEN] = ""
    elif os.environ.get(VARIABLE) and resources.get("gpu"):
        taken = Places(**json.loads(os.environ[VARIABLE])).take(int(resources["gpu"]))
        os.environ[HIDDEN] = ",".join(taken)


def _count() -> int:
    if DRIVER.is_dir():
        return len(list(DRIVER.iterdir()))
    return len(_driver("--list-gpus"))  # Windows Subsystem for Linux has no such folder


def _driver(*options: str) -> list[str]:
    """Lines that nvidia-smi prints; none without it."""
    try:
        answer = subprocess.run(["nvidia-smi", *options], capture_output=True, text=True)
    except OSError:
        return []
    return answer.stdout.splitlines() if answer.returncode == 0 else []


def _locked(path: Path) -> int | None:
    """Descriptor of the locked file, or None if another process has locked it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
