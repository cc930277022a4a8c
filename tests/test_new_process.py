"""docs/new_process.md, end to end: its matrices, its config, a model trained and sampled."""

import math
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_configuration import plan

from uncanny.datasets.digits import digits
from uncanny.sampling import job
from uncanny.sampling.sample_files import load_images
from uncanny.training import segments

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/new_process.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def study():
    config = yaml.safe_load((ROOT / "config/psld.yaml").read_text())
    for section, named in yaml.safe_load(blocks("yaml")[0]).items():
        config[section] |= named
    return plan(config | {"study": "own"})


def test_the_matrices_amount_to_what_the_text_says():
    printed, expected = StringIO(), re.findall(r"print\(.*?\)  # (.*)$", TEXT, re.MULTILINE)
    names = {}
    with redirect_stdout(printed):
        exec(blocks("python")[0], names)
    result = printed.getvalue().splitlines()
    assert len(result) == len(expected) == 2
    assert all(line.startswith(word) for line, word in zip(expected, result, strict=True))
    gap = names["report"].spectral_gap
    assert f"to {math.exp(-8 * gap):.1g}." in TEXT


def test_a_named_recipe_is_that_of_the_matrices(study):
    names = {}
    exec("from uncanny.diffusion.recipe import Recipe\n" + blocks("python")[1], names)
    written = study.component("processes", "correlated")["recipe"]
    assert names["correlated"]().D.tolist() == written["D"]
    assert names["correlated"]().Q.tolist() == written["Q"]


def test_its_model_is_trained_and_drawn_as_any_other(study, tmp_path):
    digits(tmp_path / "data")
    identity, checkpoint = study.identity("correlated"), tmp_path / "epoch-1.pt"
    segments.run(
        identity=identity, seed=0, epoch=1, dataset=tmp_path / "data", previous=None,
        checkpoint=checkpoint, history=checkpoint.with_suffix(".json"), threads=1,
    )  # fmt: skip
    job.run(
        checkpoint=checkpoint, identity=identity, seed=0, draw=0, num_images=4, threads=1,
        sampler=study.sampler("EMQ_10", "correlated"),
        samples=tmp_path / "s.npz", record=tmp_path / "s.json",
    )  # fmt: skip
    images, _ = load_images(tmp_path / "s.npz")
    assert images.shape == (4, 1, 8, 8) and images.dtype == np.uint8
    assert images.std() > 10
