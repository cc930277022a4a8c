"""The studies of PSLD: published sizes, the same figures, tables and claims, enough sampling seeds."""

from pathlib import Path

import pytest
import torch
import yaml
from test_configuration import plan

from uncanny.networks.building import build_family
from uncanny.registry import components
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import figure_cells, paper_figures

ROOT = Path(__file__).parent.parent
SHAPES = {"cifar10": (3, 32, 32), "celeba64": (3, 64, 64), "afhqv2": (3, 128, 128)}
PARAMETERS = {
    "vp": 39_390_339,
    "cld": 39_393_795,
    "psld_02": 39_397_254,
    "medium_psld_01": 55_743_110,
    "large_cld": 97_620_867,
    "large_psld_01": 97_627_782,
    "celeba_psld_01": 66_722_182,
    "celeba_best": 62_769_158,
    "afhq_psld_01": 128_453_766,
}
FIGURES = [
    *["figure_phase_space", "figure_psld_conditional", "figure_psld_epochs", "figure_psld_gamma"],
    *["figure_psld_inpainting", "figure_psld_speed_quality"],
]


@pytest.fixture(scope="module")
def studies():
    names = ("psld", "psld_paper")
    return {n: plan(yaml.safe_load((ROOT / f"config/{n}.yaml").read_text())) for n in names}


@pytest.mark.parametrize("model", PARAMETERS)
def test_networks_have_the_published_sizes(studies, model):
    identity = studies["psld_paper"].identity(model)
    block = dict(identity["network"])
    inputs, outputs = build_family(identity).network_shape(SHAPES[identity["dataset"]])
    with torch.device("meta"):
        network = components.load("networks", block.pop("kind"))(inputs, 0, outputs, **block)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[model]


def test_the_classifier_has_the_published_size(studies):
    block = studies["psld_paper"].component("networks", "encoder")
    options = {key: value for key, value in block.items() if key != "kind"}
    with torch.device("meta"):
        network = components.load("networks", block["kind"])((6, 32, 32), 10, **options)
    assert sum(p.numel() for p in network.parameters()) == 56_666_368


def test_both_studies_have_the_same_figures_tables_and_claims(studies):
    for study in studies.values():
        assert sorted(paper_figures(study)) == FIGURES
        assert sorted(study.config["tables"]) == ["table_psld", "table_recipe"]
        assert sorted(study.config["claims"]) == [f"P0{n}" for n in range(1, 7)]
        assert len(study.sampling_seeds) >= 3
        for claim in study.config["claims"]:
            assert plan_claims.resolved(study, claim)["missing"] == {}, claim


def test_the_laptop_takes_at_most_100_evaluations_but_for_gamma(studies):
    study = studies["psld"]
    drawn = {f: figure_cells(study, f) for f in study.config["figures"]}
    for figure, cells in drawn.items():
        blocks = [study.sampler(c.sampler, c.model)["init_sampling"] for c in cells]
        steps = [block["num_steps"] or 0 for block in blocks]
        assert max(steps, default=0) <= (250 if figure == "figure_psld_gamma" else 100)
    assert len({cell for cells in drawn.values() for cell in cells}) < 320


def test_models_differ_in_the_process_alone(studies):
    for study in studies.values():
        compared = [study.identity(m) for m in ("vp", "cld", "psld_01", "psld_02")]
        for identity in compared[1:]:
            assert identity | {"process": None} == compared[0] | {"process": None}
