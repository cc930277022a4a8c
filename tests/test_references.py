"""Scores of real images and noise: under the dataset's key, without what a set has too few images for."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from test_workflow import clone, snakemake

from uncanny.datasets import Dataset
from uncanny.datasets.writing import write_description, write_split
from uncanny.evaluation import extractors, features, scoring
from uncanny.evaluation.extractors import classifier
from uncanny.runtime import files
from uncanny.sampling import sample_files

SHAPE = (3, 8, 8)
METRICS = {
    "is10": {"kind": "inception_score", "splits": 10, "seed": 2020},
    "fid": {"kind": "fid"},
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
    result = features.extract(network, data.train.images, 64, data.train.labels)
    features.save(paths["reference"], result, features.identity(network, data.train.images))
    return {"dataset": folder} | paths


def test_what_a_split_does_not_carry_is_left_out_and_said(pics, tmp_path):
    output, cpu = tmp_path / "references.json", torch.device("cpu")
    scoring.score_references(
        **pics, evaluation=EVALUATION, num_images=40, output=output, device=cpu
    )
    record = json.loads(output.read_text())
    assert record["dataset"] == "pics"
    result = {
        name: [e["metric"] for e in entries] for name, entries in record["references"].items()
    }
    whole = list(METRICS)
    assert result == {"train": whole, "test": ["kid"], "gaussian": whole, "uniform": whole}
    assert record["left_out"] == {"train": [], "gaussian": [], "uniform": []} | {
        "test": [
            {"metric": "is10", "kind": "inception_score", "n": 6, "needs": 10, "why": "splits = 10"},
            {"metric": "fid", "kind": "fid", "n": 6, "needs": 17, "why": "more than the 16 features"},
        ]
    }  # fmt: skip
    assert {name: groups["count"] for name, groups in record["groups"].items()} == {
        **dict.fromkeys(("train", "gaussian", "uniform"), 20), "test": 6
    }  # fmt: skip
    for entries in record["references"].values():
        counts = {len(entry["jackknife"]["replicates"]) for entry in entries}
        assert counts == {min(20, entries[0]["n"])}
    compared = {e["reference"] for entries in record["references"].values() for e in entries}
    assert compared == {None, "pics/train"}


def test_a_metric_that_no_cell_carries_is_refused(pics, tmp_path):
    message = r"num_images: 16; metrics\.fid needs at least 17 images \(more than the 16 features\)"
    output, cpu = tmp_path / "references.json", torch.device("cpu")
    with pytest.raises(ValueError, match=message):
        scoring.score_references(
            **pics, evaluation=EVALUATION, num_images=16, output=output, device=cpu
        )
    assert not output.exists()


def test_what_a_size_does_not_carry_is_left_out_and_said(pics, tmp_path):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (40, *SHAPE), dtype=np.uint8)
    sample_files.save(tmp_path / "s.npz", images, np.zeros(40, np.int64))
    drawn = {"status": "ok", "sampler": {}, "num_images": 40, "image_seeds": [0, 39], "timing": {}}
    files.write_json(tmp_path / "s.json", drawn)
    cell = scoring.SampleSet(
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
    result = {s["n"]: ([e["metric"] for e in s["metrics"]], s["left_out"]) for s in sizes}
    few = [
        {"metric": "fid", "kind": "fid", "n": 12, "needs": 17, "why": "more than the 16 features"}
    ]
    assert result == {
        12: (["is10"], few),
        20: (["is10", "fid"], []),
        40: (["is10", "fid", "kid"], []),
    }


# ---- Through the whole workflow ---------------------------------------------------------------

STUDY = """
study: pictures
num_images: 20
milestones: [1]
datasets:
  left: {kind: images, root: ROOT, resolution: 8, classes: true}
  right: {kind: images, root: ROOT, resolution: 8, classes: true, seed: 1}
extractors: {cnn: {kind: classifier, dataset: left, width: 8, epochs: 1, batch_size: 16}}
processes: {vp: {kind: continuous, preconditioning: vp}}
networks: {net: {kind: song_unet, width: 8, multipliers: [1, 1], blocks: 1, attention: []}}
training: {adam: {batch_size: 16, lr: 0.002}}
models:
  of_left: {identity: {dataset: left, process: vp, network: net, training: adam}}
  of_right: {identity: {dataset: right, process: vp, network: net, training: adam}}
samplers: {HEUN: {kind: heun, num_steps: 3, grid: polynomial}}
metrics: {is10: {kind: inception_score, label: "IS"}, fid: {kind: fid}}
evaluation:
  left: {extractor: cnn, metrics: [is10, fid]}
  right: {extractor: cnn, metrics: [is10, fid]}
figures:
  figure_1: {kind: curves, metric: is10, panels: [{models: [of_left, of_right], samplers: [HEUN]}]}
"""


@pytest.mark.workflow
def test_two_folders_of_images_have_their_own_grey_lines(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / f"images/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    folder = clone(tmp_path / "clone")
    (folder / "own.yaml").write_text(STUDY.replace("ROOT", str(tmp_path / "images")))
    done = snakemake(folder, "figure_1", config="own.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    results = folder / "results/pictures"
    for name in ("left", "right"):
        record = json.loads((results / f"scores/references/{name}.json").read_text())
        assert record["dataset"] == name
        assert [e["metric"] for e in record["left_out"]["test"]] == ["fid", "is10"]
        assert json.loads((results / f"datasets/{name}/dataset.json").read_text())["name"] == name
    drawn = pd.read_csv(results / "figures/figure_1.csv")
    drawn = drawn[drawn["control"].notna()].set_index(["control", "dataset"])["value"]
    assert drawn.notna().groupby("control").sum().to_dict() == {
        "gaussian": 2, "test": 0, "train": 2, "uniform": 2,
    }  # fmt: skip
    text = (results / "figures/figure_1.txt").read_text()
    few = "(n = 6, needs 10 images)"
    assert f"not measured: IS of real test (left) {few}, IS of real test (right) {few}." in text
