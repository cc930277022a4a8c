"""Noisy classifiers p(y | x_t, t): files, gradients for guidance, accuracy by noise level.

Dhariwal and Nichol 2021, section 4. x_t comes from the process of the guided model: its family
defines how images are noised and which time condition a network takes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from uncanny.datasets import Dataset, Split, to_model
from uncanny.diffusion.forward import one_per_image
from uncanny.networks.building import build_family
from uncanny.registry import components
from uncanny.runtime import checkpoints
from uncanny.runtime.random_streams import generator

DECILES = 10
REPORT_SEED = 0  # of the noise in a report
REPORT_BATCH = 256
GRADIENT_IMAGES = 256  # images that a report measures gradients on
GRADIENT_VALUES = 2**19  # numbers that one backward pass holds: 170 images of 3×32×32


@dataclass(frozen=True)
class Classifier:
    """p(y | x_t, t) with fixed weights: float64 outside, the network's precision inside.

    id: kind of the network@first 12 hex digits of the SHA-256 of the weights. time_condition: maps
    a time t to the network's input.
    """

    network: torch.nn.Module
    identity: dict
    num_classes: int
    id: str
    time_condition: Callable = lambda t: t

    @classmethod
    def of(cls, state: dict, device: torch.device) -> "Classifier":
        """The classifier of a loaded state."""
        # The fork keeps initial weights, which are replaced, from advancing the global generator.
        with torch.random.fork_rng(devices=[]):
            network = build(state["identity"], state["shape"], state["num_classes"])
        network.load_state_dict(state["network"])
        kind = state["identity"]["network"]["kind"]
        name = f"{kind}@{checkpoints.weights_sha256(state['network'])[:12]}"
        network = network.to(device).eval().requires_grad_(False)
        condition = family_of(state["identity"]).time_condition
        return cls(network, state["identity"], state["num_classes"], name, condition)

    def log_p(self, x: Tensor, t: float | Tensor, labels: Tensor) -> Tensor:
        """log p(y | x, t), float64 [N]. x: states [N, ...]; t: one time or [N]; labels: [N]."""
        weights = next(self.network.parameters())
        t = one_per_image(self.time_condition(t), x, weights.dtype)
        logits = self.network(x.to(weights.dtype), t).double()
        # log p(y | x, t) = logit_y - log sum_k exp(logit_k)
        return F.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]

    def gradient(self, x: Tensor, t: float | Tensor, labels: Tensor) -> Tensor:
        """Gradient of log p(y | x, t) with respect to x, float64 [N, ...]; weights get none."""
        # Images do not depend on each other: chunks bound the memory of the backward pass.
        rows = max(1, GRADIENT_VALUES // x[0].numel())
        # A discrete time stays an integer, a continuous one float64.
        dtype = torch.float64 if isinstance(t, float) else torch.as_tensor(t).dtype
        t = one_per_image(t, x, dtype)
        chunks = zip(x.split(rows), t.split(rows), labels.split(rows), strict=True)
        return torch.cat([self._gradient(*chunk) for chunk in chunks])

    @torch.enable_grad()
    def _gradient(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        # d/dx_i sum_j log p(y_j | x_j) = grad log p(y_i | x_i): one backward pass for all images
        x = x.detach().double().requires_grad_()
        return torch.autograd.grad(self.log_p(x, t, labels).sum(), x)[0]


def load(path, device: torch.device, *, identity: dict | None = None) -> Classifier:
    """Load the classifier of a file; never executes code.

    Raises ValueError that names the file where it is missing, damaged, no classifier, or was made
    with another identity.
    """
    state = checkpoints.load(path, identity=identity)
    if state.get("what") != "classifier":
        raise ValueError(f"{path}: a checkpoint, but not of a noisy classifier")
    return Classifier.of(state, device)


def build(identity: dict, shape, num_classes: int) -> torch.nn.Module:
    """Build the network of a classifier for images of a shape; its input is the family's state."""
    state = family_of(identity).state_shape(tuple(shape))
    return components.call("networks", identity["network"], state, num_classes)


def family_of(identity: dict):
    """The family that a classifier is made for; ValueError for one that cannot be guided."""
    kind, family = identity["process"]["kind"], build_family(identity)
    if not hasattr(family, "noised"):
        expected = "'discrete' or 'phase_space'"
        raise ValueError(f"classifier: process.kind is {kind!r}; expected {expected}")
    return family


def decile_of(t: float, num_levels: int | None) -> int:
    """Tenth of the times 0..T-1 that t lies in, 0 (least noise) to 9; of 0 to 1 where T is None."""
    if num_levels is None:
        return min(int(DECILES * t), DECILES - 1)  # t = 1 belongs to the last
    # floor(10 t / T)
    return DECILES * t // num_levels


def decile_range(decile: int, num_levels: int | None) -> tuple:
    """First and last time of a decile; the last is smaller than the first where it has none."""
    if num_levels is None:
        return decile / DECILES, (decile + 1) / DECILES
    # ceil(k T / 10) to ceil((k + 1) T / 10) - 1: the inverse of floor(10 t / T) = k
    return -(-decile * num_levels // DECILES), -(-(decile + 1) * num_levels // DECILES) - 1


def describe(classifier: Classifier, data: Dataset, device: torch.device) -> dict:
    """Report accuracy and size of the gradient by decile of t, on noised images of the test split.

    Per decile: t [first, last]; accuracy, share of the n test images classified as labelled, each
    at one t uniform in the decile, with its binomial standard error se; gradient_rms, root mean
    square over pixels and images of the gradient of log p(y | x_t, t), y uniform as in guidance, on
    up to 256 of those images.
    """
    num_levels = family_of(classifier.identity).num_levels
    ranges = [(k, decile_range(k, num_levels)) for k in range(DECILES)]
    return {
        "classifier": classifier.id,
        "parameters": sum(p.numel() for p in classifier.network.parameters()),
        "chance": 1 / data.num_classes,
        "deciles": [
            {"decile": k, "t": list(ends)} | _measured(classifier, data.test, device, k, ends)
            for k, ends in ranges
            if ends[0] <= ends[1]  # fewer than ten levels leave deciles empty
        ],
    }


@torch.no_grad()
def _measured(classifier: Classifier, split: Split, device, decile: int, ends) -> dict:
    family = family_of(classifier.identity)
    # A stream per decile: its values do not depend on which others are measured.
    rng = generator(REPORT_SEED, "classifier report", decile)
    order, correct, gradient = torch.randperm(len(split), generator=rng), 0, None
    for rows in order.split(REPORT_BATCH):
        t = family.draw_times(len(rows), rng, ends)
        x = family.noised(to_model(split.images[rows.numpy()]), t, rng)
        targets = torch.randint(classifier.num_classes, (len(rows),), generator=rng)
        x, t, targets = (v.to(device) for v in (x, t, targets))
        logits = classifier.network(x, family.time_condition(t).to(x.dtype))
        # Accuracy against the true labels, gradients towards random targets, as in guidance
        labels = torch.from_numpy(split.labels[rows.numpy()]).to(device)
        correct += int((logits.argmax(dim=1) == labels).sum())
        if gradient is None:  # of the first batch only; the order is random
            some = slice(GRADIENT_IMAGES)
            gradient = classifier.gradient(x[some], t[some], targets[some])
    n = len(split)
    return {
        "accuracy": correct / n,
        "se": (correct / n * (1 - correct / n) / n) ** 0.5,  # sqrt(p (1 - p) / n)
        "n": n,
        "gradient_rms": float(gradient.square().mean().sqrt()),
        "gradient_n": len(gradient),
    }
