"""The study at published scale: networks of the published sizes, everything that the claims name."""

from pathlib import Path

import pytest
import torch
import yaml
from test_configuration import plan

from uncanny.registry import components
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import figure_cells, paper_figures

ROOT = Path(__file__).parent.parent
SHAPES = {"cifar10": (3, 32, 32), "ffhq": (3, 64, 64), "imagenet": (3, 64, 64)}
PARAMETERS = {
    "ddpm_cosine": 35_746_307,
    "vp_uncond": 55_732_739,
    "vp_cond": 55_734_147,
    "ve_uncond": 56_395_523,
    "ve_cond": 56_398_339,
    "ncsnv2": 29_694_083,
    "ncsnv2_reference": 29_694_083,
    "ffhq_ddpm": 35_746_307,
    "ffhq_vp": 61_804_419,
    "ffhq_ve": 62_758_787,
    "imagenet_ve": 62_758_787,
}


@pytest.fixture(scope="module")
def paper():
    return plan(yaml.safe_load((ROOT / "config/paper.yaml").read_text()))


@pytest.fixture(scope="module")
def digits():
    return plan(yaml.safe_load((ROOT / "config/config.yaml").read_text()))


def _size(block, shape, classes):
    options = {key: value for key, value in block.items() if key != "kind"}
    with torch.device("meta"):
        network = components.load("networks", block["kind"])(shape, classes, **options)
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("model", PARAMETERS)
def test_networks_have_the_published_sizes(paper, model):
    identity = paper.identity(model)
    classes = 10 if identity["conditional"] else 0
    shape = SHAPES[identity["dataset"]]
    assert _size(identity["network"], shape, classes) == PARAMETERS[model]


def test_classifiers_have_the_published_size(paper):
    for name in ("noisy", "untrained_0", "untrained_1", "untrained_2"):
        network = paper.classifier(name, "cifar10", "ddpm", "cosine")["network"]
        assert _size(network, SHAPES["cifar10"], 10) == 7_553_802


def test_both_studies_have_the_figures_tables_and_claims_of_the_paper(paper, digits):
    numbers = [*range(1, 6), *(f"A{n}" for n in range(1, 17))]
    assert sorted(paper_figures(paper)) == sorted(f"figure_{n}" for n in numbers)
    assert sorted(paper_figures(digits)) == sorted(paper_figures(paper))
    assert set(digits.config["figures"]) <= set(paper.config["figures"])
    for study in (paper, digits):
        assert sorted(study.config["tables"]) == [f"table_A{n}" for n in range(1, 7)]
        assert sorted(study.config["claims"]) == [f"C{n:02}" for n in range(1, 28)]


def test_the_paper_study_lacks_nothing_that_its_claims_name(paper):
    for claim in paper.config["claims"]:
        assert plan_claims.resolved(paper, claim)["missing"] == {}, claim
        assert not paper.block("claims", claim).get("scaled"), claim


NFE = {  # (sampler, model): solver steps
    ("MARK", "ddpm_cosine"): 1000,
    ("DDIM", "ddpm_cosine"): 999,
    ("EUL", "vp_uncond"): 512,
    ("EUL", "ve_uncond"): 1024,
    ("EULvp", "ve_uncond"): 512,
    ("EUL0", "vp_uncond"): 512,
    ("EUL0", "ve_uncond"): 1024,
    ("HEUN", "vp_uncond"): 128,
    ("HEUN", "ve_uncond"): 400,
    ("HEDM", "ve_uncond"): 18,
    ("STOc", "ve_uncond"): 256,
    ("STOi", "vp_uncond"): 256,
}


@pytest.mark.parametrize(("sampler", "model"), NFE)
def test_samplers_take_the_published_steps(paper, sampler, model):
    assert paper.sampler(sampler, model)["init_sampling"]["num_steps"] == NFE[sampler, model]


@pytest.mark.parametrize("evaluations", [63, 255])
def test_companions_take_equal_evaluations_and_churn_as_much_per_step(paper, evaluations):
    suffix = f"_{evaluations}"
    companions = [name for name in paper.config["samplers"] if name.endswith(suffix)]
    assert len(companions) == 9
    for name in companions:
        for model in ("vp_uncond", "ve_uncond"):
            if name.startswith(("MARK", "DDIM")):
                model = "ddpm_cosine"
            sampler = paper.sampler(name, model)
            steps = sampler["init_sampling"]["num_steps"]
            assert (2 * steps - 1 if sampler["kind"] == "heun" else steps) == evaluations
            if name.startswith("STO"):
                whole = paper.sampler(name.removesuffix(suffix), model)
                assert sampler["options"]["S_churn"] / steps == pytest.approx(
                    whole["options"]["S_churn"] / 256
                )


def test_extent_is_that_of_the_paper(paper):
    cells = figure_cells(paper, "figure_5")
    assert {cell.epoch for cell in cells} == {2, 5, *range(10, 101, 10)}
    assert paper.config["num_images"] == 10_000
    assert paper.config["sample_sizes"][-1] == 50_000
    assert [c.epoch for c in figure_cells(paper, "figure_A12")] == [200]
    assert {c.epoch for c in figure_cells(paper, "figure_A16")} == {5}
