"""From a model to images: batches, seeds, counting of network evaluations. No files here."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from uncanny.datasets import to_model
from uncanny.diffusion.sigma_view import seen_as
from uncanny.networks import building
from uncanny.registry import components
from uncanny.runtime import hardware, precision, progress
from uncanny.runtime.random_streams import ImageStreams, chosen
from uncanny.runtime.resume_state import ResumeState

BATCH_VALUES = 2**21  # numbers in one batch of states: 682 images of 3×32×32


class Counted:
    """A model that a sampler calls, and with how many states of how many images it was called."""

    def __init__(self, model, images: int):
        self.model, self.images, self.states = model, images, 0

    def __call__(self, x, level, **more):
        self.states += len(x)
        return self.model(x, level, **more)

    @property
    def nfe(self) -> float:
        """Evaluations per image."""
        return self.states / self.images

    def __getattr__(self, name):
        return getattr(self.model, name)


@dataclass(frozen=True)
class Trained:
    """A trained model: its family, its averaged network, and the data it was made for.

    shape: of one image or vector. conditional: the network is shown a class.
    """

    family: object
    network: torch.nn.Module
    shape: tuple[int, ...]
    num_classes: int
    conditional: bool

    @classmethod
    def of(cls, state: dict, device: torch.device) -> "Trained":
        """The model of a loaded checkpoint."""
        identity = state["identity"]
        return cls(
            building.build_family(identity, state["derived"]),
            building.averaged_network(state, device),
            tuple(state["shape"]),
            state["num_classes"],
            identity["conditional"],
        )

    @property
    def batch_size(self) -> int:
        """States that are sampled at once, if memory holds so many."""
        return max(1, BATCH_VALUES // int(np.prod(self.family.state_shape(self.shape))))

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


@dataclass(frozen=True)
class Generated:
    """images [n, ...] in the model's range, float64; labels [n], a class for each; nfe, evaluations
    per image, their mean where a sampler chooses its steps; batch_size, the largest; deciles, what
    guidance did by decile of t, None without guidance; seconds that drawing took, with those of
    attempts that were cut off.
    """

    images: torch.Tensor
    labels: torch.Tensor
    nfe: float
    batch_size: int
    deciles: list[dict] | None = None
    seconds: float = 0.0


def draw_images(
    model: Trained,
    sampler: dict,
    seeds: list[int],
    guidance=None,
    *,
    originals=None,
    losses: dict | None = None,
    with_statistics: bool = True,
    resume: ResumeState | None = None,
) -> Generated:
    """One image per seed. Image k is a function of its seed, whatever batch it is drawn in (to
    rounding).

    sampler: its complete block. guidance: a `guidances.Guidance` towards each image's label, or
    None. originals: images as they are stored, for sampling that starts from them. losses: of the
    model at single noise levels, for grids that follow from them. with_statistics: collect those of
    what guidance does, which costs time. resume: where finished batches are kept, and those of an
    attempt that was cut off are.
    """
    started = time.time()
    guide, kept = _guide(model, sampler, guidance, with_statistics, originals)

    def draw(batch: list[int]) -> Generated:
        return _draw_batch(model, sampler, batch, guide, originals, losses)

    parts, before = _earlier(resume, kept)
    done = sum(len(part.images) for part in parts)
    size = parts[-1].batch_size if parts else model.batch_size
    report = progress.Progress(len(seeds), "images", done)
    with precision.computing(sampler["precision"], model.device):
        for part in _in_batches(draw, seeds[done:], size, kept, model.device):
            parts.append(part)
            done += len(part.images)
            report.at(done)
            if resume is not None:
                state = _state(parts, kept, before + time.time() - started)
                resume.keep(lambda state=state: state)
    # Batches put together
    images, labels = (torch.cat([getattr(p, n) for p in parts]) for n in ("images", "labels"))
    counts = [len(part.images) for part in parts]
    nfe = mean_nfe([part.nfe for part in parts], counts)
    deciles = kept.report() if kept else None
    return Generated(images, labels, nfe, max(counts), deciles, before + time.time() - started)


def _earlier(resume: ResumeState | None, statistics) -> tuple[list[Generated], float]:
    """Batches that an earlier attempt has kept, and the seconds that they took; statistics of
    guidance are brought to where it was.
    """
    state = resume.state() if resume else None
    if state is None:
        return [], 0.0
    if statistics is not None:
        statistics.restore(state["statistics"])
    return [Generated(**part) for part in state["parts"]], state["seconds"]


def _state(parts: list[Generated], statistics, seconds: float) -> dict:
    """Finished batches, to go on from."""
    names = ("images", "labels", "nfe", "batch_size")
    return {
        "step": sum(len(part.images) for part in parts),
        "parts": [{name: getattr(part, name) for name in names} for part in parts],
        "statistics": statistics.state() if statistics else None,
        "seconds": seconds,
    }


def _in_batches(
    draw: Callable, seeds: list[int], size: int, statistics, device: torch.device
) -> Iterator[Generated]:
    """Batches of at most `size` images; of half as many from where memory does not hold one.
    hardware.TooLarge where it does not hold a single image.
    """
    while seeds:
        # A batch that fails may have been counted in part.
        before = copy.deepcopy(statistics)
        try:
            part = draw(seeds[:size])
        except torch.OutOfMemoryError as error:
            if size == 1:
                raise hardware.TooLarge("one image", device, "a smaller network") from error
            size = -(-min(size, len(seeds)) // 2)
            if statistics is not None:  # those of the failed batch do not count
                vars(statistics).update(vars(before))
            print(f"out of memory: batches of {size} images from here on", flush=True)
            continue
        yield part
        seeds = seeds[size:]


def mean_nfe(values: Sequence[float], images: Sequence[int]) -> float:
    """Evaluations per image over sets of so many images: an integer, unless a sampler chooses its
    steps image by image.
    """
    # sum_i n_i nfe_i / sum_i n_i
    mean = round(float(np.average(values, weights=images)), 4)
    return int(mean) if mean.is_integer() else mean


def _guide(model: Trained, sampler: dict, guidance, with_statistics: bool, originals) -> tuple:
    """A function that guides a batch's model, and the statistics that it collects; or Nones."""
    if guidance is None:
        return None, None
    kind, argument = sampler["kind"], guidance.GUIDED_ARGUMENT
    if argument is not None and not components.takes("samplers", kind, argument):
        raise ValueError(f"sampler {kind!r} takes no {argument}: it cannot be guided")
    return guidance.bound_to(model.family, sampler["options"], with_statistics, originals)


