"""Trajectories: one real image into noise, one image out of it, at the same noise levels.

The real image is the training image with the most contrast between neighbouring pixels: one with
strokes. The other is, of the first CANDIDATES images of the sampling seed, the one that is nearest
to a training image, pixel by pixel.

Nothing in the samplers changes: the model that a sampler calls is wrapped and records each state
that it is called with.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from uncanny.datasets import Dataset, to_model
from uncanny.diffusion.sigma_view import seen_as
from uncanny.registry import components
from uncanny.runtime import arrays, checkpoints, hardware, precision
from uncanny.runtime.random_streams import ImageStreams, generator, image_seeds
from uncanny.sampling import drawing

LEVELS = 9
CANDIDATES = 8  # first images of the sampling seed, of which one is traced
AT_ONCE = 1000  # training images converted at a time
LANES = {"annealed": "NCSN", "discrete": "DDPM", "continuous": "SDE"}
AXES = {"annealed": "noise level", "discrete": "step t", "continuous": "noise level"}


class Recorded:
    """A model, and (level, states [N, C, H, W]) of its images at each call."""

    def __init__(self, model):
        self.model, self.seen = model, []

    def __call__(self, x: Tensor, level) -> Tensor:
        self.seen.append((float(level), x.detach().cpu().double()))
        return self.model(x, level)

    def __getattr__(self, name):
        return getattr(self.model, name)


def run(*, checkpoint, identity, seed, sampler, dataset, output, threads) -> None:
    """Write the trace of a generated image under a sampler, and of a training image.

    dataset: prepared folder. Raises ValueError for a checkpoint that diverged and for data that are
    no images.
    """
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{checkpoint}: the model diverged: {state['reason']}")
    model = drawing.Trained.of(state, hardware.device(threads))
    data = Dataset.open(dataset)
    if data.kind != "image":
        raise ValueError(f"{dataset}: {data.kind}s; a trace needs images")
    process = identity["process"]
    if process["kind"] not in LANES:
        known = ", ".join(sorted(LANES))
        raise ValueError(f"{checkpoint}: a {process['kind']} model; a trace needs one of {known}")
    shrinks = process["kind"] == "discrete" or process.get("preconditioning") == "vp"
    training = data.train.images
    paths = trace(model, process["kind"], sampler, training, shrinks=shrinks, seed=seed)
    arrays.save(output, **paths)


def trace(
    model: drawing.Trained,
    family: str,
    sampler: dict,
    training: np.ndarray,
    *,
    shrinks: bool,
    count: int = LEVELS,
    seed: int = 0,
) -> dict:
    """Both ways at `count` of the levels that the sampler visits, evenly along its steps.

    family: kind of the model's process. sampler: its complete block. training: uint8 [N, C, H, W].
    shrinks: whether the process shrinks the signal as noise grows. seed: of the training, to which
    the random numbers of images belong. Returns forward, backward [K, C, H, W], sigma [K] rising
    from 0, alpha_bar [K] (NaN where not shrinks), lane and axis, as figure_data.Trace describes
    them. sigma is in the units of images in [-1, 1].
    """
    sigma, states = _thinned(_trajectory(model, sampler, family, seed), count)
    states = states[:, _most_real(states[0], training)]
    real = _most_contrast(training)
    noisy = real + _noise(sigma, real)
    # Both in units of the standard deviation, sqrt(1 + sigma^2) for data of unit variance;
    # alpha_bar = 1 / (1 + sigma^2) of a process that keeps the variance.
    squares = 1 + sigma**2
    scale = squares.sqrt().reshape(-1, 1, 1, 1)
    paths = {"forward": noisy / scale, "backward": states / scale, "sigma": sigma}
    paths["alpha_bar"] = 1 / squares if shrinks else torch.full_like(sigma, math.nan)
    named = {"lane": LANES.get(family, family), "axis": AXES.get(family, "noise level")}
    return {name: array.numpy() for name, array in paths.items()} | named


@torch.no_grad()
def _trajectory(
    model: drawing.Trained, sampler: dict, family: str, seed: int
) -> list[tuple[float, Tensor]]:
    """(sigma, unscaled states) at each level of the candidates' trajectories, falling to 0."""
    streams = ImageStreams(image_seeds(0, 0, CANDIDATES, seed))
    latents = streams.latents(model.shape).to(model.device)
    labels = streams.class_labels(max(model.num_classes, 1)).to(model.device)
    classes = torch.nn.functional.one_hot(labels, model.num_classes) if model.conditional else None
    viewed = seen_as(model.family, components.signature("samplers", sampler["kind"]).first)
    name = family if viewed is model.family else "continuous"  # levels are sigma, states unscaled
    recorded = Recorded(viewed.bind(model.network, classes))
    x, levels, extra = viewed.init_sampling(recorded, latents, **sampler["init_sampling"])
    solve = components.load("samplers", sampler["kind"])
    with precision.computing(sampler["precision"], model.device):
        x = solve(recorded, x, levels, noise=streams.noise, **(sampler["options"] | extra))
    states = [_unscaled(viewed, name, *seen) for seen in recorded.seen]
    return [*_last_at_each_level(states), (0.0, _finished(model.family, x).cpu())]


