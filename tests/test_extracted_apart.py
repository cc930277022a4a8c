"""Features of large extractors: a job of its own extracts them, and jobs that score need no GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from test_configuration import TINY, plan

from uncanny.evaluation import extractors, features, scoring
from uncanny.evaluation.extractors.classifier import classifier
from uncanny.runtime import files
from uncanny.sampling import sample_files

ROOT, CPU, IMAGES = Path(__file__).parent.parent, torch.device("cpu"), 40
METRICS = {"is2": {"kind": "inception_score", "splits": 2}}
EVALUATION = {"reference": "test", "metrics": METRICS, "least": {"is2": 1}}


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    made = tmp_path_factory.mktemp("cell")
    extractors.save(made / "cnn.pt", classifier(data, width=4, epochs=1))
    network = extractors.load(made / "cnn.pt")
    features.load_or_extract(made / "real.npz", network, np.array(data.test.images), 256)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, *data.shape), dtype=np.uint8)
    sample_files.save(made / "s.npz", images, np.arange(IMAGES) % 10)
    return made


def record(folder, **facts):
    known = {"sampler": {}, "guidance": None, "num_images": IMAGES, "image_seeds": [0, IMAGES - 1]}
    known |= {"status": "ok", "nfe": 5, "images_seen": 1, "timing": {}}
    files.write_json(folder / "s.json", known | facts)


def extracted(folder, output):
    scoring.extract_features(
        samples=folder / "s.npz", record=folder / "s.json", extractor=folder / "cnn.pt",
        output=output, device=CPU,
    )  # fmt: skip


def cell(folder, apart=None):
    return scoring.SampleSet(
        samples=folder / "s.npz", record=folder / "s.json", extractor=folder / "cnn.pt",
        reference=folder / "real.npz", evaluation=EVALUATION, cell={"dataset": "digits"},
        identity={}, device=CPU, features=apart,
    )  # fmt: skip


def test_scores_are_the_same_and_nothing_is_extracted_again(folder, tmp_path, monkeypatch):
    record(folder)
    scoring.score_samples(cell(folder), tmp_path / "f.npz", tmp_path / "one.json")
    scoring.score_sizes(cell(folder), [20, 40], tmp_path / "sizes_one.json")
    extracted(folder, tmp_path / "apart.npz")
    monkeypatch.setattr(features, "extract", None)
    apart = cell(folder, tmp_path / "apart.npz")
    scoring.score_samples(apart, tmp_path / "apart.npz", tmp_path / "two.json")
    scoring.score_sizes(apart, [20, 40], tmp_path / "sizes_two.json")
    for name in ("", "sizes_"):
        one, two = (files.read_json(tmp_path / f"{name}{n}.json") for n in ("one", "two"))
        assert one == two


def test_of_a_diverged_cell_there_are_none(folder, tmp_path):
    record(folder, status="diverged", reason="lost")
    extracted(folder, tmp_path / "apart.npz")
    result, _ = features.load(tmp_path / "apart.npz")
    assert len(result) == 0
    scoring.score_samples(cell(folder), tmp_path / "apart.npz", tmp_path / "score.json")
    assert files.read_json(tmp_path / "score.json")["reason"] == "lost"


def test_inception_is_large_and_what_a_study_trains_is_not():
    paper = plan(yaml.safe_load((ROOT / "config/paper.yaml").read_text()))
    assert paper.extracts_apart("cifar10") and paper.extracts_apart("ffhq")
    assert not plan(TINY).extracts_apart("digits")
