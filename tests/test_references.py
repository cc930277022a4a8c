"""Scores of real images and noise: under the dataset's key, without what a set has too few images for."""

import json

import numpy as np
import pytest
import torch

from uncanny import extractors, features, files, sampling, scoring
from uncanny.datasets import Dataset
from uncanny.datasets.writing import write_description, write_split
from uncanny.extractors import classifier

SHAPE = (3, 8, 8)
METRICS = {
    "is10": {"kind": "inception_score", "splits": 10, "seed": 2020},
    "fid": {"kind": "fid", "groups": 10, "seed": 2020},
    "kid": {"kind": "kid", "subsets": 5, "subset_size": 1000, "degree": 3, "seed": 2020},
}
EVALUATION = {"metrics": METRICS, "reference": "train"}


@pytest.fixture(scope="module")
def pics(tmp_path_factory):
    """60 training and 6 test images, an extractor of 16 features, features of the reference."""
    folder, rng = tmp_path_factory.mktemp("results") / "pics", np.random.default_rng(0)
    for split, count in (("train", 60), ("test", 6)):
        images = rng.integers(0, 256, (count, *SHAPE), dtype=np.uint8)
        labels = rng.integers(2, size=count)
        write_split(folder, split, count, SHAPE, zip(images, labels, strict=True))
    write_description(folder, SHAPE, num_classes=2, source="made", parameters={})
    config = {"shape": list(SHAPE), "num_classes": 2, "width": 8, "depth": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = classifier.state_of("classifier", config, classifier.build(config))
    paths = {"extractor": folder.parent / "cnn.pt", "reference": folder.parent / "reference.npz"}
    extractors.save(paths["extractor"], state)
    network, data = extractors.load(paths["extractor"]), Dataset.open(folder)
    found = features.extract(network, data.train.images, 64, data.train.labels)
    features.save(paths["reference"], found, features.identity(network, data.train.images))
    return {"dataset": folder} | paths


def test_what_a_split_does_not_carry_is_left_out_and_said(pics, tmp_path):
    output, cpu = tmp_path / "references.json", torch.device("cpu")
    scoring.score_references(
        **pics, evaluation=EVALUATION, num_images=40, output=output, device=cpu
    )
    record = json.loads(output.read_text())
    assert record["dataset"] == "pics"
    found = {name: [e["metric"] for e in entries] for name, entries in record["references"].items()}
    whole = list(METRICS)
    assert found == {"train": whole, "test": ["kid"], "gaussian": whole, "uniform": whole}
    assert record["left_out"] == {"train": [], "gaussian": [], "uniform": []} | {
        "test": [
            {"metric": "is10", "kind": "inception_score", "n": 6, "needs": 10, "why": "splits = 10"},
            {"metric": "fid", "kind": "fid", "n": 6, "needs": 17, "why": "more than the 16 features"},
        ]
    }  # fmt: skip
    compared = {e["reference"] for entries in record["references"].values() for e in entries}
    assert compared == {None, "pics/train"}


def test_what_a_size_does_not_carry_is_left_out_and_said(pics, tmp_path):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (40, *SHAPE), dtype=np.uint8)
    sampling.save(tmp_path / "s.npz", images, np.zeros(40, np.int64))
    drawn = {"status": "ok", "sampler": {}, "num_images": 40, "timing": {}}
    files.write_json(tmp_path / "s.json", drawn)
    cell = scoring.Drawn(
        samples=tmp_path / "s.npz",
        record=tmp_path / "s.json",
        extractor=pics["extractor"],
        reference=pics["reference"],
        evaluation=EVALUATION | {"least": {"is10": 1, "fid": 1, "kid": 30}},
        cell={"dataset": "pics"},
        identity={},
        device=torch.device("cpu"),
    )
    scoring.score_sizes(cell, [12, 20, 40], tmp_path / "sizes.json")
    sizes = json.loads((tmp_path / "sizes.json").read_text())["sizes"]
    found = {s["n"]: ([e["metric"] for e in s["metrics"]], s["left_out"]) for s in sizes}
    few = [
        {"metric": "fid", "kind": "fid", "n": 12, "needs": 17, "why": "more than the 16 features"}
    ]
    assert found == {
        12: (["is10"], few),
        20: (["is10", "fid"], []),
        40: (["is10", "fid", "kid"], []),
    }
