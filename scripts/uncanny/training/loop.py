"""The training loop of models, noisy classifiers and feature extractors.

Everything random is a function of (seed, step) and the data order of (seed, pass), so that a run
cut into segments equals an uninterrupted one bit for bit on a processor.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from uncanny.runtime import hardware, precision, progress
from uncanny.runtime.random_streams import seed_of
from uncanny.training import cuda_graphs, ema, gradients
from uncanny.training.lengths import steps_until
from uncanny.training.parallel import Share
from uncanny.training.stream import Stream

UPDATES_AT_ONCE = 20  # between two looks at whether the state is to be kept
GROWN = 10.0  # times the loss of the first epoch: what was learned is lost


class Diverged(Exception):
    """The loss is no longer finite, or has grown beyond what an untrained network has."""

    def __init__(self, reason: str, step: int):
        super().__init__(reason)
        self.step = step


@dataclass
class Run:
    """A training in memory: what is trained, on what and how, and how far it has come.

    loss(network, x0 [N, ...], labels, generator): losses [N], or their mean. data: has a length in
    images and batch(step, device) → x0, labels, as `Stream`. options: batch_size, lr and the other
    keys of a block `training`. seed, role: random numbers of an update follow from both and its
    step. average: moving average of the network, or None. scheduler: of the learning rate; None for
    that of the options. most_grown: limit of the loss, as a multiple of that of the first epoch.
    graphs: whether updates may be captured as CUDA graphs. share: of each batch that this process
    computes, None for all of it. started: of each update of the epoch
    that is not at its end, [loss, gradient norm, 1 if the gradient was not finite].
    """

    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable
    data: object
    options: dict
    seed: int = 0
    role: str = ""
    average: torch.nn.Module | None = None
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None
    most_grown: float = math.inf
    graphs: bool = False
    share: Share | None = None
    step: int = 0
    history: list[dict] = field(default_factory=list)
    started: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self):
        self.weights = list(self.network.parameters())
        self.device = self.weights[0].device
        self.generators = torch.Generator(self.device), _global_generator(self.device)
        if self.average is not None:
            self.follow = ema.follower(self.average, self.network)
        self.seen = self.network if self.share is None else self.share.network(self.network)
        # Loss and gradients of a batch.
        self.gradients = lambda x0, labels: _gradients(self, x0, labels)
        if self.graphs and cuda_graphs.wanted(self.device):
            self.gradients = cuda_graphs.Captured(self.gradients, self.generators)

    def latest(self) -> dict[str, float]:
        """Epoch, and mean loss of the last updates."""
        known = self.started[-UPDATES_AT_ONCE:]
        loss = float(torch.stack(known)[:, 0].mean()) if known else self.history[-1]["loss"]
        return {"epoch": len(self.history) + bool(known), "loss": loss}

    def state(self) -> dict:
        """Everything needed to go on exactly here: tensors, numbers and text only."""
        averaged = {} if self.average is None else {"average": self.average.state_dict()}
        return averaged | {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "step": self.step,
            "history": self.history,
            "started": self.started,
        }


def begin(
    build: Callable[[], torch.nn.Module],
    loss: Callable,
    data: Stream,
    options: dict,
    seed: int,
    device: torch.device,
    share: Share | None = None,
) -> Run:
    """A model's run before its first update: Adam, and a moving average of the weights.

    build: makes the network from torch's global generator, which is left as it was. share: of each
    batch that this process computes.
    """
    network = seeded(build, seed_of(seed, "weights")).to(device)
    if probability := options.get("label_dropout"):
        loss = label_dropout(loss, probability)
    # The average starts at the initial weights.
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = _optimizer(network, options)
    more = {"average": average, "most_grown": GROWN, "graphs": True, "share": share}
    return Run(network, optimizer, loss, data, options, seed, **more)


def label_dropout(loss: Callable, probability: float) -> Callable:
    """A loss in which each image is shown without its class, a row of zeros, with a
    probability (Ho and Salimans 2022, algorithm 1).
    """

    def dropped(network, x0, labels, generator):
        if labels is not None:
            kept = torch.rand(len(x0), generator=generator, device=x0.device) >= probability
            labels = labels * kept[:, None]
        return loss(network, x0, labels, generator)

    return dropped


def seeded(build: Callable[[], torch.nn.Module], seed: int) -> torch.nn.Module:
    """A network with initial weights from a seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def resume(run: Run, state: dict) -> None:
    """Bring a fresh run to a stored state."""
    run.network.load_state_dict(state["network"])
    if run.average is not None:
        run.average.load_state_dict(state["average"])
    # Moments are stored; learning rate and betas are those of the options.
    groups = run.optimizer.state_dict()["param_groups"]
    run.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
    run.started = [entry.to(run.device) for entry in state["started"]]
    run.step, run.history = state["step"], list(state["history"])


def train(run: Run, epoch: int, keep: Callable = lambda state: None) -> None:
    """Train until the end of `epoch`; adds one entry per epoch to the history.

    keep(state) is called every few updates with a function that gives the state to go on from.
    Raises Diverged within a few updates where a loss was not finite, and at the end of an epoch
    whose loss is most_grown times that of the first.
    """
    images, batch = len(run.data), run.options["batch_size"]
    total = batch * steps_until(epoch, images, batch)
    report = progress.Progress(total, "images", batch * run.step)
    for current in range(len(run.history) + 1, epoch + 1):
        end = steps_until(current, images, batch)
        while run.step < end:
            updates = min(UPDATES_AT_ONCE, end - run.step)
            run.started += advance(run, updates)
            _check_finite(run.started[-updates:], current, run.step)
            report.at(batch * run.step, run.latest)
            keep(run.state)
        run.history.append(_summary(run, current))
        run.started = []
        _check_grown(run)


