"""Sizes of a study's datasets and networks, and numbers of updates and evaluations."""

import json
import math
from functools import cache
from itertools import product
from pathlib import Path

from uncanny.estimate import sizes
from uncanny.estimate.costs import PROCESSOR, Device
from uncanny.estimate.data import Data, noise_levels, of_dataset
from uncanny.estimate.sizes import Network, Size
from uncanny.samplers import nfe
from uncanny.study.resolved_blocks import NO_SCHEDULE
from uncanny.study.study import Study
from uncanny.training.lengths import steps_until

# NFE of a sampler that chooses its steps: at tolerance 1, and more for each tenth of it.
ADAPTIVE = -16, 43


class Facts:
    """Numbers of a study. results: its folder, with the prepared datasets. device: where jobs that
    ask for a GPU run.
    """

    def __init__(self, study: Study, results: Path, device: Device = PROCESSOR):
        self.study, self.results, self.device = study, Path(results), device

    @cache
    def data(self, dataset: str) -> Data:
        return of_dataset(self.study, dataset, self.results)

    def dataset_of(self, model: str) -> str:
        return self.study.names(model)["dataset"]

    def images_of_cell(self, model: str) -> int:
        return self.study.num_images(self.dataset_of(model))

    def data_of(self, model: str) -> Data:
        return self.data(self.dataset_of(model))

    def batch_size(self, model: str) -> int:
        """Images of an update."""
        return self.study.identity(model)["training"]["batch_size"]

    def count_networks(self) -> None:
        """Find the sizes of all networks at once: each look at torch takes seconds."""
        study = self.study
        models = study.models_of("trained", "external")
        networks = {block["network"] for block in study.config["classifiers"].values()}
        guiding = product(sorted(networks), sorted(set(map(self.dataset_of, models))))
        sizes.count(
            [
                *map(self._of_model, models),
                *map(self._of_extractor, study.config["extractors"]),
                *(self._of_classifier(study.component("networks", n), d) for n, d in guiding),
            ]
        )

    def precision(self, model: str) -> str:
        """Precision of a model's training."""
        return self.study.identity(model)["training"]["precision"]

    @cache
    def size(self, model: str) -> Size:
        """Size of a model's network."""
        return sizes.of(self._of_model(model))

    def _of_model(self, model: str) -> Network:
        network, shape = self.network(model)
        conditional = self.study.identity(model)["conditional"]
        return Network(network, shape, self.data_of(model).num_classes if conditional else 0)

    @cache
    def network(self, model: str) -> tuple[str, tuple[int, ...]]:
        """Key of the cost of an evaluation: options of the network, shape of an image."""
        return text(self.study.identity(model)["network"]), self.data_of(model).shape

    @cache
    def classifier(self, *names: str) -> tuple[dict, Size]:
        """Identity of a noisy classifier, and the size of its network.

        names: of classifier, dataset, process and schedule.
        """
        identity = self.study.classifier(*names)
        return identity, sizes.of(self._of_classifier(identity["network"], identity["dataset"]))

    def _of_classifier(self, network: dict, dataset: str) -> Network:
        data = self.data(dataset)
        return Network(text(network), data.shape, max(data.num_classes, 2))

    def classifiers_of(self, guidance: str, model: str) -> list[tuple[dict, Size]]:
        """The classifiers that guide a model, each made for the model's noise."""
        names = self.study.names(model)
        noise = names["dataset"], names["process"], names.get("schedule", NO_SCHEDULE)
        return [self.classifier(name, *noise) for name in self.study.guiding(guidance)]

    @cache
    def extractor(self, name: str) -> tuple[Size, tuple[int, ...]]:
        """Size of an extractor; numbers of features and of logits per image."""
        network = self._of_extractor(name)
        return sizes.of(network), sizes.widths(network)

    def _of_extractor(self, name: str) -> Network:
        block = self.study.component("extractors", name)
        data = self.data(block["dataset"])
        return Network(text(block), data.shape, max(data.num_classes, 2), extracts=True)

    def features(self, dataset: str) -> int:
        """Numbers per image in the features and logits that scores of a dataset are made from."""
        return sum(self.extractor(self.study.evaluation(dataset)["extractor"])[1])

    def reference_count(self, dataset: str) -> int:
        """Number of images that scores of a dataset compare with."""
        return getattr(self.data(dataset), self.study.evaluation(dataset)["reference"])

    @cache
    def nfe(self, sampler: str, model: str) -> int:
        """Number of function evaluations per image, without guidance."""
        process = self.study.identity(model)["process"]
        levels = {"num_levels": noise_levels(process, self.data_of(model))}
        block = self.study.sampler(sampler, model)
        options = block["init_sampling"] | block["options"]
        if known := nfe.nfe(block, process | levels) or options.get("num_steps"):
            return known
        at_one, per_tenth = ADAPTIVE
        return max(10, round(at_one - per_tenth * math.log10(options["tol"])))

    def evaluations(self, sampler: str, model: str, guidance: str) -> int:
        """Network evaluations per image with a guidance: twice as many without a classifier, where
        it acts at all levels.
        """
        block = self.study.guidance(guidance) or {}
        twice = block.get("kind") == "classifier_free" and block["scale"] != 1
        return (1 + twice) * self.nfe(sampler, model)

    def updates(self, model: str, epoch: int) -> int:
        """Updates of the segment of training that ends with an epoch."""
        images, batch = self.data_of(model).train, self.batch_size(model)
        previous = self.study.previous_epoch(epoch) or 0
        return steps_until(epoch, images, batch) - steps_until(previous, images, batch)


def text(block: dict) -> str:
    """A block as text, for a key."""
    return json.dumps(block, sort_keys=True)
