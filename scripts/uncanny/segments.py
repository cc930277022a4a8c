"""One training job: read the checkpoint before, train to the next, write it. What a model is, is
put together here.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from uncanny import checkpoints, components, files, hardware, progress, training
from uncanny.datasets import DESCRIPTION, Dataset
from uncanny.unfinished import Unfinished


def build_network(identity: dict, shape: tuple[int, ...], num_classes: int) -> torch.nn.Module:
    """The network F of a model, freshly initialised from torch's global generator.

    shape: of one image or vector. num_classes: of the dataset; an unconditional network is told 0.
    """
    options = dict(identity["network"])
    factory = components.load("networks", options.pop("kind"))
    inputs, *outputs = build_family(identity).network_shape(tuple(shape))
    return factory(inputs, num_classes if identity["conditional"] else 0, *outputs, **options)


def build_family(identity: dict, derived: dict | None = None):
    """The family of a model: how data becomes noise and what the network learns of it.

    derived: options that followed from the dataset, as the checkpoint has them.
    """
    options = identity["process"] | (derived or {})
    factory = components.load("families", options.pop("kind"))
    return factory(_schedule(identity["schedule"]), **options)


def _schedule(block: dict | None) -> Callable | None:
    if block is None:
        return None
    options = dict(block)
    betas = components.load("schedules", options.pop("kind"))
    return lambda num_levels: betas(num_levels, **options)


def run(*, identity, seed, epoch, dataset, previous, checkpoint, history, threads, code="") -> None:
    """Train a model to the end of `epoch` and write its checkpoint and its history.

    dataset: prepared folder. previous: checkpoint to go on from, or None. code: fingerprint of what
    trains. A run that diverged leaves both files, marked `status: diverged`, and so do the segments
    after it. A job that is cut off keeps its state in `epoch-E.unfinished.pt` and goes on from it.
    """
    started = time.time()
    device = hardware.device(threads)
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
    inputs = {"dataset": files.sha256(Path(dataset) / DESCRIPTION), "code": code}
    inputs |= {"previous": files.sha256(previous) if previous else None}
    kept = Path(checkpoint).with_suffix(".unfinished.pt")
    with Unfinished(kept, facts | inputs) as unfinished:
        if before is not None and before["status"] == "diverged":
            state, updates = before | {"epoch": epoch}, 0
        else:
            state, updates = _trained(facts, data, before, device, unfinished)
        checkpoints.save(checkpoint, facts | state)
        timing = {"seconds": round(time.time() - started, 3), "updates": updates}
        timing |= {"device": hardware.describe(device)}
        timing |= {"peak_memory_mb": round(hardware.peak_memory_mb(device), 1)}
        said = ("identity", "seed", "derived", "epoch", "status", "reason", "step", "history")
        record = {k: v for k, v in (facts | state).items() if k in said}
        files.write_json(history, record | {"timing": timing})


def _trained(
    facts: dict, data: Dataset, before: dict | None, device: torch.device, unfinished: Unfinished
) -> tuple[dict, int]:
    """The state at the end of the segment, and the updates that this attempt has made."""
    identity, seed, options = facts["identity"], facts["seed"], facts["identity"]["training"]
    stream = training.Stream(data, options["batch_size"], seed, identity["conditional"])
    current = training.begin(
        lambda: build_network(identity, data.shape, data.num_classes), options, seed, device
    )
    start = unfinished.state() or before
    if start is not None:
        training.resume(current, start)
    first = current.step
    family = build_family(identity, facts["derived"])
    batch, last = options["batch_size"], facts["epoch"]
    end = training.steps_until(last, len(stream), batch)
    told = progress.Progress(batch * end, "images", batch * first)

    def keep(state: Callable[[], dict]) -> None:
        told.at(batch * current.step, current.latest)
        unfinished.keep(state)

    try:
        training.train(current, family.loss, stream, options, seed, last, keep)
    except training.Diverged as error:
        print(error)
        reason = {"status": "diverged", "reason": str(error), "step": error.step}
        return reason | {"history": current.history}, current.step - first
    images_seen = current.step * options["batch_size"]
    state = current.state() | {"status": "ok", "images_seen": images_seen}
    return state, current.step - first


def averaged_network(state: dict, device: torch.device) -> torch.nn.Module:
    """The averaged network of a loaded checkpoint, ready to be evaluated."""
    with torch.random.fork_rng(devices=[]):
        network = build_network(state["identity"], state["shape"], state["num_classes"])
    network.load_state_dict(state["average"])
    return network.to(device).eval().requires_grad_(False)
