"""The study on real images that two cores can run: complete, small, and asking for nothing but images."""

from pathlib import Path

import pytest
import torch
import yaml
from test_configuration import plan

from uncanny.evaluation import late_gain
from uncanny.registry import components
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import figure_cells

ROOT = Path(__file__).parent.parent
SHAPE, CLASSES = (3, 32, 32), 10


@pytest.fixture(scope="module")
def study():
    return plan(yaml.safe_load((ROOT / "config/cifar10_cpu.yaml").read_text()))


@pytest.mark.parametrize("name", ["ddpm", "ddpmpp", "ncsnpp"])
def test_networks_fit_the_images_and_are_small(study, name):
    block = study.component("networks", name)
    options = {key: value for key, value in block.items() if key != "kind"}
    with torch.device("meta"):
        network = components.load("networks", block["kind"])(SHAPE, CLASSES, **options)
    assert sum(p.numel() for p in network.parameters()) < 1_000_000


def test_one_dataset_of_files_is_all_it_needs(study):
    assert list(study.config["datasets"]) == ["cifar10"]
    dataset = study.component("datasets", "cifar10")
    assert (dataset["kind"], dataset["resolution"], dataset["classes"]) == ("images", 32, True)
    assert {block["kind"] for block in study.config["extractors"].values()} == {"classifier"}


def extent(study) -> tuple[int, int]:
    """Cells, and epochs of all models together."""
    cells = {cell for figure in study.config["figures"] for cell in figure_cells(study, figure)}
    return len(cells), len(study.config["models"]) * max(study.config["milestones"])


def test_extent_is_that_of_a_night_and_of_two_hours_for_the_first_epochs(study):
    short = plan(study.config | {"milestones": [1, 2, 3]})
    assert study.config["milestones"][:3] == [1, 2, 3]  # the long form goes on from the short one
    assert study.config["num_images"] == 1000
    for form, cells, epochs in ((study, 70, 60), (short, 40, 24)):
        assert extent(form)[0] <= cells
        assert extent(form)[1] <= epochs
        for claim in form.config["claims"]:
            assert plan_claims.resolved(form, claim)["missing"] == {}, claim


def test_every_claim_can_be_tested(study):
    assert len(study.config["claims"]) >= 5
    for claim in study.config["claims"]:
        assert plan_claims.resolved(study, claim)["missing"] == {}, claim


def test_claims_need_no_cells_that_no_figure_shows(study):
    drawn = {
        cell.path("scores")
        for figure in study.config["figures"]
        for cell in figure_cells(study, figure)
    }
    asked = {path for paths in plan_claims.files(study).values() for path in paths}
    assert {
        path for path in asked if path.startswith("scores/") and "references" not in path
    } <= drawn


CONFIGS = ["cifar10_cpu", "cifar10_gpu", "config", "paper"]


@pytest.mark.parametrize("name", CONFIGS)
def test_claims_about_the_end_of_a_curve_have_late_epochs_enough(name):
    study = plan(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    curves = [
        epochs
        for claim in study.config["claims"]
        for _, part in plan_claims.parts(plan_claims.resolved(study, claim)["block"])
        if part["kind"] == "late_gain"
        for epochs in part["cells"]["a"]["epochs"].values()
    ]
    assert curves
    for epochs in curves:
        late_gain.weights(epochs)  # a slope takes two late epochs: ValueError otherwise
