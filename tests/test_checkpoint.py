"""Which sampler for my checkpoint: models whose blocks are those that their files state."""

import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import save_file
from test_configuration import ROOT, plan

from uncanny.diffusion import schedules
from uncanny.interop import stated
from uncanny.interop.formats.diffusers import schedule_alphas
from uncanny.study.plan import figure_cells

FOLDER = ROOT / "tests/data/diffusers"
SCHEDULER, UNET = "scheduler/scheduler_config.json", "unet/config.json"
CONFIG = yaml.safe_load((ROOT / "config/checkpoint.yaml").read_text())


def study_of(path=FOLDER, kind="diffusers", **model):
    mine = {"identity": {"dataset": "images"}, "external": {"kind": kind, "path": str(path)}}
    return plan(CONFIG | {"models": {"mine": mine | {"label": "mine"} | model}})


def edited(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


ARGUMENTS = {"class": "VPPrecond", "model_type": "SongUNet", "model_channels": 16}
ARGUMENTS |= {"channel_mult": [1, 2], "num_blocks": 1, "attn_resolutions": [4], "augment_dim": 9}


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "folder")


def test_the_shipped_study_races_thirteen_samplers():
    study = study_of()
    cells = figure_cells(study, "figure_sampler_race")
    looks = {study.config["samplers"][cell.sampler].get("series") for cell in cells}
    assert len(cells) == 12 * 8 + 2 and len(looks) == 13 and None not in looks
    race = yaml.safe_load((ROOT / "config/samplers.yaml").read_text())
    assert race["samplers"].items() >= CONFIG["samplers"].items()
    rest = race["samplers"].keys() - CONFIG["samplers"].keys()  # of controls of claims
    assert all(name.endswith("_even") for name in rest)


def test_blocks_of_a_folder_are_those_of_its_files():
    identity = study_of().identity("mine")
    assert identity["process"] == {"kind": "discrete", "num_levels": 1000}
    assert identity["schedule"]["kind"] == "cosine" and identity["conditional"]
    network = {"width": 8, "multipliers": [1, 2], "attention": [4], "groups": 4, "endpoint": True}
    assert identity["network"].items() >= network.items()


BETAS = {"num_train_timesteps": 4, "beta_start": 0.1, "beta_end": 0.4}
SCHEDULES = {
    "linear": [0.1, 0.2, 0.3, 0.4],
    "scaled_linear": [(0.1**0.5 + i / 3 * (0.4**0.5 - 0.1**0.5)) ** 2 for i in range(4)],
    "sigmoid": schedules.sigmoid_beta(4, beta_start=0.1, beta_end=0.4).tolist(),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_are_those_of_the_scheduler(folder, name):
    edited(folder / SCHEDULER, **BETAS, beta_schedule=name)
    blocks = stated.diffusers(str(folder))
    expected = (1 - torch.tensor(SCHEDULES[name], dtype=torch.float64)).cumprod(0)
    torch.testing.assert_close(schedule_alphas(blocks["schedule"], 4), expected, rtol=1e-12, atol=0)
    assert blocks["process"] == {"kind": "discrete", "num_levels": 4}


def test_betas_one_by_one(folder):
    edited(folder / SCHEDULER, trained_betas=[0.1, 0.3, 0.2])
    blocks = stated.diffusers(str(folder))
    assert blocks["process"]["num_levels"] == 3
    assert blocks["schedule"] == {"kind": "listed", "betas": [0.1, 0.3, 0.2]}
    with pytest.raises(ValueError, match="listed schedule of 3 betas; expected 4"):
        schedules.listed(4, betas=[0.1, 0.3, 0.2])


@pytest.mark.parametrize(("name", "own"), [("v_prediction", "v"), ("sample", "x0")])
def test_what_the_network_predicts_is_stated(folder, name, own):
    edited(folder / SCHEDULER, prediction_type=name)
    assert study_of(folder).identity("mine")["process"]["prediction"] == own


def test_blocks_of_a_file_of_edm(tmp_path):
    path = tmp_path / "e.safetensors"
    save_file({"x": torch.zeros(1)}, path, {"edm": json.dumps(ARGUMENTS)})
    identity = study_of(path, "edm").identity("mine")
    assert identity["process"] == {
        "kind": "continuous", "preconditioning": "vp", "levels": "matched", "weight": "matched",
    }  # fmt: skip
    network = {"kind": "song_unet", "width": 16, "multipliers": [1, 2], "augment_dim": 9}
    assert identity["network"].items() >= network.items()


MISTAKES = [
    ({"sample_size": None}, UNET, "sample_size null; expected the number of pixels"),
    ({"act_fn": "gelu"}, UNET, 'act_fn "gelu" is not supported'),
    ({"beta_schedule": "exp"}, SCHEDULER, 'beta_schedule "exp" is not supported'),
]


@pytest.mark.parametrize(("changes", "name", "message"), MISTAKES)
def test_what_a_folder_cannot_be_is_named_when_the_config_is_read(folder, changes, name, message):
    edited(folder / name, **changes)
    with pytest.raises(ValueError, match=rf"models\.mine\.external\.path: .*{name}: {message}"):
        study_of(folder)


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"models\.mine\.external\.path: .*none: no such folder"):
        study_of(tmp_path / "none")
    with pytest.raises(ValueError, match=r"models\.mine\.external\.path: .*none: no such file"):
        study_of(tmp_path / "none", "edm")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, "records class None; expected one of VPPrecond, VEPrecond, EDMPrecond"),
        ("[1]", "not a safetensors file with the arguments"),
        (
            '{"class": "VPPrecond", "model_type": "DhariwalUNet"}',
            "model_type 'DhariwalUNet' is not",
        ),
        ('{"class": "VPPrecond", "channel_mult_emb": 2}', "channel_mult_emb 2 is not supported"),
    ],
)
def test_what_a_file_of_edm_does_not_state_is_named(tmp_path, settings, message):
    path = tmp_path / "e.safetensors"
    save_file({"x": torch.zeros(1)}, path, None if settings is None else {"edm": settings})
    with pytest.raises(ValueError, match=rf"models\.mine\.external\.path: .*{message}"):
        study_of(path, "edm")


def test_a_block_of_the_models_name_is_not_replaced():
    config = CONFIG | {"networks": {"mine": {"kind": "unet"}}}
    mine = {
        "identity": {"dataset": "images"},
        "external": {"kind": "diffusers", "path": str(FOLDER)},
    }
    with pytest.raises(ValueError, match=r"networks\.mine: models\.mine has a block of this name"):
        plan(config | {"models": {"mine": mine}})


def test_an_identity_with_some_of_the_blocks_is_asked_for_the_others():
    with pytest.raises(ValueError, match=r"models\.mine\.identity\.process: missing"):
        study_of(identity={"dataset": "images", "network": "unet"})
