"""One block of a sampler at several numbers of network evaluations."""

import copy

import pytest
from test_configuration import TINY, plan

from uncanny.samplers import nfe
from uncanny.study import plan as study_plan
from uncanny.study.plan import tables as plan_tables

PANEL = {"models": ["vp_uncond"], "samplers": ["UNI", "HEUN"]}
RACE = {"kind": "sampler_race", "metric": "is2", "panels": [PANEL]}
TABLE = {"kind": "samplers", "title": "S", "options": {"metric": "kid"}, "scores": [PANEL]}


def with_series(**blocks):
    config = copy.deepcopy(TINY)
    config["samplers"] |= {"UNI": {"kind": "unipc", "nfe": [4, 8], "grid": "polynomial"}} | blocks
    config["figures"]["figure_race"], config["tables"] = copy.deepcopy(RACE), {"table_s": TABLE}
    return config


def test_names_labels_and_steps():
    study = plan(with_series(H={"kind": "heun", "nfe": [4, 9], "grid": "vp", "label": "Heun"}))
    samplers = study.config["samplers"]
    assert "UNI" not in samplers and [n for n in samplers if n.startswith("H_")] == ["H_4", "H_9"]
    steps = {name: samplers[name]["num_steps"] for name in ("UNI_4", "UNI_8", "H_4", "H_9")}
    assert steps == {"UNI_4": 4, "UNI_8": 8, "H_4": 2, "H_9": 5}
    block = study.sampler("H_4", "vp_uncond")
    assert nfe.nfe(block, {}) == 3
    assert (samplers["H_4"]["label"], samplers["H_4"]["series"]) == ("Heun, NFE ≤ 4", "Heun")


def test_the_name_stands_for_all_in_every_list():
    study = plan(with_series())
    cells = study_plan.figure_cells(study, "figure_race")
    assert {cell.sampler for cell in cells} == {"UNI_4", "UNI_8", "HEUN"}
    shown = plan_tables.contents(study, "table_s")
    assert shown["labels"]["series"] == {"UNI_4": "UNI", "UNI_8": "UNI", "HEUN": "HEUN"}
    looks = study_plan.appearance(study, "figure_race")["samplers"]
    assert looks["UNI_4"] == {"label": "UNI, NFE ≤ 4", "series": "UNI"}


def test_steps_of_a_process_of_its_own():
    special = {"ve": {"kind": "heun"}, "vp": {"grid": "vp"}}
    blocks = {"UNI": {"kind": "euler", "nfe": [5], "grid": "polynomial", "by_process": special}}
    study = plan(with_series(**blocks))
    steps = [
        study.sampler("UNI_5", model)["init_sampling"]["num_steps"]
        for model in ("vp_uncond", "ve_cond")
    ]
    assert steps == [5, 3]


UNI = {"kind": "unipc", "grid": "polynomial"}
MISTAKES = [
    ({"kind": "rk45", "nfe": [4], "grid": "ends"}, r"samplers\.UNI\.nfe: 'rk45' has no number of steps"),
    ({"kind": "heum", "nfe": [4]}, r"samplers\.UNI\.kind: 'heum' is not one of the samplers; did you mean 'heun'"),
    (UNI | {"nfe": [4], "num_steps": 4}, r"samplers\.UNI\.num_steps: does not go with nfe"),
    (UNI | {"nfe": [4], "by_process": {"ve": {"num_steps": 4}}}, r"samplers\.UNI\.by_process\.ve\.num_steps: does not go with nfe"),
    (UNI | {"kind": "heun", "nfe": [3, 4]}, r"samplers\.UNI\.nfe: 3 and 4 are both 2 steps"),
    ({"kind": "predictor_corrector", "corrector_steps": 3, "nfe": [2], "grid": "vp"}, r"samplers\.UNI\.nfe: 2; expected at least 4, as one step of 'predictor_corrector' takes"),
    ({"kind": "predictor_corrector", "corrector_steps": "x", "nfe": [2], "grid": "vp"}, r"samplers\.UNI\.corrector_steps: 'x' is not int"),
    (UNI | {"nfe": [4], "order": 7}, r"samplers\.UNI_4\.order: 7"),
    (UNI | {"nfe": [2, 8], "order": 3}, r"samplers\.UNI_2\.order: 3; expected at most num_steps, which is 2"),
    (UNI | {"nfe": []}, r"samplers\.UNI\.nfe: \[\] should be non-empty"),
    (UNI | {"nfe": [4, 4]}, r"samplers\.UNI\.nfe: \[4, 4\] has non-unique elements"),
    (UNI | {"nfe": [0]}, r"samplers\.UNI\.nfe\[0\]: 0 is less than the minimum of 1"),
    (UNI | {"nfe": 4}, r"samplers\.UNI\.nfe: 4 is not of type 'array'"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "message"), MISTAKES)
def test_a_series_that_cannot_be_is_named(block, message):
    with pytest.raises(ValueError, match=message):
        plan(with_series(UNI=block))


def test_a_name_that_is_taken_is_named():
    with pytest.raises(ValueError, match=r"samplers\.UNI_4: one of samplers\.UNI\.nfe has this"):
        plan(with_series(UNI_4={"kind": "euler", "num_steps": 4, "grid": "vp"}))


def test_a_metric_that_is_not_measured_is_named():
    config = with_series()
    config["tables"]["table_s"] = TABLE | {"options": {"metric": "fid"}}
    with pytest.raises(ValueError, match=r"tables\.table_s\.options\.metric: 'fid' is not measure"):
        plan(config)