def _unscaled(family, name: str, level: float, x: Tensor) -> tuple[float, Tensor]:
    """Noise level and state of the form x0 + sigma n, for x0 in [-1, 1]."""
    if name == "discrete":
        # x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) n
        alpha_bar = float(family.alphas_cumprod[int(level)])
        return math.sqrt((1 - alpha_bar) / alpha_bar), x / math.sqrt(alpha_bar)
    # The family's finish is affine: its slope takes sigma to the range [-1, 1].
    zero, one = (_finished(family, torch.full((), v)) for v in (0.0, 1.0))
    return float(one - zero) * level, _finished(family, x)


def _finished(family, x: Tensor) -> Tensor:
    """From the family's own range of pixels to [-1, 1]."""
    return family.finish(x) if hasattr(family, "finish") else x


def _last_at_each_level(states: list[tuple[float, Tensor]]) -> list[tuple[float, Tensor]]:
    """A sampler may look at a level more than once before it arrives there: its last state."""
    following = [sigma for sigma, _ in states[1:]] + [0.0]
    return [
        state
        for state, after in zip(states, following, strict=True)
        if not math.isclose(state[0], after, rel_tol=1e-6)
    ]


def _thinned(states: list[tuple[float, Tensor]], count: int) -> tuple[Tensor, Tensor]:
    """Rising sigma [K] and states [K, N, C, H, W]: at most `count`, evenly spaced by index."""
    count = min(count, len(states))
    rows = np.linspace(len(states) - 1, 0, count).round().astype(int)
    chosen = [states[row] for row in rows]
    sigma = torch.tensor([sigma for sigma, _ in chosen], dtype=torch.float64)
    return sigma, torch.stack([state for _, state in chosen])


def _most_contrast(training: np.ndarray) -> Tensor:
    """The image [C, H, W] in [-1, 1] with the largest total variation, mean_x |∂x/∂i| + |∂x/∂j|."""
    variations = [
        sum(images.diff(dim=axis).abs().mean(dim=(1, 2, 3)) for axis in (2, 3))
        for images in _parts(training)
    ]
    return to_model(np.array(training[int(torch.cat(variations).argmax())])).double()


def _most_real(images: Tensor, training: np.ndarray) -> int:
    """Index of the image [N, C, H, W] that is nearest to a training image, pixel by pixel."""
    images = images.flatten(1)
    distances = [torch.cdist(images, real.flatten(1)).amin(dim=1) for real in _parts(training)]
    return int(torch.stack(distances).amin(dim=0).argmin())


def _parts(training: np.ndarray) -> Iterator[Tensor]:
    """Training images in [-1, 1], float64, AT_ONCE at a time."""
    for first in range(0, len(training), AT_ONCE):
        yield to_model(np.array(training[first : first + AT_ONCE])).double()


def _noise(sigma: Tensor, real: Tensor) -> Tensor:
    """One path of growing noise [K, C, H, W]: independent increments of variance d sigma^2."""
    # x(sigma_k) - x(sigma_{k-1}) ~ N(0, sigma_k^2 - sigma_{k-1}^2)
    like = (len(sigma), *real.shape)
    steps = torch.randn(like, generator=generator("trace", 0), dtype=torch.float64)
    spread = sigma.square().diff(prepend=torch.zeros(1, dtype=torch.float64)).clamp(min=0).sqrt()
    return (spread.reshape(-1, 1, 1, 1) * steps).cumsum(dim=0)
