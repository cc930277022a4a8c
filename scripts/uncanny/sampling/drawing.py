"""From a checkpoint to images: batches, seeds, counting of network evaluations, and the files that
hold the result.
"""

import copy
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from uncanny.datasets import Dataset, to_model, to_uint8
from uncanny.networks import building
from uncanny.registry import components
from uncanny.runtime import arrays, checkpoints, files, hardware, precision, progress
from uncanny.runtime.random_streams import ImageStreams, chosen, image_seeds

BATCH_VALUES = 2**21  # numbers in one batch of states: 682 images of 3×32×32


class Counted:
    """A model that a sampler walks with, and how many states of how many images it was shown."""

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
        """States that are walked at once, if memory holds so many."""
        return max(1, BATCH_VALUES // int(np.prod(self.family.state_shape(self.shape))))

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


@dataclass(frozen=True)
class Drawn:
    """Images [n, ...] in the model's range, float64; class labels [n] drawn with them; evaluations
    per image, their mean where a sampler chooses its steps; how many were walked at once, at most;
    what guidance did by decile of t (`guidances.Account`), None without guidance.
    """

    images: torch.Tensor
    labels: torch.Tensor
    nfe: float
    batch_size: int
    deciles: list[dict] | None = None


def draw_images(
    model: Trained,
    sampler: dict,
    seeds: list[int],
    guidance=None,
    *,
    originals=None,
    losses: dict | None = None,
    account: bool = True,
) -> Drawn:
    """One image per seed. Image k is a function of its seed, whatever batch it is drawn in (to
    rounding).

    sampler: its complete block. guidance: a `guidances.Guidance` towards each image's
    label, or None. originals: images as they are stored, for walks that start from them. losses:
    of the model at single noise levels, for walks whose grid follows from them. account: keep
    account of what guidance does, which costs time.
    """
    bend, kept = _bend(model, sampler, guidance, account, originals)

    def draw(batch: list[int]) -> Drawn:
        return _draw_batch(model, sampler, batch, bend, originals, losses)

    told, parts = progress.Progress(len(seeds), "images"), []
    with precision.computing(sampler["precision"], model.device):
        for part in _in_batches(draw, seeds, model.batch_size, kept):
            parts.append(part)
            told.at(sum(len(part.images) for part in parts))
    images, labels = (torch.cat([getattr(p, n) for p in parts]) for n in ("images", "labels"))
    counts = [len(part.images) for part in parts]
    nfe = mean_nfe([part.nfe for part in parts], counts)
    return Drawn(images, labels, nfe, max(counts), kept.report() if kept else None)


def _in_batches(draw: Callable, seeds: list[int], size: int, account) -> Iterator[Drawn]:
    """Batches of at most `size` images; of half as many from where memory does not hold one."""
    while seeds:
        before = copy.deepcopy(account)
        try:
            part = draw(seeds[:size])
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = -(-min(size, len(seeds)) // 2)
            if account is not None:
                vars(account).update(vars(before))
            print(f"out of memory: batches of {size} images from here on", flush=True)
            continue
        yield part
        seeds = seeds[size:]


def mean_nfe(values: Sequence[float], images: Sequence[int]) -> float:
    """Evaluations per image over sets of so many images: an integer, unless a sampler chooses its
    steps image by image.
    """
    mean = round(float(np.average(values, weights=images)), 4)
    return int(mean) if mean.is_integer() else mean


def _bend(model: Trained, sampler: dict, guidance, account: bool, originals) -> tuple:
    """What binds a batch to its guidance, and the account that is kept of it; None for nothing."""
    if guidance is None:
        return None, None
    kind = sampler["kind"]
    if not components.takes("samplers", kind, guidance.GUIDED_ARGUMENT):
        raise ValueError(
            f"sampler {kind!r} takes no {guidance.GUIDED_ARGUMENT}: it cannot be guided"
        )
    return guidance.bound_to(model.family, sampler["options"], account, originals)


@torch.no_grad()
def _draw_batch(model: Trained, sampler: dict, seeds: list[int], bend, originals, losses) -> Drawn:
    streams = ImageStreams(seeds)
    latents = streams.latents(model.family.state_shape(model.shape)).to(model.device)
    # Drawn in any case, so that the noise that follows is the same for every model.
    labels = streams.class_labels(max(model.num_classes, 1))
    shown = torch.nn.functional.one_hot(labels, model.num_classes) if model.conditional else None
    walked = Counted(model.family.bind(model.network, _to(shown, model.device)), len(seeds))
    options = dict(sampler["init_sampling"])
    if options.get("init") == "marginal" and originals is not None:
        options["originals"] = to_model(originals[chosen(seeds, len(originals))]).to(model.device)
    if losses is not None:
        options["losses"] = losses
    x, levels, extra = model.family.init_sampling(walked, latents, **options)
    seen = walked
    if bend is not None:
        seen = bend(walked, levels, _to(labels, model.device), seeds)
        extra |= seen.arguments
    solve = components.load("samplers", sampler["kind"])
    x = solve(seen, x, levels, noise=streams.noise, **(sampler["options"] | extra))
    return Drawn(model.family.finish(x).cpu(), labels, walked.nfe, len(seeds))


def _to(tensor: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(device)


def run(
    *,
    checkpoint,
    identity,
    seed,
    sampler,
    draw,
    num_images,
    samples,
    record,
    threads,
    first=0,
    guidance=None,
    classifiers=None,
    dataset=None,
    losses=None,
) -> None:
    """Draw images first .. first + num_images - 1 of a draw and write them with their record.

    guidance: its complete block, or None; classifiers: the files of those it names, by name.
    dataset: prepared folder of the model's dataset, for walks that start from its images: those
    of the training split, or of the split that the guidance names. losses: file of the checkpoint's
    losses, for grids that follow from them.
    A diverged checkpoint, or images that are not finite, leave an empty set that is marked.
    Gradients of a guidance that are not finite raise guidances.NotFinite.
    """
    device = hardware.device(threads)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    seeds = image_seeds(draw, first, num_images)
    facts = {"sampler": sampler, "num_images": num_images, "image_seeds": [seeds[0], seeds[-1]]}
    facts |= {"guidance": guidance}
    images, labels = np.zeros((0, *state["shape"]), np.uint8), np.zeros(0, np.int64)
    beside = {}
    if state["status"] == "diverged":
        facts |= {"status": "diverged", "reason": state["reason"], "timing": {}}
    else:
        model = Trained.of(state, device)
        bent = prepared(guidance, classifiers or {}, identity, device)
        split = getattr(bent, "split", "train")
        originals = Dataset.open(dataset).splits[split].images if dataset else None
        facts |= {"classifiers": bent.ids} if bent else {}
        measured = files.read_json(losses) if losses else None
        given = {"originals": originals, "losses": measured}
        drawn, found = _timed(model, sampler, seeds, bent, given)
        facts |= {"images_seen": state["images_seen"]} | found
        if facts["status"] == "ok":
            truncated = sampler["init_sampling"].get("pixels") == "truncate"
            images, labels = stored(drawn.images, truncated=truncated), drawn.labels.numpy()
            beside = bent.extras(originals, seeds) if hasattr(bent, "extras") else {}
    save(samples, images, labels, **beside)
    files.write_json(record, facts)


def save(path, images: np.ndarray, labels: np.ndarray, **beside: np.ndarray) -> None:
    """Write a set of samples: images [n, ...] as `stored` gives them, labels int64 [n], and what a
    guidance keeps beside them [n, ...].
    """
    arrays.save(path, images=images, labels=labels, **beside)


def load_images(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, C, H, W] (vectors float32 [n, D]) and labels [n] of a stored sample set;
    ValueError that names a damaged file.
    """
    stored = arrays.load(path, "a whole set of samples")
    if not {"images", "labels"} <= stored.keys():
        raise ValueError(f"{path}: not a whole set of samples; delete it and run again")
    return stored["images"], stored["labels"]


def prepared(block: dict | None, classifiers: dict, identity: dict, device: torch.device):
    """The guidance of a complete block, for the model of an identity; None for None.

    classifiers: files by name. Found by name, as components are: what is not guided does not
    depend on the code of guidance.
    """
    if block is None:
        return None
    return importlib.import_module("uncanny.guidance.guidances").prepare(
        block, classifiers, identity, device
    )


def _timed(model: Trained, sampler: dict, seeds: list[int], guidance, given: dict) -> tuple:
    """What was drawn, and what the record says about it."""
    started = time.time()
    drawn = draw_images(model, sampler, seeds, guidance, **given)
    facts = {"timing": _timing(time.time() - started, drawn, model, sampler), "nfe": drawn.nfe}
    facts |= _verdict(drawn.images)
    if drawn.deciles is not None and facts["status"] == "ok":
        facts["guidance_deciles"] = drawn.deciles
    return drawn, facts


def _verdict(images: torch.Tensor) -> dict:
    lost = int((~torch.isfinite(images)).flatten(1).any(dim=1).sum())
    if lost:
        return {"status": "diverged", "reason": f"{lost} of {len(images)} images are not finite"}
    return {"status": "ok"}


def stored(images: torch.Tensor, *, truncated: bool = False) -> np.ndarray:
    """As images are kept: uint8 [n, C, H, W]; vectors float32 [n, D].

    truncated: 255 (x + 1) / 2 without its fraction, not rounded.
    """
    if images.ndim != 4:
        return images.float().numpy()
    return to_uint8(images - 1 / 255 if truncated else images).numpy()


def _timing(seconds: float, drawn: Drawn, model: Trained, sampler: dict) -> dict:
    count = len(drawn.images)
    return {
        "seconds": round(seconds, 4),
        "ms_per_nfe": round(1000 * seconds / (count * drawn.nfe), 5),
        "batch_size": drawn.batch_size,
        "precision": sampler["precision"],
        "device": hardware.describe(model.device),
        "peak_memory_mb": round(hardware.peak_memory_mb(model.device), 1),
    }
