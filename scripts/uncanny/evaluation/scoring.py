"""Score records of image sets: every metric with its uncertainty and its origin."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from uncanny.datasets import Dataset, Split
from uncanny.evaluation import extractors, features, fewest_images, jackknife
from uncanny.evaluation.features import Features
from uncanny.registry import components
from uncanny.runtime import files
from uncanny.sampling.sample_files import load_images

BATCH = 256  # images per pass through an extractor
CHECKSUM = 12  # hexadecimal digits of the images of a group
CONTROL_SEED = 0  # of the choice of real images and of the noise images


def score(
    sample: Features, reference: Features, extractor_id: str, evaluation: dict, dataset: str
) -> list[dict]:
    """Entry of each metric of a set of features: value, standard error, jackknife and origin.

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
    estimate = components.call("metrics", block, sample, reference)
    uses_reference, without = "n_reference" in estimate.details, estimate.jackknife
    return {
        "metric": name,
        "kind": block["kind"],
        "value": estimate.value,
        "se": estimate.se,
        "n": estimate.n,
        "splits": estimate.details.get("splits"),
        "images_per_split": estimate.details.get("images_per_split"),
        "extractor": extractor_id,
        # The same metric against another reference is another metric (check_comparable).
        "reference": against if uses_reference else None,
        "details": estimate.details,
        # None: no such values, because of too few images or of a metric that has none
        "jackknife": None if without is None else asdict(without),
    }


def image_groups(images: np.ndarray) -> dict:
    """Groups of a set of images, as records have them: their number, the seed that forms them, and
    the start of a checksum of the images of each, which shows sets that are partly the same.
    """
    parts = jackknife.members(len(images))
    checksums = [features.array_sha256(images[rows])[:CHECKSUM] for rows in parts]
    return {"count": len(parts), "seed": jackknife.SEED, "images": checksums}


@dataclass(frozen=True)
class SampleSet:
    """The images of a cell, with extractor and reference.

    samples, record, extractor, reference: files. evaluation: as in `score`. cell, identity: of the
    cell and of its model, for the score record. features: file, if they were extracted apart.
    """

    samples: Path | str
    record: Path | str
    extractor: Path | str
    reference: Path | str
    evaluation: dict
    cell: dict
    identity: dict
    device: torch.device
    features: Path | str | None = None

    def write(
        self, output: Path | str, scores: str, recorded: Iterable[str], measure: Callable[..., dict]
    ) -> None:
        """Write a score record. Images that diverged are not measured; the record has the reason.

        scores: key of the list of scores. recorded: keys of the sampling record that are
        parameters. measure(sampling record, extractor, images, labels, features of the reference):
        the rest.
        """
        sampling = files.read_json(self.record)
        parameters = {"identity": self.identity} | {key: sampling[key] for key in recorded}
        # Of imported samples only
        parameters |= {key: sampling[key] for key in ("chosen", "source_files") if key in sampling}
        result = {"cell": self.cell, "status": sampling["status"], "parameters": parameters}
        result[scores] = []
        if sampling["status"] == "ok":
            network = extractors.load(self.extractor, str(self.device))
            real, _ = features.load(self.reference)
            result |= measure(sampling, network, *load_images(self.samples), real)
        else:
            result |= {"reason": sampling["reason"]}
        files.write_json(output, result | {"timing": sampling["timing"]})


def extract_features(*, samples, record, extractor, output, device: torch.device) -> None:
    """Store the features of a sample set, for `score_samples` or `score_sizes`; none of images that
    diverged.
    """
    network = extractors.load(extractor, str(device))
    if files.read_json(record)["status"] == "ok":
        images, labels = load_images(samples)
        extracted = features.extract(network, images, BATCH, labels)
        origin = features.identity(network, images, labels)
    else:
        extracted = Features(*(np.zeros((0, 1), np.float32) for _ in range(2)))
        origin = {"extractor": network.id}
    features.save(output, extracted, origin)


