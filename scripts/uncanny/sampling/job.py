"""The sampling job: files in, files out. `drawing` and `sample_sets` compute."""

import importlib
import os
from pathlib import Path

import torch

from uncanny.datasets import Dataset
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import image_seeds
from uncanny.runtime.resume_state import ResumeState
from uncanny.sampling import drawing, sample_files, sample_sets


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
    code="",
) -> None:
    """Draw images first .. first + num_images - 1 of a draw and write them with their record.

    seed: of the model's training; with the draw it determines all random numbers of an image.
    guidance: its complete block, or None; classifiers: the files of those it names, by name.
    dataset: prepared folder of the model's dataset, for sampling that starts from its images: those
    of the training split, or of the split that the guidance names. losses: file of the checkpoint's
    losses, for grids that follow from them. code: fingerprint of what samples.
    A job that is cut off keeps its finished batches beside `samples` and goes on from them.
    A diverged checkpoint, or images that are not finite, leave an empty set that is marked.
    Gradients of a guidance that are not finite raise ValueError.
    """
    device = hardware.device(threads)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    seeds = image_seeds(draw, first, num_images, seed)
    facts = {"sampler": sampler, "num_images": num_images, "image_seeds": [seeds[0], seeds[-1]]}
    facts |= {"guidance": guidance}
    # Files in
    if state["status"] == "diverged":
        result = sample_sets.Samples.diverged(state["shape"], state["reason"], timing={})
        sample_files.save(samples, result.images, result.labels)
    else:
        model = drawing.Trained.of(state, device)
        guide = load_guidance(guidance, classifiers or {}, identity, device)
        split = getattr(guide, "split", "train")
        originals = Dataset.open(dataset).splits[split].images if dataset else None
        measured = files.read_json(losses) if losses else None
        inputs = {"originals": originals, "losses": measured}
        # What batches that were kept must have come from to be used
        job = facts | {"identity": identity, "code": code, "checkpoint": _version(checkpoint)}
        job |= {"classifiers": dict(guide.ids) if guide else {}, "losses": measured}
        kept = Path(samples).with_suffix(".unfinished.pt")
        with ResumeState(kept, job, at_once=True) as resume:
            result = sample_sets.draw_set(model, sampler, seeds, guide, resume=resume, **inputs)
            # Not yet removed: the set is only whole when it is written
            sample_files.save(samples, result.images, result.labels, **result.extras)
        facts |= {"images_seen": state["images_seen"]}
        facts |= {"classifiers": guide.ids} if guide else {}
    files.write_json(record, facts | result.facts)


def _version(path) -> list[int]:
    """Size and time of a large file."""
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns]


def load_guidance(block: dict | None, classifiers: dict, identity: dict, device: torch.device):
    """The guidance of a complete block, for the model of an identity; None for None.

    classifiers: files by name. Found by name, as components are: what is not guided does not
    depend on the code of guidance.
    """
    if block is None:
        return None
    return importlib.import_module("uncanny.guidance.guidances").prepare(
        block, classifiers, identity, device
    )
