"""From images to score records: every metric with its uncertainty and everything that made it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from uncanny.datasets import Dataset, Split
from uncanny.evaluation import extractors, features, fewest_images
from uncanny.evaluation.features import Features
from uncanny.registry import components
from uncanny.runtime import files
from uncanny.sampling.sample_files import load_images

BATCH = 256  # images per pass through an extractor
CONTROL_SEED = 0  # of the choice of real images and of the noise images


def score(
    sample: Features, reference: Features, extractor_id: str, evaluation: dict, dataset: str
) -> list[dict]:
    """All metrics of a set of features: one entry per metric, its value, standard error and what it
    was made with.

    evaluation: complete metric blocks by name, and the name of the reference split. reference:
    features of that split.
    """
    return [
        _entry(name, block, sample, reference, extractor_id, f"{dataset}/{evaluation['reference']}")
        for name, block in evaluation["metrics"].items()
    ]


def _entry(
    name: str, block: dict, sample: Features, reference: Features, extractor_id: str, against: str
) -> dict:
    options = {key: value for key, value in block.items() if key != "kind"}
    estimate = components.load("metrics", block["kind"])(sample, reference, **options)
    uses_reference = "n_reference" in estimate.details
    return {
        **{
            "metric": name,
            "kind": block["kind"],
            "value": estimate.value,
            "se": estimate.se,
            "n": estimate.n,
        },
        **{
            "splits": estimate.details.get("splits"),
            "images_per_split": estimate.details.get("images_per_split"),
        },
        **{
            "extractor": extractor_id,
            "reference": against if uses_reference else None,
            "details": estimate.details,
        },
    }


@dataclass(frozen=True)
class SampleSet:
    """The images of a cell, and what they are measured with.

    samples, record, extractor, reference: files. evaluation: as in `score`. cell, identity: what
    the record says of the cell and of its model.
    """

    samples: Path | str
    record: Path | str
    extractor: Path | str
    reference: Path | str
    evaluation: dict
    cell: dict
    identity: dict
    device: torch.device

    def write(
        self, output: Path | str, scores: str, said: Iterable[str], measure: Callable[..., dict]
    ) -> None:
        """Write a score record. Images that diverged are not measured; it says why.

        scores: key of the list of scores. said: keys of the drawing's record that are parameters.
        measure(drawing's record, extractor, images, labels, features of the reference): the rest.
        """
        drawn = files.read_json(self.record)
        parameters = {"identity": self.identity} | {key: drawn[key] for key in said}
        parameters |= {key: drawn[key] for key in ("chosen", "source_files") if key in drawn}
        found = {"cell": self.cell, "status": drawn["status"], "parameters": parameters, scores: []}
        if drawn["status"] == "ok":
            network = extractors.load(self.extractor, str(self.device))
            real, _ = features.load(self.reference)
            found |= measure(drawn, network, *load_images(self.samples), real)
        else:
            found |= {"reason": drawn["reason"]}
        files.write_json(output, found | {"timing": drawn["timing"]})


def score_samples(sample_set: SampleSet, features_path: Path | str, output: Path | str) -> None:
    """Write the record of one cell. A diverged cell's record says so and has no metrics.

    features_path: where features are kept; they are used again while extractor and images are the
    same.
    """

    def measure(drawn, network, images, labels, real):
        sample = features.load_or_extract(features_path, network, images, BATCH, labels)
        metrics = score(sample, real, network.id, sample_set.evaluation, sample_set.cell["dataset"])
        found = {"nfe": drawn["nfe"], "images_seen": drawn["images_seen"], "metrics": metrics}
        more = ("classifiers", "guidance_deciles")
        return found | {key: drawn[key] for key in more if key in drawn}

    said = ("sampler", "guidance", "num_images", "image_seeds")
    sample_set.write(output, "metrics", said, measure)


def score_sizes(sample_set: SampleSet, sizes: list[int], output: Path | str) -> None:
    """Write the metrics of the first n images of one set, for each n of `sizes` (ascending).

    The sets are nested, so that their errors are not independent. evaluation["least"]: metric ->
    fewest images of which it is measured. What a size does not carry is left out, and said.
    """
    metrics, least = sample_set.evaluation["metrics"], sample_set.evaluation["least"]

    def measure(drawn, network, images, labels, real):
        sample, found = features.extract(network, images, BATCH, labels), []
        for n in sizes:
            asked = {name: block for name, block in metrics.items() if n >= least[name]}
            kept, left_out = fewest_images.carried(asked, n, sample.pool.shape[1])
            evaluation = sample_set.evaluation | {"metrics": kept}
            values = score(sample[:n], real, network.id, evaluation, sample_set.cell["dataset"])
            found.append({"n": n, "metrics": values, "left_out": left_out})
        return {"sizes": found}

    sample_set.write(output, "sizes", ("sampler", "num_images"), measure)


def score_references(
    *, dataset, extractor, reference, evaluation, num_images, output, device: torch.device
) -> None:
    """Write the scores of real images (train and test) and of noise (Gaussian, uniform), as many as
    samples have.

    A split with fewer images than that is scored with all it has; each entry says how many. Metrics
    that need more than a set has are under `left_out`: set -> [{metric, kind, n, needs, why}].
    Raises ValueError for a metric that no set of num_images carries.
    """
    data = Dataset.open(dataset)
    network = extractors.load(extractor, str(device))
    real, _ = features.load(reference)
    sets = {split: _some(data.splits[split], num_images) for split in ("train", "test")}
    # Noise shows no class: chance is what the share of the class asked for is compared with.
    classes = np.random.default_rng(CONTROL_SEED).integers(
        max(data.num_classes, 1), size=num_images
    )
    for name in ("gaussian", "uniform"):
        noise = getattr(features, f"{name}_noise")(num_images, data.shape, CONTROL_SEED)
        sets[name] = noise, classes
    _check_carried(evaluation["metrics"], num_images, real.pool.shape[1])
    found, left_out = {}, {}
    for name, (images, labels) in sets.items():
        sample = features.extract(network, images, BATCH, labels)
        kept, left_out[name] = fewest_images.carried(
            evaluation["metrics"], len(sample), sample.pool.shape[1]
        )
        asked = evaluation | {"metrics": kept}
        found[name] = score(sample, real, network.id, asked, data.name)
    files.write_json(output, {"dataset": data.name, "references": found, "left_out": left_out})


def _check_carried(metrics: dict, num_images: int, width: int) -> None:
    """What the config could not tell of an extractor whose number of features it does not know."""
    for lost in fewest_images.carried(metrics, num_images, width)[1]:
        raise ValueError(
            f"num_images: {num_images}; metrics.{lost['metric']} needs at least {lost['needs']} "
            f"images ({lost['why']})"
        )


def _some(split: Split, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` images chosen at random, in random order, and their labels; all of them where there
    are not more.
    """
    rows = np.random.default_rng(CONTROL_SEED).permutation(len(split))[:count]
    return np.ascontiguousarray(split.images[rows]), np.asarray(split.labels[rows])
