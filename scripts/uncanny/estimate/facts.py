"""Sizes of a study's datasets and networks, and how often they are used."""

import json
import math
from functools import cache
from pathlib import Path

from uncanny.estimate import networks
from uncanny.estimate.data import Data, noise_levels, of_dataset
from uncanny.estimate.job import Job
from uncanny.estimate.work import Work
from uncanny.samplers import nfe as evaluations
from uncanny.study.study import Study
from uncanny.training.loop import steps_until

# Evaluations of a sampler that chooses its steps: at tolerance 1, and more for each tenth of it.
ADAPTIVE = -16, 43


class Facts:
    """A study's numbers. results: its folder, where prepared datasets are."""

    def __init__(self, study: Study, results: Path):
        self.study, self.results = study, results
        self.work = Work(study)

    @cache
    def data(self, dataset: str) -> Data:
        return of_dataset(self.study, dataset, self.results)

    def data_of(self, model: str) -> Data:
        return self.data(self.study.names(model)["dataset"])

    @cache
    def size(self, model: str) -> networks.Size:
        """Of a model's network."""
        identity, found = self.study.identity(model), self.data_of(model)
        classes = found.num_classes if identity["conditional"] else 0
        return _size(text(identity["network"]), found.shape, classes)

    @cache
    def classifier(self, subject: str) -> networks.Size:
        """Of the network of a noisy classifier CLASSIFIER/DATASET-PROCESS-SCHEDULE."""
        identity = self.work.classifier(subject)
        found = self.data(identity["dataset"])
        return _size(text(identity["network"]), found.shape, max(found.num_classes, 2))

    @cache
    def extractor(self, name: str) -> tuple[networks.Size, tuple[int, int]]:
        """Size of an extractor; how many features and how many logits it keeps of an image."""
        block = self.study.component("extractors", name)
        found = self.data(block["dataset"])
        return networks.of_extractor(block, found.shape, max(found.num_classes, 2))

    @cache
    def nfe(self, sampler: str, model: str) -> int:
        """Network evaluations per image."""
        process = self.study.identity(model)["process"]
        levels = {"num_levels": noise_levels(process, self.data_of(model))}
        block = self.study.sampler(sampler, model)
        options = block["init_sampling"] | block["options"]
        known = evaluations.nfe(block, process | levels)
        return known or options.get("num_steps") or _adaptive(options.get("tol", 0.0001))

    def updates(self, job: Job) -> int:
        """Updates of a segment of training."""
        model, _, epoch = job.parts
        end = int(epoch.removeprefix("epoch-"))
        images = self.data_of(model).train
        batch = self.study.identity(model)["training"]["batch_size"]
        before = self.study.previous_epoch(end) or 0
        return steps_until(end, images, batch) - steps_until(before, images, batch)

    def images(self, job: Job) -> int:
        """Images that a job of sampling draws."""
        return job.span[1] if job.rule == "draw_part" else self.study.config["num_images"]

    @cache
    def network(self, model: str) -> tuple:
        """What the cost of an evaluation depends on."""
        return text(self.study.identity(model)["network"]), self.data_of(model).shape


@cache
def _size(network: str, shape: tuple[int, ...], num_classes: int) -> networks.Size:
    return networks.of_network(json.loads(network), shape, num_classes)


def text(block: dict) -> str:
    return json.dumps(block, sort_keys=True)


def _adaptive(tol: float) -> int:
    at_one, per_tenth = ADAPTIVE
    return max(10, round(at_one - per_tenth * math.log10(tol)))