def score_samples(sample_set: SampleSet, features_path: Path | str, output: Path | str) -> None:
    """Write the record of one cell; that of a diverged cell has its status and no metrics.

    features_path: file of features, used again while extractor and images are the same.
    """

    def measure(sampling, network, images, labels, real):
        sample = features.load_or_extract(features_path, network, images, BATCH, labels)
        metrics = score(sample, real, network.id, sample_set.evaluation, sample_set.cell["dataset"])
        costs = {"nfe": sampling["nfe"], "images_seen": sampling["images_seen"]}
        # With guidance only
        extras = ("classifiers", "guidance_deciles")
        costs |= {"groups": image_groups(images)}
        return costs | {"metrics": metrics} | {k: sampling[k] for k in extras if k in sampling}

    recorded = ("sampler", "guidance", "num_images", "image_seeds")
    sample_set.write(output, "metrics", recorded, measure)


def score_sizes(sample_set: SampleSet, sizes: list[int], output: Path | str) -> None:
    """Write the metrics of the first n images of one set, for each n of `sizes` (ascending).

    The sets are nested, so that their errors are not independent. evaluation["least"]: metric ->
    fewest images of which it is measured. Metrics that need more images than a size has are listed
    under `left_out`.
    """
    metrics, least = sample_set.evaluation["metrics"], sample_set.evaluation["least"]

    def measure(_, network, images, labels, real):
        # Features of an image do not depend on the others: once for all sizes
        inputs, results = (network, images, BATCH, labels), []
        apart = sample_set.features
        sample = features.load_or_extract(apart, *inputs) if apart else features.extract(*inputs)
        for n in sizes:
            asked = {name: block for name, block in metrics.items() if n >= least[name]}
            kept, left_out = fewest_images.carried(asked, n, sample.pool.shape[1])
            evaluation = sample_set.evaluation | {"metrics": kept}
            values = score(sample[:n], real, network.id, evaluation, sample_set.cell["dataset"])
            results.append({"n": n, "metrics": values, "left_out": left_out})
        return {"sizes": results}

    sample_set.write(output, "sizes", ("sampler", "num_images", "image_seeds"), measure)


def score_references(
    *, dataset, extractor, reference, evaluation, num_images, output, device: torch.device
) -> None:
    """Write the scores of real images (train and test) and of noise (Gaussian, uniform), as many as
    samples have.

    A split with fewer images than that is scored with all it has; each entry has its n. Metrics
    that need more than a set has are under `left_out`: set -> [{metric, kind, n, needs, why}].
    Raises ValueError for a metric that no set of num_images carries.
    """
    data = Dataset.open(dataset)
    network = extractors.load(extractor, str(device))
    real, _ = features.load(reference)
    sets = {split: _some(data.splits[split], num_images) for split in ("train", "test")}
    # Noise shows no class: uniform labels give the accuracy of chance, 1/K.
    classes = np.random.default_rng(CONTROL_SEED).integers(
        max(data.num_classes, 1), size=num_images
    )
    for name in ("gaussian", "uniform"):
        noise = getattr(features, f"{name}_noise")(num_images, data.shape, CONTROL_SEED)
        sets[name] = noise, classes
    _check_carried(evaluation["metrics"], num_images, real.pool.shape[1])
    references, left_out, groups = {}, {}, {}
    for name, (images, labels) in sets.items():
        sample = features.extract(network, images, BATCH, labels)
        kept, left_out[name] = fewest_images.carried(
            evaluation["metrics"], len(sample), sample.pool.shape[1]
        )
        carried, groups[name] = evaluation | {"metrics": kept}, image_groups(images)
        references[name] = score(sample, real, network.id, carried, data.name)
    record = {"dataset": data.name, "references": references, "left_out": left_out}
    record |= {"groups": groups}
    files.write_json(output, record)


def _check_carried(metrics: dict, num_images: int, width: int) -> None:
    """Reject metrics that num_images do not suffice for."""
    # The check of the config cannot see this where an extractor's number of features is unknown.
    for lost in fewest_images.carried(metrics, num_images, width)[1]:
        raise ValueError(
            f"num_images: {num_images}; metrics.{lost['metric']} needs at least {lost['needs']} "
            f"images ({lost['why']})"
        )


def _some(split: Split, count: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` images of a split at random, in random order, and their labels."""
    rows = np.random.default_rng(CONTROL_SEED).permutation(len(split))[:count]
    return np.ascontiguousarray(split.images[rows]), np.asarray(split.labels[rows])
