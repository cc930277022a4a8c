"""The plan: what each job depends on, and what it does not."""

import copy
import subprocess
import sys

import pytest
from test_configuration import TINY, changed, plan

from uncanny.registry import components
from uncanny.registry.blocks import canonical
from uncanny.runtime.result_paths import Cell
from uncanny.study.plan import cell_spans, figure_cells


@pytest.fixture(scope="module")
def study():
    return plan(TINY)


def test_segments_go_on_from_the_grid():
    study = plan(changed(("segment_epochs",), 5))
    before = {epoch: study.previous_epoch(epoch) for epoch in (0, 2, 5, 7, 10, 11, 30)}
    assert before == {0: None, 2: None, 5: None, 7: 5, 10: 5, 11: 10, 30: 25}


def test_figure_cells_cover_seeds_draws_and_milestones():
    study = plan(TINY | {"seeds": [0, 1], "sampling_seeds": [0, 1, 2]})
    cells = figure_cells(study, "figure_1")
    assert len(cells) == len(set(cells)) == 4 * 2 * 3 * 2
    assert Cell("ve_cond", 1, "HEUN", "none", 2, 1) in cells


def test_a_model_may_have_its_own_milestones():
    study = plan(changed(("models", "vp_uncond", "milestones"), [4]))
    assert {c.epoch for c in figure_cells(study, "figure_2")} == {4}


def test_identity_has_neither_extent_nor_appearance(study):
    other = changed(("models", "vp_uncond", "label"), "another")
    other["models"]["vp_uncond"]["milestones"] = [1, 2, 3]
    other["models"]["vp_uncond"]["color"] = "#123456"
    assert plan(other).identity("vp_uncond") == study.identity("vp_uncond")


def test_key_order_means_nothing(study):
    def reversed_keys(value):
        if isinstance(value, dict):
            return {k: reversed_keys(value[k]) for k in reversed(value)}
        return value

    other = plan(reversed_keys(copy.deepcopy(TINY)))
    assert list(other.identity("vp_uncond")["network"]) == list(
        study.identity("vp_uncond")["network"]
    )
    assert repr(other.sampler("HEUN", "vp_uncond")) == repr(study.sampler("HEUN", "vp_uncond"))
    assert canonical({"b": {"d": 1, "c": 2}, "a": 3}) == {"a": 3, "b": {"c": 2, "d": 1}}


def test_options_by_process_replace_those_of_the_block():
    config = changed(("samplers", "HEUN", "by_process"), {"ve": {"num_steps": 9, "grid": "ve"}})
    study = plan(config)
    assert study.sampler("HEUN", "ve_cond")["init_sampling"]["num_steps"] == 9
    grid = study.sampler("HEUN", "ve_cond")["init_sampling"]["grid"]
    assert grid == {"kind": "ve", "epsilon_s": 0.0}
    assert study.sampler("HEUN", "vp_uncond")["init_sampling"]["num_steps"] == 4
    config["samplers"]["HEUN"]["by_process"]["ve"]["num_steps"] = 10
    assert plan(config).sampler("HEUN", "vp_uncond") == study.sampler("HEUN", "vp_uncond")


def test_every_option_of_a_sampler_is_resolved(study):
    block = study.sampler("HEUN", "vp_uncond")
    assert list(block) == ["kind", "precision", "options", "init_sampling"]
    assert set(components.signature("samplers", "heun").options) == set(block["options"])
    assert set(components.init_options("continuous")) == set(block["init_sampling"])
    assert block["init_sampling"]["grid"] == {"kind": "polynomial", "rho": 7.0}


def test_precision_is_part_of_every_sampler(study):
    assert study.sampler("HEUN", "vp_uncond")["precision"] == "fp32"
    config = copy.deepcopy(TINY)
    for block in config["samplers"].values():
        block["precision"] = "bf16"
    assert plan(config).sampler("HEUN", "vp_uncond")["precision"] == "bf16"
    assert plan(config).identity("vp_uncond") == study.identity("vp_uncond")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            ("samplers", "EUL", "precision"),
            r"samplers.EUL.precision: bf16, but samplers.\w+ has fp32",
        ),
        (("training", "other"), r"training.other.precision: bf16, but training.adam has fp32"),
    ],
)
def test_precisions_are_not_mixed_in_a_study(path, message):
    value = "bf16" if path[0] == "samplers" else TINY["training"]["adam"] | {"precision": "bf16"}
    with pytest.raises(ValueError, match=message + "; expected one precision in a study"):
        plan(changed(path, value))


def test_metrics_of_growing_parts(study):
    assert study.measured("digits", of_sizes=True) == study.measured("digits")
    assert set(study.evaluation_of_sizes("digits")["least"].values()) == {1}
    few = plan(changed(("evaluation", "digits", "sizes"), {"kid": 30, "is2": 1}))
    assert few.evaluation("digits") == study.evaluation("digits")
    result = few.evaluation_of_sizes("digits")
    assert result["least"] == {"is2": 1, "kid": 30}
    assert set(result["metrics"]) == {"is2", "kid"}


def test_neighbours_are_asked_for_by_metrics(study):
    assert study.neighbours("digits") == 3  # the default of precision
    assert plan(changed(("metrics", "precision", "k"), 7)).neighbours("digits") == 7
    assert (
        plan(changed(("evaluation", "digits", "metrics"), ["is2", "kid"])).neighbours("digits") == 0
    )


def test_mean_kernels_are_asked_for_by_kid(study):
    assert study.asks_for("digits", "KERNELS")
    without = changed(("metrics", "kid"), {"kind": "precision"})
    assert not plan(without).asks_for("digits", "KERNELS")


def test_planning_needs_no_torch():
    code = "import sys; from uncanny.study import checks; from uncanny.study import configuration; from uncanny.study import plan; from uncanny.workflow import fork_server; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=components.LIBRARY.parent).returncode == 0
    )


def test_code_of_a_job_knows_its_components(study):
    codes = {
        study.code("draw_samples", model="vp_uncond", sampler="HEUN"),
        study.code("draw_samples", model="vp_uncond", sampler="EUL"),
        study.code("draw_samples", model="ve_cond", sampler="HEUN"),
        study.code("draw_samples", model="ddpm_cosine", sampler="DDIM"),
        study.code("train_model", model="vp_uncond"),
    }
    assert len(codes) == 5


def test_a_dataset_may_have_cells_of_its_own_size():
    """Its cells may then consist of a single job where those of others are sampled in shards."""
    sharded = TINY | {"shard_images": 25}
    own = copy.deepcopy(sharded)
    own["evaluation"]["digits"]["num_images"] = 20
    spans = [cell_spans(plan(config), "vp_uncond") for config in (sharded, own)]
    assert spans == [[(0, 25), (25, 15)], [(0, 20)]]
    assert plan(own).num_images("digits") == 20
