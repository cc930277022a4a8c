"""How long sampling and training take: repeated after a warm-up, on the code that the study runs.

A record holds every repetition, so that medians, quartiles and ratios with their uncertainty can be
taken later. Times are those of one processor thread, as jobs of the study have, or of the
accelerator.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from uncanny import checkpoints, files, hardware, sampling, segments, training
from uncanny.datasets import Dataset
from uncanny.random_streams import image_seeds

THREADS = 1
UPDATES_PER_BLOCK = 20  # long enough to be timed, short beside an epoch of a large dataset


def time_sampling(
    *,
    checkpoint,
    identity,
    seed,
    sampler,
    guidance,
    classifiers,
    num_images,
    batches,
    names,
    output,
    losses=None,
) -> None:
    """Time so many batches of a trained model, as large as sampling makes them for num_images.

    sampler: complete options. guidance: complete block, or None; classifiers: the files of those it
    names, by name. names: model, sampler and guidance of the study, for the record. losses: as in
    sampling.run. A diverged checkpoint leaves a record without times.
    """
    device = hardware.device(THREADS)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    facts = {"what": "sampling", "status": state["status"], "dataset": identity["dataset"]}
    facts |= names | {"seed": seed, "epoch": state["epoch"], "num_steps": sampler.get("num_steps")}
    times, nfe, count = [], None, None
    if state["status"] != "diverged":
        model = sampling.Trained.of(state, device)
        count = min(num_images, model.batch_size)
        bent = _guided(guidance, classifiers, identity, device)
        bent |= {"losses": files.read_json(losses)} if losses else {}
        times, nfe = _timed_batches(model, sampler, bent, count, batches)
    write(
        output,
        facts
        | {
            "nfe": nfe,
            "batch_size": count,
            "seconds_per_image": [seconds / count for seconds in times],
            "ms_per_nfe": [1000 * seconds / (count * nfe) for seconds in times],
        },
        device,
    )


def _guided(guidance: dict | None, classifiers: dict, identity: dict, device) -> dict:
    """Arguments of `sampling.draw_images`; no account of what guidance does is kept."""
    if guidance is None:
        return {}
    bent = sampling.prepared(guidance, classifiers, identity, device)
    return {"guidance": bent, "account": False}


def _timed_batches(model, sampler: dict, guided: dict, count: int, batches: int) -> tuple:
    """Seconds of each batch and evaluations per image; every batch has seeds of its own."""
    evaluations = []

    def draw(number: int) -> None:
        seeds = image_seeds(0, number * count, count)
        evaluations.append(sampling.draw_images(model, sampler, seeds, **guided).nfe)

    return repeated(draw, batches, model.device), evaluations[0]


def time_training(
    *, dataset, identity, model, blocks, output, seed=0, updates=UPDATES_PER_BLOCK
) -> None:
    """Time so many blocks of updates from the start of a model's training.

    dataset: prepared folder. model: its name in the study, for the record. updates: of one block.
    """
    device = hardware.device(THREADS)
    data, options = Dataset.open(Path(dataset)), identity["training"]
    stream = training.Stream(data, options["batch_size"], seed, identity["conditional"])
    run = training.begin(
        lambda: segments.build_network(identity, data.shape, data.num_classes),
        options,
        seed,
        device,
    )
    family = segments.build_family(identity, segments.build_family(identity).derive(data))
    times = repeated(
        lambda _: training.advance(run, family.loss, stream, options, seed, updates), blocks, device
    )
    facts = {
        "what": "training",
        "status": "ok",
        "dataset": identity["dataset"],
        "model": model,
        "batch_size": options["batch_size"],
        "updates_per_epoch": len(stream) / options["batch_size"],
        "updates_per_block": updates,
        "ms_per_update": [1000 * seconds / updates for seconds in times],
    }
    write(output, facts, device)


def repeated(work: Callable[[int], object], times: int, device: torch.device) -> list[float]:
    """Seconds of work(1), work(2), …, after work(0), which warms up.

    The accelerator's queue is empty when a clock starts and stops.
    """
    if times < 1:
        raise ValueError(f"{times} repetitions to be timed: expected at least 1")
    seconds = []
    for number in range(times + 1):
        _wait(device)
        started = time.perf_counter()
        work(number)
        _wait(device)
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def write(output, facts: dict, device: torch.device) -> None:
    """Write a record: what was timed and where."""
    where = {
        "precision": "fp32",
        "device": hardware.describe(device),
        "threads": THREADS if device.type == "cpu" else None,
        "peak_memory_mb": round(hardware.peak_memory_mb(device), 1),
    }
    files.write_json(output, facts | where)
