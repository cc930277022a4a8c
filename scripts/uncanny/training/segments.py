"""One training job: read the checkpoint before, train to the next, write it."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from uncanny.datasets import DESCRIPTION, Dataset
from uncanny.networks.building import build_family, build_network
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.precision import computed
from uncanny.runtime.resume_state import ResumeState
from uncanny.training import loop, parallel
from uncanny.training.parallel import Share
from uncanny.training.stream import Stream


def run(
    *, identity, seed, epoch, dataset, checkpoint, history, threads, previous=None, code="", gpus=1
) -> None:
    """Train a model to the end of `epoch` and write its checkpoint and its history.

    dataset: prepared folder. previous: checkpoint to go on from, or None. code: fingerprint of what
    trains. A run that diverged leaves both files, marked `status: diverged`, and so do the segments
    after it. A job that is cut off keeps its state in `epoch-E.unfinished.pt` and goes on from it.
    threads: of all processes together, one for each of `gpus`. Their number may differ from that of
    earlier segments and attempts.
    """
    started = time.time()
    threads = max(1, threads // gpus)
    device = hardware.device(threads)
    precision = computed(identity["training"].get("precision", "fp32"), device)
    parallel.check(gpus)
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
            start = resume.state()
            paths = {"dataset": str(dataset), "start": str(kept) if start else previous}
            order = paths | {"facts": facts, "threads": threads}
            with parallel.processes(gpus, order) as share:
                state, updates = _trained(facts, data, start or before, device, resume.keep, share)
        checkpoints.save(checkpoint, facts | state)
        timing = {"seconds": round(time.time() - started, 3), "updates": updates}
        timing |= {"device": hardware.describe(device), "gpus": gpus, "precision": precision}
        timing |= {"peak_memory_mb": round(hardware.peak_memory_mb(device), 1)}
        keys = ("identity", "seed", "derived", "epoch", "status", "reason", "step", "history")
        record = {k: v for k, v in (facts | state).items() if k in keys}
        files.write_json(history, record | {"timing": timing})


def follow(share: Share, *, facts: dict, dataset: str, start: str | None, threads: int) -> None:
    """Train beside the process that writes the checkpoint, with a share of each batch.

    start: file of the state to go on from.
    """
    device, data = hardware.device(threads), Dataset.open(dataset)
    state = checkpoints.load(start) if start else None
    _trained(facts, data, state, device, lambda state: None, share)


def _trained(
    facts: dict,
    data: Dataset,
    start: dict | None,
    device: torch.device,
    keep: Callable,
    share: Share | None,
) -> tuple[dict, int]:
    """The state at the end of the segment, and the updates that this attempt has made."""
    run = _begin(facts, data, device, share)
    if start is not None:
        loop.resume(run, start)
    first = run.step
    # To the end of the epoch
    try:
        loop.train(run, facts["epoch"], keep)
    except loop.Diverged as error:
        print(error)
        reason = {"status": "diverged", "reason": str(error), "step": error.step}
        return reason | {"history": run.history}, run.step - first
    images_seen = run.step * run.options["batch_size"]
    return run.state() | {"status": "ok", "images_seen": images_seen}, run.step - first


def _begin(facts: dict, data: Dataset, device: torch.device, share: Share | None) -> loop.Run:
    identity, seed = facts["identity"], facts["seed"]
    options, loss = identity["training"], build_family(identity, facts["derived"]).loss
    build = partial(build_network, identity, data.shape, data.num_classes)
    images = stream(identity, data, seed)
    return loop.begin(build, loss, images, options, seed, device, share)


def stream(identity: dict, data: Dataset, seed: int) -> Stream:
    """The images that a model is trained with, in their order."""
    options = identity["training"]
    shuffle = options.get("shuffle", "images")
    return Stream(data, options["batch_size"], seed, identity["conditional"], shuffle)
