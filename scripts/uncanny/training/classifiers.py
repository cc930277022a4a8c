"""Training of noisy classifiers p(y | x_t, t) (Dhariwal and Nichol 2021, section 4)."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from uncanny.datasets import DESCRIPTION, Dataset
from uncanny.guidance import noisy_classifier
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import seed_of
from uncanny.runtime.resume_state import ResumeState
from uncanny.training import loop
from uncanny.training.stream import Stream


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
    with ResumeState(Path(checkpoint).with_suffix(".unfinished.pt"), job) as resume:
        state = train(data, identity, device, resume.state(), resume.keep)
        checkpoints.save(checkpoint, state)
    seconds = round(time.time() - started, 3)
    facts = {"identity": identity, "history": state["history"], "steps": state["step"]}
    facts |= noisy_classifier.describe(noisy_classifier.Classifier.of(state, device), data, device)
    timing = {"seconds": seconds, "device": hardware.describe(device)}
    files.write_json(report, facts | {"timing": timing})


# --- Training ------------------------------------------------------------------------------------


def train(
    data: Dataset,
    identity: dict,
    device: torch.device,
    start: dict | None = None,
    keep: Callable = lambda state: None,
) -> dict:
    """State of a classifier after its training: cross-entropy on x_t, t uniform, AdamW.

    start: state to go on from; keep(state) is called every few updates with a function that gives
    it. Everything random is a function of (seed, step), the order of the images of (seed, pass). No
    weights are averaged. Raises ValueError where data, process or network allow no guidance, and
    where the loss is not finite.
    """
    _check(data, identity)
    run = _begin(data, identity, device)
    if start is not None:
        loop.resume(run, start)
    epochs, state = identity["training"]["epochs"], partial(_state, run, data, identity)
    try:
        loop.train(run, epochs, lambda _: keep(state))
    except loop.Diverged as error:
        raise ValueError(f"classifier: {error}; expected a smaller lr") from None
    return {k: v for k, v in state().items() if k not in ("optimizer", "started")}


def _begin(data: Dataset, identity: dict, device: torch.device) -> loop.Run:
    options, family = identity["training"], noisy_classifier.family_of(identity)

    def loss(network, x0: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        # x_t of the forward process at a uniform t
        t = family.draw_times(len(x0), generator)
        x = family.noised(x0, t, generator)
        logits = network(x, family.time_condition(t).to(x0.dtype))
        return F.cross_entropy(logits, labels)  # mean of -log p(y | x_t, t)

    # Weights, optimiser (AdamW at a constant rate) and images of a training
    network = loop.seeded(
        lambda: noisy_classifier.build(identity, data.shape, data.num_classes),
        seed_of(options["seed"], "classifier"),
    ).to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options["lr"], weight_decay=options["weight_decay"], fused=True
    )
    stream = Stream(data, options["batch_size"], options["seed"], conditional=True)
    return loop.Run(network, optimizer, loss, stream, options, options["seed"], "classifier")


def _state(run: loop.Run, data: Dataset, identity: dict) -> dict:
    history = [{key: entry[key] for key in ("epoch", "step", "loss")} for entry in run.history]
    return run.state() | {
        "what": "classifier",
        "identity": identity,
        "seed": identity["training"]["seed"],
        "epoch": identity["training"]["epochs"],
        "status": "ok",
        "shape": list(data.shape),
        "num_classes": data.num_classes,
        "history": history,
    }


def _check(data: Dataset, identity: dict) -> None:
    if data.kind != "image" or data.num_classes < 2:
        content = f"{data.kind}s of {data.num_classes} classes"
        raise ValueError(f"{data.name}: {content}; a classifier needs images of 2 classes or more")
    # The adaptive pool ends in a layer of zeros: untrained, its logits do not depend on x.
    untrained = identity["training"]["epochs"] == 0
    if untrained and identity["network"].get("pool") == "adaptive":
        raise ValueError(
            "classifier: network.pool is 'adaptive' with epochs: 0, whose gradient is exactly 0; "
            "expected pool: attention"
        )
