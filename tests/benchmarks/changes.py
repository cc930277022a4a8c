"""What each thing that is done for speed gains: works as they are, and with that one thing undone.

PYTHONPATH=scripts python tests/benchmarks/changes.py --scale digits --rounds 9. Each way lives in a
process of its own, since memory belongs to the process; they take turns. Ratios are those of a round.
Beside each stands what was to be expected, reckoned from parts before anything is undone.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import harness
import numpy as np
import reckoned
import report
import scales
import torch
from sampling_images import drawing

from uncanny.networks import building
from uncanny.runtime import hardware
from uncanny.sampling import drawing as sampling
from uncanny.training import ema, gradients, loop
from uncanny.workflow import fork_server

AS_IT_IS = "as it is"
UPDATES, IMAGES = {"digits": 5, "cifar": 1}, {"digits": 400, "cifar": 8}  # of one measurement
HEUN = {"kind": "heun", "grid": "polynomial"}
FEWER = 128  # times fewer numbers in a batch
WORKS: dict = {}  # of a process


@dataclass
class Parts:
    """What a process knows of its work: values: of one image; kernels: of the whole work."""

    updates: int
    images: int
    values: int
    weights: list[torch.Tensor]
    sampling_of_one: Callable[[], object]
    kernels: reckoned.Kernels | None = None


@dataclass(frozen=True)
class Change:
    """undo: in a fresh process. added: seconds that a work takes longer then, reckoned."""

    undo: Callable[[], None]
    added: Callable[[Parts], float]


# ---- Things undone ------------------------------------------------------------------------------


def replace(module, name: str, value) -> None:
    """Raises AttributeError where the module has no such name: replacing it would do nothing."""
    getattr(module, name)
    setattr(module, name, value)


def return_memory() -> None:
    replace(hardware, "_keep_freed_memory", lambda: None)


def lay_channels_innermost() -> None:
    """Where weights lie so, convolutions lay their images so."""
    build = building.build_network
    innermost = {"memory_format": torch.channels_last}
    replace(building, "build_network", lambda *options: build(*options).to(**innermost))


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

    replace(loop, "_optimizer", optimizer)
    replace(ema, "follower", follower)


def repair_always() -> None:
    """Every gradient is searched for what is not finite, after every update."""
    plain = gradients.repair_and_clip

    def repair(weights, limit):
        for weight in weights:
            torch.nan_to_num_(weight.grad, nan=0.0, posinf=1e5, neginf=-1e5)
        return plain(weights, limit)

    replace(gradients, "repair_and_clip", repair)


def draw_few_at_once() -> None:
    replace(sampling, "BATCH_VALUES", sampling.BATCH_VALUES // FEWER)


def import_in_each_job() -> None:
    modules = "import " + ", ".join(fork_server.PRELOADED)
    WORKS["job"] = lambda _: subprocess.run([sys.executable, "-c", modules], check=True)


def batches_of_few(parts: Parts) -> int:
    """How many batches the images of a walk make then."""
    few = sampling.BATCH_VALUES // FEWER // parts.values
    return -(-parts.images // few)


ANYWHERE = {
    "freed memory goes back to the system": Change(
        return_memory, lambda parts: reckoned.fresh_pages(parts.kernels)
    ),
    "channels innermost": Change(
        lay_channels_innermost, lambda parts: reckoned.channels_innermost(parts.kernels)
    ),
}
UNDONE = {  # work -> what may be undone, by name
    "update": ANYWHERE
    | {
        "one kernel for each weight": Change(
            update_each_tensor, lambda parts: parts.updates * reckoned.one_by_one(parts.weights)
        ),
        "gradients searched each time": Change(
            repair_always, lambda parts: parts.updates * reckoned.searched(parts.weights)
        ),
    },
    "walk": ANYWHERE
    | {
        "batches of a 128th": Change(
            draw_few_at_once,
            lambda parts: reckoned.more_batches(parts.sampling_of_one, batches_of_few(parts)),
        ),
    },
    "job": {
        "imports of its own": Change(import_in_each_job, lambda _: reckoned.imports("torchvision"))
    },
}


# ---- Measuring ----------------------------------------------------------------------------------


def begin(scale_name: str, threads: int, work: str, undone: str) -> None:
    """Set up a process in which one thing is undone, or none."""
    torch.set_grad_enabled(True)
    WORKS["job"] = fork
    if undone != AS_IT_IS:
        UNDONE[work][undone].undo()
    device, scale = hardware.device(threads), scales.SCALES[scale_name]
    updates, images = UPDATES[scale_name], IMAGES[scale_name]
    WORKS["update"], trained = scales.updates(scale, "discrete", device, updates)
    model = scales.model(scale, "continuous", device)
    heun = scales.sampler("continuous", HEUN | {"num_steps": scale.steps})
    WORKS["walk"] = drawing(model, heun, images)
    WORKS[work](0)
    one = drawing(model, heun, 1)
    values, weights = int(np.prod(scale.shape)), list(trained.parameters())
    WORKS["parts"] = Parts(updates, images, values, weights, lambda: one(0))


def expected(work: str) -> dict[str, float]:
    """How many times as long each way should take; asked of a process in which nothing is undone."""
    call, parts = WORKS[work], WORKS["parts"]
    parts.kernels = None if work == "job" else reckoned.of_kernels(lambda: call(0))
    taken = reckoned.seconds(lambda: call(0), 3)
    return {way: 1 + change.added(parts) / taken for way, change in UNDONE[work].items()}


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
    """Of each way seconds [rounds][wall, processor], and how many times as long was expected."""
    context, order = multiprocessing.get_context("spawn"), random.Random(0)
    ways = [AS_IT_IS, *UNDONE[work]]
    pools = {
        way: ProcessPoolExecutor(
            1, context, initializer=begin, initargs=(scale, threads, work, way)
        )
        for way in ways
    }
    guesses = {AS_IT_IS: 1.0} | pools[AS_IT_IS].submit(expected, work).result()
    result = {way: {"expected": guesses[way], "seconds": []} for way in ways}
    for number in range(rounds + 1):  # the first one is not counted
        for way in order.sample(ways, len(ways)):
            seconds = pools[way].submit(spent, work, number).result()
            result[way]["seconds"] += [seconds.tolist()] if number else []
    for pool in pools.values():
        pool.shutdown()
    return result


def table(record: dict) -> str:
    """Markdown: work, what is undone, milliseconds, how many times as long. Processor's clock."""
    lines = ["| work | undone | ms | times as long | expected |", "|---|---|---|---|---|"]
    for work, ways in record["works"].items():
        ours = np.array(ways[AS_IT_IS]["seconds"])[:, 1]
        for way, result in ways.items():
            taken = np.array(result["seconds"])[:, 1]
            cells = [spread(1000 * taken), spread(taken / ours), f"{result['expected']:.3g}"]
            lines.append(f"| {work} | {way} | " + " | ".join(cells) + " |")
    where = record["machine"]
    head = f"{where['date']}, {where['processor']}, {where['threads']} thread(s), "
    head += f"load {where['load']:.1f}, {record['rounds']} rounds, "
    head += f"torch {where['versions']['torch']}."
    return f"### changes, {record['scale']} scale\n\n{head}\n\n" + "\n".join(lines) + "\n"


def spread(values: np.ndarray) -> str:
    return report.quartiles(np.quantile(values, [0.25, 0.5, 0.75]).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--scale", choices=sorted(IMAGES), default="digits")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    record = {"scale": arguments.scale, "rounds": arguments.rounds}
    record |= {"machine": harness.machine(hardware.device(arguments.threads))}
    of = (arguments.scale, arguments.threads)
    record["works"] = {work: measured(*of, work, arguments.rounds) for work in UNDONE}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / f"changes-{arguments.scale}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
