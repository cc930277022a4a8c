"""What each thing that is done for speed gains: works as they are, and with that one thing undone.

PYTHONPATH=scripts python tests/benchmarks/changes.py --scale digits --rounds 9. Each way lives in a
process of its own, since memory belongs to the process; they take turns. Ratios are those of a round.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import harness
import numpy as np
import report
import scales
import torch
from sampling_images import drawing

from uncanny import ema, hardware, sampling, training, warm
from uncanny.networks import layers

AS_IT_IS = "as it is"
UPDATES, IMAGES = {"digits": 5, "cifar": 1}, {"digits": 400, "cifar": 8}  # of one measurement
HEUN = {"kind": "heun", "grid": {"kind": "polynomial"}}
WORKS: dict = {}  # of a process


# ---- Things undone ------------------------------------------------------------------------------


def return_memory() -> None:
    hardware._keep_freed_memory = lambda: None


def train_channels_first() -> None:
    layers.CHANNELS_LAST.clear()


def draw_channels_last() -> None:
    channels_last = {"memory_format": torch.channels_last}
    layers.fast_layout = lambda x: x.contiguous(**channels_last)


def update_each_tensor() -> None:
    """Optimiser and average of one weight after the other."""

    def optimizer(network, options):
        return torch.optim.Adam(network.parameters(), options["lr"], foreach=False, fused=False)

    def follower(average, network):
        pairs = list(zip(average.parameters(), network.parameters(), strict=True))

        @torch.no_grad()
        def update(beta):
            for target, source in pairs:
                target.lerp_(source, 1 - beta)

        return update

    training._optimizer, ema.follower = optimizer, follower


def repair_always() -> None:
    """Every gradient is searched for what is not finite, after every update."""
    plain = training._repair_and_clip

    def repair(weights, limit):
        for weight in weights:
            torch.nan_to_num_(weight.grad, nan=0.0, posinf=1e5, neginf=-1e5)
        return plain(weights, limit)

    training._repair_and_clip = repair


def draw_few_at_once() -> None:
    sampling.BATCH_VALUES //= 128


def import_in_each_job() -> None:
    modules = "; ".join(f"import {module}" for module in warm.PRELOADED)
    WORKS["job"] = lambda _: subprocess.run([sys.executable, "-c", modules], check=True)


UNDONE = {  # work -> what may be undone, by name
    "update": {
        "freed memory goes back to the system": return_memory,
        "channels outermost": train_channels_first,
        "one kernel for each weight": update_each_tensor,
        "gradients searched each time": repair_always,
    },
    "walk": {
        "freed memory goes back to the system": return_memory,
        "channels innermost": draw_channels_last,
        "batches of a 128th": draw_few_at_once,
    },
    "job": {"imports of its own": import_in_each_job},
}


# ---- Measuring ----------------------------------------------------------------------------------


def begin(scale_name: str, threads: int, work: str, undone: str) -> None:
    """Set up a process in which one thing is undone."""
    torch.set_grad_enabled(True)
    WORKS["job"] = fork
    if undone != AS_IT_IS:
        UNDONE[work][undone]()
    device, scale = hardware.device(threads), scales.SCALES[scale_name]
    WORKS["update"] = scales.updates(scale, "discrete", device, UPDATES[scale_name])[0]
    walked = scales.model(scale, "continuous", device)
    WORKS["walk"] = drawing(walked, HEUN | {"num_steps": scale.steps}, IMAGES[scale_name])
    WORKS[work](0)


def fork(_) -> None:
    """How a job begins."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def spent(work: str, number: int) -> np.ndarray:
    started = harness.clocks()
    WORKS[work](number)
    return harness.clocks() - started


def measured(scale: str, threads: int, work: str, rounds: int) -> dict:
    """Seconds [rounds][wall, processor] of a work, by what is undone."""
    context, order = multiprocessing.get_context("spawn"), random.Random(0)
    ways = [AS_IT_IS, *UNDONE[work]]
    pools = {
        way: ProcessPoolExecutor(
            1, context, initializer=begin, initargs=(scale, threads, work, way)
        )
        for way in ways
    }
    found = {way: [] for way in ways}
    for number in range(rounds + 1):  # the first one is not counted
        for way in order.sample(ways, len(ways)):
            seconds = pools[way].submit(spent, work, number).result()
            found[way] += [seconds.tolist()] if number else []
    for pool in pools.values():
        pool.shutdown()
    return found


def table(record: dict) -> str:
    """Markdown: work, what is undone, milliseconds, how many times as long. Processor's clock."""
    lines = ["| work | undone | ms | times as long |", "|---|---|---|---|"]
    for work, ways in record["seconds"].items():
        ours = np.array(ways[AS_IT_IS])[:, 1]
        for way, seconds in ways.items():
            taken = np.array(seconds)[:, 1]
            cells = [spread(1000 * taken), spread(taken / ours)]
            lines.append(f"| {work} | {way} | " + " | ".join(cells) + " |")
    where = record["machine"]
    head = f"{where['date']}, {where['processor']}, {where['threads']} thread(s), load {where['load']:.1f}, "
    head += f"{record['rounds']} rounds, torch {where['versions']['torch']}."
    return f"### changes, {record['scale']} scale\n\n{head}\n\n" + "\n".join(lines) + "\n"


def spread(values: np.ndarray) -> str:
    return report.quartiles(np.quantile(values, [0.25, 0.5, 0.75]).tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--scale", choices=sorted(IMAGES), default="digits")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    record = {"scale": given.scale, "rounds": given.rounds}
    record |= {"machine": harness.machine(hardware.device(given.threads))}
    record["seconds"] = {
        work: measured(given.scale, given.threads, work, given.rounds) for work in UNDONE
    }
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / f"changes-{given.scale}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".md").write_text(table(record))
    print(table(record))
