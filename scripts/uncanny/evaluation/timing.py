"""How long sampling and training take: repeated after a warm-up, on the code that the study runs.

What is compared takes turns in one process, in an order drawn anew for every round: whatever slows
the machine for a while slows all alike, and ratios of the times of a round are free of it. A record
holds every round. Times are those of one processor thread, as jobs of the study have, or of the
accelerator.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from uncanny.datasets import Dataset
from uncanny.networks import building
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing, job
from uncanny.training import loop

THREADS = 1
UPDATES_PER_BLOCK = 20  # long enough to be timed, short beside an epoch of a large dataset


def time_sampling(
    *,
    checkpoint,
    identity,
    model,
    seed,
    walks: Sequence[Mapping],
    classifiers,
    num_images,
    batches,
    output,
    losses=None,
) -> None:
    """Time so many batches of each walk, as large as sampling makes them for num_images.

    walks: {names, sampler, guidance, classifiers} each: sampler and guidance of the study, for the
    record; complete options; complete block, or None; whom it asks. classifiers: files by name.
    losses: as in sampling.run. A diverged checkpoint leaves records without times.
    """
    device = hardware.device(THREADS)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    facts = {"what": "sampling", "status": state["status"], "dataset": identity["dataset"]}
    facts |= {"model": model, "seed": seed, "epoch": state["epoch"]}
    times, nfe, count = [[] for _ in walks], [None for _ in walks], None
    if state["status"] != "diverged":
        trained = drawing.Trained.of(state, device)
        count = min(num_images, trained.batch_size)
        measured = files.read_json(losses) if losses else None
        given = classifiers, identity, count, measured
        works = [_drawing(trained, walk, *given) for walk in walks]
        nfe = [work(0) for work in works]
        times = side_by_side(works, batches, device)
    records = [
        facts | walk["names"] | _sampled(walk["sampler"], taken, evaluations, count)
        for walk, taken, evaluations in zip(walks, times, nfe, strict=True)
    ]
    write(output, records, device)


def _drawing(model, walk: Mapping, classifiers, identity, count: int, losses) -> Callable:
    """Draws batch `number` with a walk: evaluations per image. Every batch has seeds of its own."""
    given = {name: classifiers[name] for name in walk["classifiers"]}
    guided = {}
    if walk["guidance"] is not None:  # no account of what guidance does is kept
        bent = job.load_guidance(walk["guidance"], given, identity, model.device)
        guided = {"guidance": bent, "account": False}

    def draw(number: int) -> int:
        seeds = image_seeds(0, number * count, count)
        return drawing.draw_images(model, walk["sampler"], seeds, losses=losses, **guided).nfe

    return draw


def _sampled(sampler: Mapping, seconds: list[float], nfe: int | None, count: int | None) -> dict:
    return {
        "num_steps": sampler["init_sampling"].get("num_steps"),
        "precision": sampler["precision"],
        "nfe": nfe,
        "batch_size": count,
        "seconds_per_image": [taken / count for taken in seconds],
        "ms_per_nfe": [1000 * taken / (count * nfe) for taken in seconds],
    }


def time_training(
    *, datasets, identities, blocks, output, seed=0, updates=UPDATES_PER_BLOCK
) -> None:
    """Time so many blocks of updates of each model, from the start of its training.

    datasets: prepared folders, identities: complete parameters, both by the model's name in the
    study. updates: of one block. All models with their optimisers are in memory.
    """
    device = hardware.device(THREADS)
    opened = {name: Dataset.open(Path(folder)) for name, folder in datasets.items()}
    streams = {
        name: loop.Stream(opened[name], options["batch_size"], seed, identity["conditional"])
        for name, identity in identities.items()
        for options in [identity["training"]]
    }
    works = [
        _training(identity, opened[name], streams[name], seed, updates, device)
        for name, identity in identities.items()
    ]
    for work in works:
        work(0)
    times = side_by_side(works, blocks, device)
    records = [
        {
            "what": "training",
            "status": "ok",
            "dataset": identity["dataset"],
            "model": name,
            "precision": identity["training"].get("precision", "fp32"),
            "batch_size": identity["training"]["batch_size"],
            "updates_per_epoch": len(streams[name]) / identity["training"]["batch_size"],
            "updates_per_block": updates,
            "ms_per_update": [1000 * seconds / updates for seconds in taken],
        }
        for (name, identity), taken in zip(identities.items(), times, strict=True)
    ]
    write(output, records, device)


def _training(identity, data: Dataset, stream, seed: int, updates: int, device) -> Callable:
    """Goes on with a model's training for one block."""
    build = partial(building.build_network, identity, data.shape, data.num_classes)
    family = building.build_family(identity, building.build_family(identity).derive(data))
    run = loop.begin(build, family.loss, stream, identity["training"], seed, device)
    return lambda _: loop.advance(run, updates)


def side_by_side(
    works: Sequence[Callable[[int], object]],
    rounds: int,
    device: torch.device,
    clock: Callable = lambda: time.perf_counter(),
) -> list[list]:
    """Seconds [works][rounds] of work(1), work(2), … of each, one of each in every round.

    Works are warm. The order of a round is drawn anew, the same in every run. The accelerator's
    queue is empty when a clock starts and stops.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds to be timed: expected at least 1")
    order, seconds = random.Random(0), [[] for _ in works]
    for number in range(1, rounds + 1):
        for index in order.sample(range(len(works)), len(works)):
            _wait(device)
            started = clock()
            works[index](number)
            _wait(device)
            seconds[index].append(clock() - started)
    return seconds


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def write(output, records: list[dict], device: torch.device) -> None:
    """Write records: what was timed side by side, and where."""
    where = {
        "device": hardware.describe(device),
        "threads": THREADS if device.type == "cpu" else None,
        "peak_memory_mb": round(hardware.peak_memory_mb(device), 1),
    }
    files.write_json(output, {"records": [record | where for record in records]})
