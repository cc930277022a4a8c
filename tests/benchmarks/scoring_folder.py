"""Inception Scores of --batch images: ours from an array in memory, torch-fidelity's command.

The command's time has its start and the reading of PNG files in it, which the workflow, whose
samples are arrays, does not pay. Inception v3 is the file that UNCANNY_INCEPTION names, or has random
weights: times do not depend on them.
"""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
import numpy as np
import torch
from harness import Work
from PIL import Image

from uncanny.evaluation import features, metrics
from uncanny.evaluation.extractors import Extractor
from uncanny.evaluation.scoring import BATCH


def measure(scale, device) -> dict[str, Work]:
    place = Path(tempfile.mkdtemp(prefix="uncanny-bench-"))
    weights = Path(os.environ.get("UNCANNY_INCEPTION") or random_weights(place / "inception.pth"))
    images = np.random.default_rng(0).integers(0, 256, (scale.batch, 3, 32, 32), dtype=np.uint8)
    (place / "images").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(place / "images" / f"{number:05}.png")
    state = {"kind": "inception", "config": {}, "weights": torch.load(weights)}
    network, splits = Extractor(state, str(device)), min(10, scale.batch)

    def ours(_) -> None:
        metrics.inception_score(features.extract(network, images, BATCH), splits=splits)

    return {
        "scoring": Work(ours),
        "torch-fidelity's command": Work(
            lambda _: command(place / "images", weights, splits, device),
            note="starts a process, reads PNG files",
        ),
    }


def random_weights(path: Path) -> Path:
    """A file of the names and shapes that torch-fidelity downloads."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, weights):
            """Keep the weights of the initialisation."""

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.save(Untrained("untrained", ["2048"], nothing).state_dict(), path)
    return path


def command(folder: Path, weights: Path, splits: int, device) -> None:
    threads = str(torch.get_num_threads())
    call = [sys.executable, "-m", "torch_fidelity.fidelity", "--isc", "--input1", str(folder)]
    call += ["--feature-extractor-weights-path", str(weights), "--silent", "--save-cpu-ram"]
    call += ["--isc-splits", str(splits), "--batch-size", str(BATCH)]
    call += ["--gpu", "0"] if device.type == "cuda" else ["--cpu"]
    surroundings = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    subprocess.run(call, check=True, env=surroundings, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    harness.main("scoring_folder", measure)
