"""One training job: read the checkpoint before, train to the next, write it."""

import time
from functools import partial
from pathlib import Path

import torch

from uncanny.datasets import DESCRIPTION, Dataset
from uncanny.networks.building import build_family, build_network
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.precision import computed
from uncanny.training import loop
from uncanny.training.resume_state import ResumeState
from uncanny.training.stream import Stream


def run(*, identity, seed, epoch, dataset, previous, checkpoint, history, threads, code="") -> None:
    """Train a model to the end of `epoch` and write its checkpoint and its history.

    dataset: prepared folder. previous: checkpoint to go on from, or None. code: fingerprint of what
    trains. A run that diverged leaves both files, marked `status: diverged`, and so do the segments
    after it. A job that is cut off keeps its state in `epoch-E.unfinished.pt` and goes on from it.
    """
    started = time.time()
    device = hardware.device(threads)
    precision = computed(identity["training"].get("precision", "fp32"), device)
    data = Dataset.open(dataset, whole=True)
    before = checkpoints.load(previous, identity=identity, seed=seed) if previous else None
    facts = {
        "identity": identity,
        "seed": seed,
        "shape": list(data.shape),
        "num_classes": data.num_classes,
        "derived": before["derived"] if before else build_family(identity).derive(data),
        "epoch": epoch,
    }
    # What a state that was kept must have come from to be used
    inputs = {"dataset": files.sha256(Path(dataset) / DESCRIPTION), "code": code}
    inputs |= {"previous": files.sha256(previous) if previous else None}
    kept = Path(checkpoint).with_suffix(".unfinished.pt")
    with ResumeState(kept, facts | inputs) as resume:
        if before is not None and before["status"] == "diverged":
            state, updates = before | {"epoch": epoch}, 0
        else:
            state, updates = _trained(facts, data, before, device, resume)
        checkpoints.save(checkpoint, facts | state)
        timing = {"seconds": round(time.time() - started, 3), "updates": updates}
        timing |= {"device": hardware.describe(device), "precision": precision}
        timing |= {"peak_memory_mb": round(hardware.peak_memory_mb(device), 1)}
        keys = ("identity", "seed", "derived", "epoch", "status", "reason", "step", "history")
        record = {k: v for k, v in (facts | state).items() if k in keys}
        files.write_json(history, record | {"timing": timing})


def _trained(
    facts: dict, data: Dataset, before: dict | None, device: torch.device, resume: ResumeState
) -> tuple[dict, int]:
    """The state at the end of the segment, and the updates that this attempt has made."""
    # From the state of an attempt that was cut off, else from the checkpoint before
    run = _begin(facts, data, device)
    start = resume.state() or before
    if start is not None:
        loop.resume(run, start)
    first = run.step
    # To the end of the epoch
    try:
        loop.train(run, facts["epoch"], resume.keep)
    except loop.Diverged as error:
        print(error)
        reason = {"status": "diverged", "reason": str(error), "step": error.step}
        return reason | {"history": run.history}, run.step - first
    images_seen = run.step * run.options["batch_size"]
    return run.state() | {"status": "ok", "images_seen": images_seen}, run.step - first


def _begin(facts: dict, data: Dataset, device: torch.device) -> loop.Run:
    identity, seed = facts["identity"], facts["seed"]
    options, loss = identity["training"], build_family(identity, facts["derived"]).loss
    stream = Stream(data, options["batch_size"], seed, identity["conditional"])
    build = partial(build_network, identity, data.shape, data.num_classes)
    return loop.begin(build, loss, stream, options, seed, device)
