"""Training of noisy classifiers p(y | x_t, t) (Dhariwal and Nichol 2021, section 4)."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from uncanny.datasets import DESCRIPTION, Dataset
from uncanny.guidance import noisy_classifier
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import seed_of
from uncanny.training import loop
from uncanny.training.resume_state import Unfinished


def run(*, identity, dataset, checkpoint, report, threads, code="") -> None:
    """Train a noisy classifier, write it, and report what it knows at each noise level.

    identity: dataset, process, schedule, network and training; epochs 0 leaves the initial weights.
    dataset: prepared folder. code: fingerprint of what trains. A job that is cut off keeps its
    state in `NAME.unfinished.pt` and goes on from it.
    """
    started = time.time()
    device = hardware.device(threads)
    data = Dataset.open(dataset, whole=True)
    job = {"identity": identity, "code": code, "dataset": files.sha256(Path(dataset) / DESCRIPTION)}
    with Unfinished(Path(checkpoint).with_suffix(".unfinished.pt"), job) as unfinished:
        state = train(data, identity, device, unfinished.state(), unfinished.keep)
        checkpoints.save(checkpoint, state)
    seconds = round(time.time() - started, 3)
    found = {"identity": identity, "history": state["history"], "steps": state["step"]}
    found |= noisy_classifier.describe(noisy_classifier.Classifier.of(state, device), data, device)
    timing = {"seconds": seconds, "device": hardware.describe(device)}
    files.write_json(report, found | {"timing": timing})


# --- Training ------------------------------------------------------------------------------------


def train(
    data: Dataset,
    identity: dict,
    device: torch.device,
    start: dict | None = None,
    keep: Callable = lambda state: None,
) -> dict:
    """State of a classifier after its training: cross-entropy on x_t, t uniform, AdamW.

    start: state to go on from; keep(state) is called after every update with a function that gives
    it. Everything random is a function of (seed, step), the order of the images of (seed, pass). No
    weights are averaged. Raises ValueError where data, process or network allow no guidance, and
    where the loss is not finite.
    """
    _check(data, identity)
    options, family = identity["training"], noisy_classifier.family_of(identity)
    run = _begin(data, identity, device)
    if start is not None:
        loop.resume(run, start)
    stream = loop.Stream(data, options["batch_size"], options["seed"], conditional=True)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for epoch in range(len(run.history) + 1, options["epochs"] + 1):
            while run.step < loop.steps_until(epoch, len(stream), options["batch_size"]):
                run.started.append(_update(run, family, stream, options, device))
                keep(lambda: _state(run, data, identity))
            entry = {"epoch": epoch, "step": run.step, "loss": _mean(run.started, epoch)}
            run.history.append(entry)
            run.started = []
    state = _state(run, data, identity)
    return {k: v for k, v in state.items() if k not in ("optimizer", "started")}


def _begin(data: Dataset, identity: dict, device: torch.device) -> loop.Run:
    options = identity["training"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(options["seed"], "classifier"))
        network = noisy_classifier.build(identity, data.shape, data.num_classes).to(device).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options["lr"], weight_decay=options["weight_decay"], fused=True
    )
    return loop.Run(network, None, optimizer, 0, [])


def _state(run: loop.Run, data: Dataset, identity: dict) -> dict:
    return run.state() | {
        "what": "classifier",
        "identity": identity,
        "seed": identity["training"]["seed"],
        "epoch": identity["training"]["epochs"],
        "status": "ok",
        "shape": list(data.shape),
        "num_classes": data.num_classes,
    }


def _update(run: loop.Run, family, stream, options: dict, device) -> Tensor:
    """One update; the loss before it."""
    seed = options["seed"]
    torch.manual_seed(seed_of(seed, "classifier dropout", run.step))
    draws = torch.Generator(device).manual_seed(seed_of(seed, "classifier noise", run.step))
    x0, labels = stream.batch(run.step, device)
    x0 = loop.augmented(x0, options, draws)
    t = family.draw_times(len(x0), draws)
    x = family.noised(x0, t, draws)
    loss = F.cross_entropy(run.network(x, family.time_condition(t).to(x0.dtype)), labels)
    run.optimizer.zero_grad()
    loss.backward()
    run.optimizer.step()
    run.step += 1
    return loss.detach()


def _mean(losses: list[Tensor], epoch: int) -> float:
    mean = float(torch.stack(losses).double().mean())
    if mean != mean or abs(mean) == float("inf"):
        raise ValueError(f"classifier: loss not finite in epoch {epoch}; expected a smaller lr")
    return mean


def _check(data: Dataset, identity: dict) -> None:
    if data.kind != "image" or data.num_classes < 2:
        found = f"{data.kind}s of {data.num_classes} classes"
        raise ValueError(f"{data.name}: {found}; a classifier needs images of 2 classes or more")
    untrained = identity["training"]["epochs"] == 0
    if untrained and identity["network"].get("pool") == "adaptive":
        raise ValueError(
            "classifier: network.pool is 'adaptive' with epochs: 0, whose gradient is exactly 0; "
            "expected pool: attention"
        )
