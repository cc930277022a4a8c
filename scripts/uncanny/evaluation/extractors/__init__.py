"""Feature extractors: networks that turn images into the features that the metrics compare.

A kind is a module with two functions of one purpose each. `KIND(dataset, device, *, options)` makes
a state, that is {"kind", "config", "weights"}: by training on the dataset or from a file of
weights. `build(config, weights)` makes the network of a state: uint8 [N, C, H, W] -> (pool [N, d],
logits [N, k]), float32. A network whose logits are not the classes of the dataset has a method
`exam(split)` -> images, and the labels that its logits should give them.
"""

import importlib
import json
from pathlib import Path

import torch

from uncanny.evaluation import features, metrics
from uncanny.runtime import checkpoints, files

CONTROL_SEED = 0  # of the noise images in a report


class Extractor:
    """A network with fixed weights and its identity.

    id: kind@first 12 hex digits of the SHA-256 of the weights, so that values of differently
    trained extractors cannot be mixed up.
    """

    def __init__(self, state: dict, device: str = "cpu", *, sha256: str | None = None):
        """sha256: that of the weights, where it is known."""
        # A kind is a module of its own: an added file needs no line here.
        module = importlib.import_module(f"uncanny.evaluation.extractors.{state['kind']}")
        network = module.build(state["config"], state["weights"])
        self.exam = getattr(network, "exam", _as_labelled)
        self.network = network.to(device).eval().requires_grad_(False)
        self.id = f"{state['kind']}@{(sha256 or checkpoints.weights_sha256(state['weights']))[:12]}"
        self.device = device

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """images uint8 [N, C, H, W], or vectors float32 [N, D], as the network takes them -> pool
        float32 [N, d], logits float32 [N, k].
        """
        # Metrics take float32, whatever the network computes in.
        pool, logits = self.network(images.to(self.device))
        return pool.float(), logits.float()


def save(path: Path | str, state: dict) -> None:
    """Store a state with its checksum, whole or not at all."""
    digest = _digest(state, checkpoints.weights_sha256(state["weights"]))
    stored = state | {"seal": files.path_checksum(path, digest)}
    # An open file: torch.save would write the name of a path into the bytes.
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(stored, file)


def load(path: Path | str, device: str = "cpu") -> Extractor:
    """The extractor of a stored state; ValueError that names a missing or damaged file, or
    another's.
    """
    state = checkpoints.read_tensors(
        path, "a stored feature extractor", "; delete it and run again"
    )
    # read_tensors accepts any file of torch.save: compare the keys.
    checksum = state.pop("seal", None) if isinstance(state, dict) else None
    if checksum is None or set(state) != {"kind", "config", "weights"}:
        raise ValueError(f"{path}: not a stored feature extractor (expected kind, config, weights)")
    try:
        weights_sha256 = checkpoints.weights_sha256(state["weights"])
        digest = _digest(state, weights_sha256)
    except Exception:  # the weights of a damaged file may be any value
        weights_sha256 = digest = ""
    files.verify(path, str(checksum), digest)
    return Extractor(state, device, sha256=weights_sha256)


def _digest(state: dict, weights: str) -> str:
    """Hexadecimal SHA-256 of a state whose weights have that of their own."""
    return files.checksum([json.dumps([state["kind"], state["config"], weights], sort_keys=True)])


def report(extractor: Extractor, dataset, batch_size: int = 256) -> dict:
    """Scores of known images: the scale on which values are read.

    accuracy: share of test images that are classified as labelled, or as the kind's own `exam`
    labels them. floor: Inception Score (one split) of Gaussian and of uniform noise images, as many
    as there are test images; ceiling: that of the test and of the training images; both only where
    the dataset has classes, which the extractor has to know. Vectors have neither.
    """
    count = len(dataset.test)
    if dataset.kind == "vector":
        return {"extractor": extractor.id, "dataset": dataset.name, "n": {"test": count}}
    examined, labels = extractor.exam(dataset.test)
    exam = features.extract(extractor, examined, batch_size, labels)
    facts = {
        "extractor": extractor.id,
        "dataset": dataset.name,
        "accuracy": metrics.class_accuracy(exam).value,
    }
    # Without classes p(y|x) is of no meaning, and there is no Inception Score.
    if not dataset.num_classes:
        return facts | {"n": {"test": count}}
    # IS of noise is 1 and of real images K for an extractor that knows noise and all K classes.
    images = {
        "gaussian": features.gaussian_noise(count, dataset.shape, CONTROL_SEED),
        "uniform": features.uniform_noise(count, dataset.shape, CONTROL_SEED),
        "train": dataset.train.images,
        "test": dataset.test.images,
    }
    sets = {name: features.extract(extractor, x, batch_size) for name, x in images.items()}
    scores = {name: metrics.inception_score(f, splits=1).value for name, f in sets.items()}
    return facts | {
        "floor": {name: scores[name] for name in ("gaussian", "uniform")},
        "ceiling": {name: scores[name] for name in ("test", "train")},
        "n": {name: len(f) for name, f in sets.items()},
    }


def _as_labelled(split) -> tuple:
    return split.images, split.labels
