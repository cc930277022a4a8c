"""Times of sampling and training: repeated after a warm-up, on the code that the study runs.

Tasks that are compared alternate in one process, in a new random order for every round: what slows
the machine for a while slows all alike, and cancels in ratios of the times of a round. A record
holds every round. Times are those of one processor thread, as jobs of the study have, or of the
accelerator.
"""

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from uncanny.datasets import Dataset
from uncanny.networks import building
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.precision import computed
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing, job
from uncanny.training import loop, segments
from uncanny.training.lengths import UPDATES_BEFORE, UPDATES_PER_BLOCK

THREADS = 1


def time_sampling(
    *,
    checkpoint,
    identity,
    model,
    seed,
    samplings: Sequence[Mapping],
    classifiers,
    num_images,
    batches,
    output,
    losses=None,
) -> None:
    """Time `batches` batches of each sampling, as large as the study's for num_images.

    samplings: {names, sampler, guidance, classifiers} each: sampler and guidance of the study, for
    the record; complete options; complete block, or None; names of its classifiers. classifiers:
    files by name. losses: as in sampling.run. A diverged checkpoint leaves records without times.
    """
    device = hardware.device(THREADS)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    facts = {"what": "sampling", "status": state["status"], "dataset": identity["dataset"]}
    facts |= {"model": model, "seed": seed, "epoch": state["epoch"]}
    times, nfe, count = [[] for _ in samplings], [None for _ in samplings], None
    if state["status"] != "diverged":
        trained = drawing.Trained.of(state, device)
        count = min(num_images, trained.batch_size)
        measured = files.read_json(losses) if losses else None
        tasks = [_sampling(trained, s, classifiers, identity, count, measured) for s in samplings]
        # Batch 0 is the warm-up; its nfe is that of all batches.
        nfe = [task(0) for task in tasks]
        times = alternating(tasks, batches, device)
    records = [
        facts
        | sampling["names"]
        | _sampled(sampling["sampler"], seconds, evaluations, count, device)
        for sampling, seconds, evaluations in zip(samplings, times, nfe, strict=True)
    ]
    write(output, records, device)


def _sampling(model, sampling: Mapping, classifiers, identity, count: int, losses) -> Callable:
    """Task that samples batch `number`, with its own seeds, and returns the nfe of an image."""
    files_of = {name: classifiers[name] for name in sampling["classifiers"]}
    guided = {}
    if sampling["guidance"] is not None:
        guidance = job.load_guidance(sampling["guidance"], files_of, identity, model.device)
        # Without statistics by decile, which cost time that sampling does not need
        guided = {"guidance": guidance, "with_statistics": False}

    def task(number: int) -> int:
        seeds = image_seeds(0, number * count, count)
        return drawing.draw_images(model, sampling["sampler"], seeds, losses=losses, **guided).nfe

    return task


def _sampled(
    sampler: Mapping, seconds: list[float], nfe: int | None, count: int | None, device: torch.device
) -> dict:
    return {
        "num_steps": sampler["init_sampling"].get("num_steps"),
        "precision": computed(sampler["precision"], device),
        "nfe": nfe,
        "batch_size": count,
        # nfe is per image: a batch of `count` images costs count * nfe evaluations.
        "seconds_per_image": [s / count for s in seconds],
        "ms_per_nfe": [1000 * s / (count * nfe) for s in seconds],
    }


def time_training(
    *, datasets, identities, blocks, output, seed=0, updates=UPDATES_PER_BLOCK
) -> None:
    """Time `blocks` blocks of updates of each model, from the beginning of its training.

    datasets: prepared folders, identities: complete parameters, both by the model's name in the
    study. updates: of one block. Each block begins the training anew, with a few updates before the
    clock starts: one model at a time is in memory.
    """
    device = hardware.device(THREADS)
    opened = {name: Dataset.open(Path(folder)) for name, folder in datasets.items()}
    streams = {
        name: segments.stream(identity, opened[name], seed) for name, identity in identities.items()
    }
    tasks = [
        _training(identity, opened[name], streams[name], seed, updates, device)
        for name, identity in identities.items()
    ]
    times = alternating(tasks, blocks, device)
    records = [
        {
            "what": "training",
            "status": "ok",
            "dataset": identity["dataset"],
            "model": name,
            "precision": computed(identity["training"].get("precision", "fp32"), device),
            "batch_size": identity["training"]["batch_size"],
            "updates_per_epoch": len(streams[name]) / identity["training"]["batch_size"],
            "updates_per_block": updates,
            "ms_per_update": [1000 * s / updates for s in seconds],
        }
        for (name, identity), seconds in zip(identities.items(), times, strict=True)
    ]
    write(output, records, device)


def _training(identity, data: Dataset, stream, seed: int, updates: int, device) -> "Prepared":
    """Task of one block of updates; preparing it begins the training."""
    build = partial(building.build_network, identity, data.shape, data.num_classes)
    family = building.build_family(identity, building.build_family(identity).derive(data))

    def prepare() -> Callable:
        gc.collect()  # the run before: a run refers to itself
        run = loop.begin(build, family.loss, stream, identity["training"], seed, device)
        loop.advance(run, UPDATES_BEFORE)
        return lambda _: loop.advance(run, updates)

    return Prepared(prepare)


@dataclass(frozen=True)
class Prepared:
    """A task that is prepared before each turn, and whose memory is free after it."""

    prepare: Callable[[], Callable[[int], object]]


def alternating(
    tasks: Sequence[Callable[[int], object] | Prepared],
    rounds: int,
    device: torch.device,
    clock: Callable = lambda: time.perf_counter(),
) -> list[list]:
    """Seconds [tasks][rounds] of task(1), task(2), … of each, one of each in every round.

    Tasks are warmed up, or prepare themselves while the clock stands. Every round has a new random
    order, the same in every run.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds to be timed: expected at least 1")
    order, seconds = random.Random(0), [[] for _ in tasks]
    for number in range(1, rounds + 1):
        for index in order.sample(range(len(tasks)), len(tasks)):
            task = tasks[index]
            task = task.prepare() if isinstance(task, Prepared) else task
            # Accelerators compute asynchronously: wait before the clock starts and before it stops.
            _wait(device)
            started = clock()
            task(number)
            _wait(device)
            seconds[index].append(clock() - started)
            del task  # before the next is prepared
    return seconds


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def write(output, records: list[dict], device: torch.device) -> None:
    """Write the records of tasks that were timed together, with device and peak memory."""
    machine = {
        "device": hardware.describe(device),
        "threads": THREADS if device.type == "cpu" else None,
        "peak_memory_mb": round(hardware.peak_memory_mb(device), 1),
    }
    files.write_json(output, {"records": [record | machine for record in records]})
