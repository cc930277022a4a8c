"""The study for one GPU and one evening: what it has, what it costs, and the same in miniature."""

import copy
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from listed_jobs import jobs_of
from PIL import Image
from test_configuration import plan
from test_workflow import clone, snakemake

from uncanny.estimate import costs
from uncanny.estimate.totals import Estimate, Site
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import figure_cells, paper_figures

ROOT = Path(__file__).parent.parent
CONFIG = yaml.safe_load((ROOT / "config/cifar10_gpu.yaml").read_text())


@pytest.fixture(scope="module")
def study():
    return plan(copy.deepcopy(CONFIG))


def test_it_has_the_figures_of_the_paper_that_cifar10_carries(study):
    numbers = [*range(1, 6), *(f"A{n}" for n in range(1, 10))]
    assert sorted(paper_figures(study)) == sorted(f"figure_{n}" for n in numbers)
    assert sorted(study.config["tables"]) == [f"table_A{n}" for n in range(1, 7)]
    assert len(study.config["milestones"]) == 6 and max(study.config["milestones"]) >= 30


def test_every_claim_can_be_tested_with_cells_that_figures_show(study):
    drawn = {
        cell.path("scores")
        for figure in study.config["figures"]
        for cell in figure_cells(study, figure)
    }
    asked = {path for paths in plan_claims.files(study).values() for path in paths}
    cells = {path for path in asked if path.startswith("scores/") and "references" not in path}
    assert cells <= drawn
    assert len(study.config["claims"]) == 24
    for claim in study.config["claims"]:
        assert plan_claims.resolved(study, claim)["missing"] == {}, claim


def test_rules_of_claims_are_those_of_the_digits():
    digits = yaml.safe_load((ROOT / "config/config.yaml").read_text())["claims"]
    for name, claim in CONFIG["claims"].items():
        assert claim["statement"] == digits[name]["statement"]
        for part, block in claim.get("parts", {}).items():
            assert block["kind"] == digits[name]["parts"][part]["kind"], (name, part)


@pytest.mark.parametrize(("card", "hours"), [("A100", 3), ("RTX 4090", 8)])
def test_an_evening_is_enough(study, tmp_path, card, hours):
    site = Site(costs.accelerator(card), 4, 0.25, one_machine=True, devices=1)
    estimate = Estimate(study, tmp_path, site, jobs_of(CONFIG))
    (everything,) = (row for row in estimate.of_targets() if row["target"] == "all")
    assert everything["device_hours"] < hours
    limits = estimate.of_limits()
    assert not any(row["exceed"] for row in limits)
    assert max(row["card_gb"] for row in limits) < 6  # two jobs share the card: 12 GB


EPOCHS = dict(zip(CONFIG["milestones"], range(1, 7), strict=True))
SMALL = {"width": 8, "head_channels": 8, "batch_size": 40, "num_levels": 4, "num_steps": 2}


def smaller(value, key=""):
    """The same block with small numbers; epochs by their number among the milestones."""
    if isinstance(value, dict):
        discrete = value.get("kind") == "discrete"  # keeps its levels
        return {k: v if discrete else smaller(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [EPOCHS[v] if key in ("epochs", "milestones") else smaller(v) for v in value]
    return SMALL.get(key, value)


def miniature(images):
    """The study itself with small images, networks and numbers. images: a zip."""
    config = smaller(copy.deepcopy(CONFIG)) | {"study": "mini", "num_images": 80}
    config["datasets"]["cifar10"] = {"kind": "images", "root": images, "resolution": 32}
    config["datasets"]["cifar10"] |= {"classes": True, "label": "made"}
    config["extractors"]["features"] |= {"width": 4, "epochs": 1}
    config["classifiers"]["noisy"]["epochs"] = 1
    config["sample_sizes"] = [80, 160]
    config["evaluation"]["cifar10"]["sizes"] = {"is10": 80, "is1": 80, "fid": 80}
    return config


def zipped(path):
    """160 training and 60 test images of ten classes."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for split, count in (("train", 16), ("test", 6)):
            for number in range(10 * count):
                pixels = rng.integers(0, 25, (32, 32, 3)) + 23 * (number % 10)
                file = io.BytesIO()
                Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
                archive.writestr(f"{split}/{number % 10}/{number}.png", file.getvalue())


def test_the_miniature_has_all_jobs_of_the_study():
    large, small = (
        sorted(job.rule for job in jobs_of(config)) for config in (CONFIG, miniature("a.zip"))
    )
    segments = [rules.count("train_model") for rules in (large, small)]
    assert segments[0] >= segments[1] > 0
    assert [r for r in large if r != "train_model"] == [r for r in small if r != "train_model"]


@pytest.mark.workflow
def test_two_figures_of_the_miniature(tmp_path):
    folder = clone(tmp_path / "clone")
    zipped(folder / "images.zip")
    text = yaml.safe_dump(miniature("images.zip"), allow_unicode=True, sort_keys=False)
    (folder / "mini.yaml").write_text(text, encoding="utf-8")
    done = snakemake(folder, "figure_A6", "figure_A9", config="mini.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("figure_A6", "figure_A9"):
        assert (folder / f"results/mini/figures/{name}.complete").exists()


def test_the_race_of_samplers_is_added_by_its_blocks(study):
    """config/samplers.yaml: copy samplers, figure and table, under other names where the study has them."""
    race = yaml.safe_load((ROOT / "config/samplers.yaml").read_text())
    names = {n: f"{n}_race" if n in study.config["samplers"] else n for n in race["samplers"]}
    models = {"edm": "vp_uncond", "ddpm": "ddpm_cosine"}
    figure, table = race["figures"]["figure_sampler_race"], race["tables"]["table_samplers"]
    for scored in [*figure["panels"], *table["scores"]]:
        scored["models"] = [models[name] for name in scored["models"]]
        scored["samplers"] = [names[name] for name in scored["samplers"]]
    added = {
        "figures": {"figure_sampler_race": figure},
        "tables": {"table_samplers": table},
        "samplers": {names[name]: block for name, block in race["samplers"].items()},
        "metrics": race["metrics"],
    }
    config = study.config | {key: study.config[key] | blocks for key, blocks in added.items()}
    cells = figure_cells(plan(config), "figure_sampler_race")
    assert {cell.model for cell in cells} == set(models.values())
    assert len(cells) == 2 * (12 * 8 + 2)
