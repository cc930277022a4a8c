"""The Inception v3 of the literature, from a file of weights; never downloaded.

Network, resize to 299×299 and layers are torch-fidelity's `inception-v3-compat`, a port of the
TensorFlow graph of 2015-12-05: pool = layer `2048`, logits = layer `logits_unbiased` (1008 outputs,
no bias in the last layer).
"""

import io
import re

import torch
from torch import Tensor, nn

from uncanny.runtime import checkpoints

FEATURES = 2048  # of the pool
LARGE = True  # features of samples are extracted by jobs of their own, on a GPU
SOURCE = "weights"  # the option that names a file from outside of the study
EXPECTED = "the Inception v3 weights of torch-fidelity (weights-inception-2015-12-05-6726825d.pth)"


class Inception(nn.Module):
    """uint8 [N, 3, H, W] or [N, 1, H, W] -> pool [N, 2048], logits [N, 1008].

    The network takes three channels: an image of one channel is repeated in all three.
    """

    def __init__(self, weights: dict[str, Tensor]):
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        super().__init__()
        file = io.BytesIO()  # the class reads its weights from a file or from the network
        torch.save(weights, file)
        file.seek(0)
        layers = ["2048", "logits_unbiased"]
        self.network = FeatureExtractorInceptionV3("inception-v3-compat", layers, file)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(f"images of shape {tuple(images.shape)}, expected [N, 1 or 3, H, W]")
        # The network resizes to 299×299 and normalises by itself.
        return self.network(images.expand(-1, 3, -1, -1))


def build(config: dict, weights: dict) -> Inception:
    """The network of a state."""
    return Inception(weights, **config)


def inception(dataset, device: str = "cpu", *, weights: str) -> dict:
    """The state {"kind", "config", "weights"} with the weights of the file `weights`.

    Raises ValueError that names the file where it is missing, damaged or of another network, and
    where the images of the dataset have neither one nor three channels.
    """
    if dataset.kind != "image" or dataset.shape[0] not in (1, 3):
        kind = f"{dataset.kind}s of shape {dataset.shape}"
        raise ValueError(f"{dataset.name}: {kind}; inception needs images of 1 or 3 channels")
    tensors = checkpoints.read_tensors(weights, EXPECTED)
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise ValueError(f"{weights}: no table of tensors; expected {EXPECTED}")
    # Rounded weights would give other values than the literature's under the same name.
    if halved := [name for name, t in tensors.items() if t.is_floating_point() and t.itemsize < 4]:
        types = f"{len(halved)} tensors of {tensors[halved[0]].dtype}"
        raise ValueError(f"{weights}: {types}; expected float32, {EXPECTED}")
    # Building the network once compares names and shapes before anything is stored.
    try:
        build({}, tensors)
    except RuntimeError as error:
        # torch lists missing and unexpected names in quotes, others as "size mismatch for NAME".
        names = re.findall(r'(?<=")[\w.]+(?=")|(?<=size mismatch for )[\w.]+', str(error))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ValueError(
            f"{weights}: another network; expected {EXPECTED}; tensors missing, without a place or "
            f"of another shape: {', '.join(names[:3])}{more}"
        ) from None
    return {"kind": "inception", "config": {}, "weights": dict(tensors)}