def advance(run: Run, updates: int) -> list[torch.Tensor]:
    """Make so many updates; of each [loss, gradient norm, 1 if the gradient was not finite]."""
    run.network.train()
    forked = torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else [])
    with forked, precision.products(run.options.get("precision", "fp32"), run.device):
        try:
            return [_update(run) for _ in range(updates)]
        except torch.OutOfMemoryError as error:
            batch = f"an update with {run.options['batch_size']} images"
            raise hardware.TooLarge(batch, run.device, "a smaller batch_size") from error


def _update(run: Run) -> torch.Tensor:
    """One update; [loss, gradient norm, 1 if the gradient was not finite]."""
    # Fresh draws of this step alone, whatever was drawn before it.
    for draws, what in zip(run.generators, ("noise", "dropout"), strict=True):
        draws.manual_seed(seed_of(run.seed, f"{run.role} {what}".lstrip(), run.step))
    # Gradients
    entry = run.gradients(*run.data.batch(run.step, run.device))
    if run.share is not None:
        entry = _summed(run, entry)
    # Step of the optimiser, at the learning rate of this step
    if run.scheduler is None:
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.options, run.step)
    run.optimizer.step()
    if run.scheduler is not None:
        run.scheduler.step()
    # Moving average
    if run.average is not None:
        run.follow(ema.decay(run.options["ema"], run.step, run.options["batch_size"]))
    run.step += 1
    return entry


def _gradients(run: Run, x0: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """Give the weights the gradients of a batch; [loss, gradient norm, 1 if it was not finite]. Of
    a share: all gradients and the loss as one vector, to be summed.
    """
    options, draws = run.options, run.generators[0]
    with precision.layers(options.get("precision", "fp32"), run.device):
        # L = mean over the batch of l(network, x0)
        losses = run.loss(run.seen, augmented(x0, options, draws), labels, draws)
        value = losses.mean() if run.share is None else run.share.mean(losses)
    for weight in run.weights:  # as zero_grad does, without its bookkeeping
        weight.grad = None
    value.backward()
    if run.share is not None:
        vector = gradients.joined(gradients.with_gradients(run.weights))
        return torch.cat([vector, value.detach().to(vector.dtype)[None]])
    return _entry(value.detach(), gradients.repair_and_clip(run.weights, options.get("grad_clip")))


def _summed(run: Run, part: torch.Tensor) -> torch.Tensor:
    """As `_gradients` without a share, from this share's gradients and loss."""
    run.share.add(part)
    weights, limit = gradients.with_gradients(run.weights), run.options.get("grad_clip")
    return _entry(part[-1], gradients.repair_and_clip_joined(weights, part[:-1], limit))


def _entry(loss: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    return torch.stack([loss, norm, (~torch.isfinite(norm)).to(norm.dtype)])


def _global_generator(device: torch.device) -> torch.Generator:
    """What dropout draws from on a device; torch.manual_seed looks for every kind of device."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index]
    return torch.default_generator


def learning_rate(options: dict, step: int) -> float:
    """Learning rate of the update number `step`: a linear ramp over the first images, then
    constant. Images seen by then count, those of this update too unless `lr_from_zero`.
    """
    # lr(k) = lr min(1, n / ramp), n = (k + 1) B images seen, or k B
    ramp = options.get("lr_rampup_images", 0)
    seen = (step + (not options.get("lr_from_zero", False))) * options["batch_size"]
    return options["lr"] * (min(seen / ramp, 1.0) if ramp else 1.0)


def augmented(x0: torch.Tensor, options: dict, generator: torch.Generator) -> torch.Tensor:
    """x0 [N, ...] with half of the images mirrored at random where augment is `hflip`."""
    if options.get("augment", "none") == "none":
        return x0
    # where, not an index by a mask: the host does not have to wait for the number of images.
    mirrored = torch.rand(len(x0), generator=generator, device=x0.device) < 0.5
    return torch.where(mirrored.reshape(-1, *[1] * (x0.ndim - 1)), x0.flip(-1), x0)


def _check_finite(entries: list[torch.Tensor], epoch: int, step: int) -> None:
    # The only copy to the host: one for all updates since the last look.
    bad = ~torch.isfinite(torch.stack(entries)[:, 0].cpu())
    if bad.any():
        first = step - len(entries) + int(bad.nonzero()[0])
        raise Diverged(f"loss not finite at step {first} (epoch {epoch})", first)


def _check_grown(run: Run) -> None:
    first, last = run.history[0]["loss"], run.history[-1]["loss"]
    if last > run.most_grown * first:
        when = f"in epoch {run.history[-1]['epoch']}, after {first:.4g} in the first"
        raise Diverged(f"loss {last:.4g} {when}", run.step)


def _summary(run: Run, epoch: int) -> dict:
    table = torch.stack(run.started).double().cpu()
    norms = table[:, 1][table[:, 2] == 0]  # the mean is of finite ones
    return {
        "epoch": epoch,
        "step": run.step,
        "images": run.step * run.options["batch_size"],
        "loss": float(table[:, 0].mean()),
        "gradient_norm": float(norms.mean()) if len(norms) else None,
        "nonfinite_gradients": int(table[:, 2].sum()),
        "lr": learning_rate(run.options, run.step - 1),
    }


def _optimizer(network: torch.nn.Module, options: dict) -> torch.optim.Optimizer:
    betas, eps = tuple(options.get("betas", (0.9, 0.999))), options.get("adam_eps", 1e-8)
    return torch.optim.Adam(
        network.parameters(), lr=options["lr"], betas=betas, eps=eps, fused=True
    )