@torch.no_grad()
def _draw_batch(
    model: Trained, sampler: dict, seeds: list[int], guide, originals, losses
) -> Generated:
    # Random numbers of the images: latents, labels, then noise. Labels are drawn in any case, so
    # that the noise that follows is the same for every model.
    streams = ImageStreams(seeds)
    latents = streams.latents(model.family.state_shape(model.shape)).to(model.device)
    labels = streams.class_labels(max(model.num_classes, 1))
    # The model, bound to the classes that it is shown
    classes = torch.nn.functional.one_hot(labels, model.num_classes) if model.conditional else None
    family = seen_as(model.family, components.signature("samplers", sampler["kind"]).first)
    counted = Counted(family.bind(model.network, _to(classes, model.device)), len(seeds))
    # Initial states and grid
    options = dict(sampler["init_sampling"])
    if options.get("init") == "marginal" and originals is not None:
        options["originals"] = to_model(originals[chosen(seeds, len(originals))]).to(model.device)
    if losses is not None:
        options["losses"] = losses
    x, levels, extra = family.init_sampling(counted, latents, **options)
    # Guidance
    guided = counted
    if guide is not None:
        guided = guide(counted, levels, _to(labels, model.device), seeds)
        extra |= guided.arguments
    # Sampling
    solve = components.load("samplers", sampler["kind"])
    x = solve(guided, x, levels, noise=streams.noise, **(sampler["options"] | extra))
    if hasattr(guided, "check"):
        guided.check()
    return Generated(family.finish(x).cpu(), labels, counted.nfe, len(seeds))


def _to(tensor: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(device)
