"""Weights from elsewhere: a recorded model of diffusers, EDM's names, mistakes, and the way back."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from resolved import sampler as resolved
from safetensors.torch import load_file, save_file
from test_networks import CASES, DATA, SONG, build, recorded_weights

from uncanny.datasets.digits import digits
from uncanny.interop import external
from uncanny.interop.formats import _scheduler, _unet2d, edm
from uncanny.interop.formats.diffusers import diffusers
from uncanny.networks import building
from uncanny.registry import components
from uncanny.runtime import checkpoints
from uncanny.sampling import job

FOLDER = Path(__file__).parent / "data/diffusers"
NETWORK = {
    "width": 8,
    "multipliers": [1, 2],
    "blocks": 1,
    "attention": [4],
    "head_channels": 4,
    "groups": 4,
}
DIGITS = (1, 8, 8)
ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs/external.md").read_text(encoding="utf-8")


def run(command, argument, folder):
    """A documented command of Python, with the classes of this module to unpickle."""
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "scripts")])
    subprocess.run(
        [sys.executable, "-c", command.replace("\\\n", ""), argument],
        cwd=folder, check=True, env=os.environ | {"PYTHONPATH": paths},
    )  # fmt: skip


def made(kind="diffusers_unet", schedule="cosine", conditional=True, path=FOLDER, **network):
    """Identity of an external model."""
    options = components.resolve("networks", kind, network or NETWORK, "networks.n")
    return {
        "dataset": "digits",
        "process": {"kind": "discrete", "num_levels": 1000},
        "schedule": {"kind": schedule} | components.resolve("schedules", schedule, {}, "s"),
        "network": {"kind": kind} | options,
        "training": None,
        "conditional": conditional,
        "external": {"kind": "diffusers", "path": str(path)},
    }


def read(identity, shape=DIGITS):
    ours = building.build_network(identity, shape, 10).state_dict()
    return diffusers(identity, shape, ours, path=identity["external"]["path"])


def loaded(identity, weights):
    network = building.build_network(identity, DIGITS, 10).eval()
    network.load_state_dict(weights)
    return network


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "folder")


def edited(path, **changes):
    """Change settings of a JSON file; "gone" takes one out."""
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in value.items() if v != "gone"}))


def imported(identity, tmp_path):
    """What the job leaves: checkpoint and record."""
    digits(tmp_path / "data")
    checkpoint, history = tmp_path / "epoch-1.pt", tmp_path / "epoch-1.json"
    external.run(
        identity=identity, seed=0, epoch=1, dataset=tmp_path / "data",
        checkpoint=checkpoint, history=history,
    )  # fmt: skip
    return checkpoints.load(checkpoint), json.loads(history.read_text())


def same(result, expected):
    return result.keys() == expected.keys() and all(
        torch.equal(result[n], expected[n]) for n in result
    )


# --- diffusers -------------------------------------------------------------------------------------


def test_a_model_of_diffusers_says_what_it_says_there():
    identity = made()
    stored = np.load(FOLDER / "said.npz")
    network = loaded(identity, read(identity))
    labels = torch.nn.functional.one_hot(torch.from_numpy(stored["y"]), 10).float()
    with torch.no_grad():
        result = network(torch.from_numpy(stored["x"]), torch.from_numpy(stored["t"]), labels)
    torch.testing.assert_close(result, torch.from_numpy(stored["out"]), rtol=1e-5, atol=1e-5)


def test_files_may_lie_in_one_folder_under_old_names(folder, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    weights = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    renamed = {n.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn."): w for n, w in weights.items()}  # fmt: skip
    torch.save(renamed, flat / "diffusion_pytorch_model.bin")
    for name in ("unet/config.json", "scheduler/scheduler_config.json"):
        shutil.copy(folder / name, flat)
    result, expected = read(made(path=flat)), read(made())
    assert all(torch.equal(result[name], expected[name]) for name in expected)


UNET, SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
MISTAKES = [
    (UNET, {"down_block_types": ["DownBlock2D", "SkipDownBlock2D"]}, r"block SkipDownBlock2D with AttnUpBlock2D is not supported; expected DownBlock2D"),
    (UNET, {"down_block_types": "gone"}, r"down_block_types is missing; expected a list with the name of a block for each level"),
    (UNET, {"block_out_channels": "gone"}, r"block_out_channels is missing; expected a list with a whole number from 1 for each level"),
    (UNET, {"up_block_types": ["UpBlock2D"]}, r"up_block_types \['UpBlock2D'\] has 1 entries; expected 2, one for each of block_out_channels"),
    (UNET, {"block_out_channels": [8, "16"]}, r'block_out_channels \[8, "16"\] is not supported; expected a list'),
    (UNET, {"block_out_channels": 8}, r"block_out_channels 8 is not supported; expected a list"),
    (UNET, {"sample_size": 32}, r"images \[1, 32, 32\]; the study's dataset has \[1, 8, 8\]"),
    (UNET, {"sample_size": [8]}, r"sample_size \[8\] is not supported; expected a number of pixels, a list of two, or null"),
    (UNET, {"in_channels": 3}, r"images \[3, 8, 8\]; the study's dataset has \[1, 8, 8\]"),
    (UNET, {"out_channels": 2}, r"out_channels 2 is not supported; expected 1"),
    (UNET, {"num_class_embeds": 11}, r"num_class_embeds 11; expected 10, as the study's model has conditional: true and 10 classes"),
    (UNET, {"num_class_embeds": None}, r"num_class_embeds null; expected 10, as the study's model has conditional: true and 10 classes"),
    (UNET, {"block_out_channels": [8, 24]}, r"the study's network has multipliers \[1, 2\]; expected \{kind: diffusers_unet, width: 8, multipliers: \[1, 3\]"),
    (UNET, {"norm_eps": 1e-5}, r"the study's network has norm_eps 1e-06; expected .*norm_eps: 1\.0e-05"),
    (UNET, {"attention_head_dim": 8}, r"the study's network has head_channels 4; expected .*head_channels: 8"),
    (UNET, {"downsample_padding": 1}, r"the study's network has one_sided True; expected .*one_sided: false"),
    (UNET, {"freq_shift": 0}, r"the study's network has endpoint True; expected .*endpoint: false"),
    (UNET, {"attn_norm_num_groups": 2}, r"attn_norm_num_groups 2 is not supported; expected null"),
    (UNET, {"encoder_hid_dim": 3}, r"encoder_hid_dim 3 is not a known setting of UNet2DModel"),
    (SCHEDULER, {"beta_schedule": "linear"}, r"ᾱ is 0\.9999 at level 0; the study's schedule 'cosine' has 0\.999959"),
    (SCHEDULER, {"trained_betas": [0.5] * 1000}, r"ᾱ is 0\.5 at level 0; the study's schedule 'cosine'"),
    (SCHEDULER, {"num_train_timesteps": 500}, r"500 noise levels; the study's process has 1000"),
    (SCHEDULER, {"num_train_timesteps": 10**12}, r"1000000000000 noise levels; the study's process has 1000"),
    (SCHEDULER, {"shift": 3.0}, r"shift 3\.0 is not a known setting of DDPMScheduler"),
]  # fmt: skip
REFUSED = {  # settings that change the mathematics, with the value that they must have
    UNET: [
        ("_class_name", "UNet2DConditionModel", '"UNet2DModel"'),
        ("act_fn", "gelu", '"silu" or "swish"'),
        ("add_attention", False, "true"),
        ("center_input_sample", True, "false"),
        ("class_embed_type", "timestep", "null"),
        ("downsample_padding", 2, "0 or 1"),
        ("downsample_type", "resnet", '"conv"'),
        ("flip_sin_to_cos", 2, "true or false"),
        ("freq_shift", 0.5, "0 or 1"),
        ("layers_per_block", [1, 2], "a whole number from 1"),
        ("mid_block_scale_factor", 1.4, "1"),
        ("mid_block_type", None, '"UNetMidBlock2D"'),
        ("norm_eps", 0, "a number above 0"),
        ("norm_num_groups", None, "a whole number from 1"),
        ("resnet_time_scale_shift", "scale_shift", '"default"'),
        ("time_embedding_dim", 64, "null"),
        ("time_embedding_type", "fourier", '"positional"'),
        ("upsample_type", "resnet", '"conv"'),
    ],
    SCHEDULER: [
        (
            "_class_name",
            "FlowMatchEulerDiscreteScheduler",
            "a scheduler of discrete noise levels, such as DDPMScheduler",
        ),
        (
            "_class_name",
            "EDMEulerScheduler",
            "a scheduler of discrete noise levels, such as DDPMScheduler",
        ),
        (
            "_class_name",
            "LCMScheduler",
            "a scheduler of discrete noise levels, such as DDPMScheduler",
        ),
        ("beta_end", 1.5, "a number between 0 and 1"),
        ("beta_schedule", "laplace", '"linear" or "scaled_linear"'),
        ("predict_epsilon", None, "true or false"),
        ("prediction_type", "flow_prediction", '"epsilon" or "v_prediction" or "sample"'),
        ("rescale_betas_zero_snr", True, "false"),
        ("shift_terminal", 0.1, "null"),
        ("timestep_type", "continuous", '"discrete"'),
        ("trained_betas", [0.1, 1.0], "null or a list of numbers between 0 and 1"),
        ("use_dynamic_shifting", True, "false"),
        ("use_flow_sigmas", True, "false"),
        ("variance_type", "learned_range", '"fixed_small"'),
    ],
}


@pytest.mark.parametrize(("name", "changes", "message"), MISTAKES, ids=lambda v: str(v)[:30])
def test_a_folder_that_does_not_fit_is_named(folder, name, changes, message):
    edited(folder / name, **changes)
    with pytest.raises(ValueError, match=f"{folder.name}/{name}: {message}"):
        read(made(path=folder))


@pytest.mark.parametrize(
    ("name", "key", "value", "expected"),
    [(name, *case) for name, cases in REFUSED.items() for case in cases],
)
def test_a_setting_of_other_mathematics_is_refused(folder, name, key, value, expected):
    edited(folder / name, **{key: value})
    with pytest.raises(ValueError) as error:
        read(made(path=folder))
    shown = json.dumps(value)
    start = f"{folder / name}: {key} {shown} is not supported; expected {expected}"
    assert str(error.value).startswith(start)


@pytest.mark.parametrize(("name", "known"), [(UNET, _unet2d.SETTINGS), (SCHEDULER, _scheduler.SETTINGS)])  # fmt: skip
def test_every_setting_with_few_values_is_tested(name, known):
    limited = {key for key, schema in known.items() if "enum" in schema}
    assert limited <= {key for key, *_ in REFUSED[name]}


@pytest.mark.parametrize(
    ("changes", "prediction"),
    [
        ({"prediction_type": "v_prediction"}, "v"),
        ({"prediction_type": "sample"}, "x0"),
        ({"prediction_type": "gone", "predict_epsilon": False}, "x0"),
    ],
)
def test_what_the_network_predicts_is_that_of_the_process(folder, changes, prediction):
    edited(folder / SCHEDULER, **changes)
    identity = made(path=folder)
    with pytest.raises(ValueError, match=f"the network predicts {prediction}; the study's proce"):
        read(identity)
    identity["process"] |= {"prediction": prediction}
    assert same(read(identity), read(made()))


def test_how_images_are_drawn_is_the_studys_affair(folder):
    values = {"clip_sample": False, "thresholding": True, "timestep_spacing": "trailing"}
    edited(folder / SCHEDULER, **values, variance_type="fixed_large", prediction_type="gone")
    assert same(read(made(path=folder)), read(made()))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", r"1 byte, text that begins as JSON does; expected a JSON object \(Expecting property name"),
     ("", r"0 bytes; expected a JSON object"),
     ("[1]", r"JSON of a list; expected an object"),
     ("<html>", r"6 bytes, a page of HTML or XML; expected a JSON object"),
     ("version https://git-lfs.github.com/spec/v1\n", r"43 bytes, a Git LFS pointer; `git lfs pull` fetches the file itself; expected"),
     ('{"norm_eps": NaN}', r"17 bytes, text that begins as JSON does; expected a JSON object \(NaN is no number of JSON\)"),
     ("[" * 100000, "100000 bytes; expected a JSON object")],
)  # fmt: skip
@pytest.mark.parametrize("name", [UNET, SCHEDULER, "model_index.json"])
def test_settings_that_are_no_json_are_named_and_stay(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=f"{folder.name}/{name}: {message}") as error:
        read(made(path=folder))
    assert "delete" not in str(error.value)


def test_a_pipeline_with_more_parts_is_refused(folder):
    parts = {"unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]}
    index = folder / "model_index.json"
    index.write_text(json.dumps({"_class_name": "DDPMPipeline", **parts, "vae": [None, None]}))
    assert same(read(made(path=folder)), read(made()))
    index.write_text(json.dumps(parts | {"vqvae": ["diffusers", "VQModel"]}))
    with pytest.raises(ValueError, match=r'model_index\.json: vqvae \["diffusers", "VQModel"\] is not supported; expected only unet and scheduler'):  # fmt: skip
        read(made(path=folder))


# --- weights of diffusers --------------------------------------------------------------------------


def sharded(folder, variant=""):
    """Divide the weights of a folder between two files and an index, as diffusers does."""
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = [f"diffusion_pytorch_model{variant}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    places = {key: names[i % 2] for i, key in enumerate(sorted(weights))}
    for name in names:
        save_file({k: weights[k] for k, v in places.items() if v == name}, folder / "unet" / name)
    index = folder / f"unet/diffusion_pytorch_model.safetensors.index{variant}.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_weights_may_be_divided_between_files(folder, variant):
    sharded(folder, variant)
    assert same(read(made(path=folder)), read(made()))


def test_an_index_that_does_not_fit_its_files_is_named(folder):
    index = sharded(folder)
    places = json.loads(index.read_text())["weight_map"]
    first, second = sorted(set(places.values()))
    for changed, message in [
        (places | {"conv_in.bias": "../x.safetensors"}, r"index\.json: no weight_map; expected one from names of tensors to files in its folder"),
        ([1], r"index\.json: no weight_map"),
        (places | {"more": first}, f"{first}: does not match .*: more is not in the file"),
        ({k: v for k, v in places.items() if k != "conv_in.bias"}, "conv_in.bias is not in the index"),
    ]:  # fmt: skip
        index.write_text(json.dumps({"weight_map": changed}))
        with pytest.raises(ValueError, match=message):
            read(made(path=folder))
    index.write_text(json.dumps({"weight_map": places}))
    (folder / "unet" / second).unlink()
    with pytest.raises(ValueError, match=f"{second}: no such file; expected a file of weights"):
        read(made(path=folder))


@pytest.mark.parametrize(("variant", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_weights_of_half_precision_become_float32_and_it_is_said(folder, tmp_path, capsys, variant, dtype):  # fmt: skip
    weights = {name: value.to(dtype) for name, value in load_file(folder / WEIGHTS).items()}
    (folder / WEIGHTS).unlink()
    save_file(weights, folder / f"unet/diffusion_pytorch_model.{variant}.safetensors")
    state, record = imported(made(path=folder), tmp_path)
    expected = {name: value.to(dtype).float() for name, value in read(made()).items()}
    assert same(state["average"], expected)
    name = str(dtype).removeprefix("torch.")
    assert record["weights_read_as"] == {name: len(expected)}
    assert f"{len(expected)} tensors of {name}; converted to float32" in capsys.readouterr().out


def test_full_precision_comes_before_a_variant(folder):
    save_file({"a": torch.zeros(1)}, folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    assert same(read(made(path=folder)), read(made()))
    torch.save(load_file(folder / WEIGHTS), folder / "unet/diffusion_pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    assert same(read(made(path=folder)), read(made()))


@pytest.mark.parametrize(
    ("value", "message"),
    [(torch.full((8,), torch.nan), "encoder.stem.bias has NaN or infinite values; expected finite numbers"),
     (torch.zeros(8, dtype=torch.int8), "weights of int8; expected float32, float16")],
)  # fmt: skip
def test_weights_that_are_no_numbers_of_a_network_are_named(folder, tmp_path, value, message):
    weights = load_file(folder / WEIGHTS) | {"conv_in.bias": value}
    if value.dtype == torch.int8:
        weights = {name: w.to(torch.int8) for name, w in weights.items()}
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(ValueError, match=f"{folder}: {message}"):
        imported(made(path=folder), tmp_path)


def test_a_folder_may_be_named_by_its_network(folder):
    assert same(read(made(path=folder / "unet")), read(made()))


def test_weights_that_do_not_fit_are_named(folder):
    weights = load_file(folder / WEIGHTS)
    less = {n: w for n, w in weights.items() if not n.startswith("conv_in.")}
    many = {f"extra.{i}": torch.zeros(i + 1) for i in range(5)}
    for changed, message in [
        (less, r"missing: conv_in\.bias \[8\], conv_in\.weight \[8, 1, 3, 3\]$"),
        (weights | many, r"unexpected: extra\.0 \[1\], extra\.1 \[2\], extra\.2 \[3\] and 2 more$"),
        (weights | {"conv_in.bias": torch.zeros(9)}, r"of another shape: conv_in\.bias \[9\], expected \[8\]$"),
        (less | many, r"missing: conv_in\.bias .*; unexpected: extra\.0"),
    ]:  # fmt: skip
        save_file(changed, folder / WEIGHTS)
        with pytest.raises(ValueError, match=f"model.safetensors: not the weights of the study's network; {message}"):  # fmt: skip
            read(made(path=folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda content: content[:1000], r"1000 bytes; expected a complete safetensors file \("),
     (lambda content: content[:-1], r"\d+ bytes, safetensors; expected a complete safetensors file \("),
     (lambda content: b"", r"0 bytes; expected a complete"),
     (lambda content: b"version https://git-lfs.github.com/spec/v1\n", r"a Git LFS pointer; `git lfs pull`"),
     (lambda content: b"<!DOCTYPE html>", r"15 bytes, a page of HTML or XML; expected"),
     (lambda content: pickle.dumps({"a": 1}), r"bytes, a pickle, which can run code")],
)  # fmt: skip
def test_damaged_weights_are_named_and_stay(folder, change, message):
    path = folder / WEIGHTS
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"model\.safetensors: .*{message}") as error:
        read(made(path=folder))
    assert "delete" not in str(error.value) and "\n" not in str(error.value)


def test_files_that_are_not_there_are_named_with_what_is(folder, tmp_path):
    (folder / WEIGHTS).rename(folder / "unet/model.ckpt")
    with pytest.raises(ValueError, match=r"model\.safetensors: no such file, but config\.json, model\.ckpt; expected .* its variant fp16 or bf16, .*docs/external\.md has the command"):  # fmt: skip
        read(made(path=folder))
    shutil.rmtree(folder / "scheduler")
    with pytest.raises(
        ValueError, match=r"scheduler_config\.json: no such file, but said\.npz, unet; expected"
    ):
        read(made(path=folder))
    with pytest.raises(
        ValueError, match="nowhere: no such folder; expected a diffusers folder with"
    ):
        read(made(path="nowhere"))
    with pytest.raises(ValueError, match=r"model\.ckpt: a file; expected a diffusers folder with"):
        read(made(path=folder / "unet/model.ckpt"))


def test_a_bin_that_is_none_is_named(folder):
    path = folder / "unet/diffusion_pytorch_model.bin"
    for content, message in [
        (pickle.dumps(print), r"model\.bin: not readable as weights written by torch\.save \(\d+ bytes, a pickle, which can run code when it is read; "),
        (b"", r"not readable as weights written by torch\.save \(0 bytes; EOFError\)"),
    ]:  # fmt: skip
        (folder / WEIGHTS).unlink(missing_ok=True)
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read(made(path=folder))
    torch.save([1], path)
    with pytest.raises(ValueError, match="not a dict of tensors; expected names → tensors"):
        read(made(path=folder))


@pytest.mark.parametrize(
    "options",
    [{}, {"variant": "fp16"}, {"max_shard_size": "50KB"}, {"max_shard_size": "50KB", "variant": "fp16"}],
    ids=str,
)  # fmt: skip
def test_what_diffusers_saves_says_here_what_it_says_there(tmp_path, options):
    library = pytest.importorskip("diffusers", reason="diffusers is not installed")
    settings = json.loads((FOLDER / UNET).read_text()) | {
        "flip_sin_to_cos": True,
        "act_fn": "swish",
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = library.UNet2DModel.from_config(settings)
    model = model.half() if "variant" in options else model
    scheduler = library.DDIMScheduler(beta_schedule="squaredcos_cap_v2")
    library.DDIMPipeline(unet=model, scheduler=scheduler).save_pretrained(tmp_path, **options)
    identity = made(path=tmp_path)
    weights, precision = external.in_float32(read(identity), "")
    assert set(precision) == {"float16" if "variant" in options else "float32"}
    x, t, y = torch.randn(4, *DIGITS), torch.tensor([0.0, 10, 500, 999]), torch.tensor([0, 3, 5, 9])
    with torch.no_grad():
        theirs = model.float().eval()(x, t, class_labels=y).sample
        ours = loaded(identity, weights)(x, t, torch.nn.functional.one_hot(y, 10).float())
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_the_documented_command_makes_safetensors_of_other_files(tmp_path):
    library = pytest.importorskip("diffusers", reason="diffusers is not installed")
    folder = tmp_path / "hub/unet"
    model = library.UNet2DModel.from_pretrained(FOLDER / "unet", local_files_only=True)
    model.save_pretrained(folder, safe_serialization=False, max_shard_size="50KB")
    shutil.copytree(FOLDER / "scheduler", tmp_path / "hub/scheduler")
    with pytest.raises(ValueError, match=r"but config\.json, .*\.bin, .* and 3 more; expected"):
        read(made(path=tmp_path / "hub"))
    (command,) = re.findall(r'^python -c "(import sys; from diffusers .*?)" \S+$', DOCS, re.DOTALL | re.MULTILINE)  # fmt: skip
    run(command, "hub/unet", tmp_path)
    assert same(read(made(path=tmp_path / "hub")), read(made()))


def test_all_settings_are_documented():
    known = {*_unet2d.SETTINGS, *_scheduler.SETTINGS, *_scheduler.SAMPLING, *_scheduler.SCHEDULERS}
    assert {name for name in known - {"_class_name"} if f"`{name}`" not in DOCS} == set()


def test_the_schedulers_defaults_are_those_of_diffusers():
    library = pytest.importorskip("diffusers", reason="diffusers is not installed")
    for name, ends in _scheduler.SCHEDULERS.items():
        config = getattr(library, name)().config
        assert (config["beta_start"], config["beta_end"]) == ends
        assert config["beta_schedule"] == "linear" and config["prediction_type"] == "epsilon"
        known = _scheduler.SETTINGS.keys() | set(_scheduler.SAMPLING)
        assert {key for key in config if not key.startswith("_")} <= known, name


def test_the_settings_are_those_of_diffusers():
    library = pytest.importorskip("diffusers", reason="diffusers is not installed")
    config = library.UNet2DModel(block_out_channels=(32, 32, 32, 32)).config
    assert {key for key in config if not key.startswith("_")} == set(_unet2d.SETTINGS) - {"_class_name"}  # fmt: skip
    assert {key: config[key] for key in _unet2d.DEFAULTS} == _unet2d.DEFAULTS


# --- the way back ----------------------------------------------------------------------------------


def outputs(folder):
    return {
        "index": folder / "model_index.json",
        "unet": folder / "unet/diffusion_pytorch_model.safetensors",
        "config": folder / UNET,
        "scheduler": folder / SCHEDULER,
    }


def trained(identity, path):
    """A checkpoint of random weights."""
    weights = building.build_network(identity, DIGITS, 10).state_dict()
    state = {"identity": identity, "seed": 0, "epoch": 1, "status": "ok", "average": weights}
    checkpoints.save(path, state | {"shape": list(DIGITS), "num_classes": 10})
    return weights


@pytest.mark.parametrize(
    ("kind", "schedule", "conditional"),
    [("unet", "linear", False), ("unet", "sigmoid", True), ("diffusers_unet", "cosine", True)],
)
def test_a_model_comes_back_from_where_it_is_exported_to(tmp_path, kind, schedule, conditional):
    identity = made(kind, schedule, conditional, path=tmp_path / "out")
    weights = trained(identity, tmp_path / "c.pt")
    external.export(checkpoint=tmp_path / "c.pt", identity=identity, seed=0, **outputs(tmp_path / "out"))  # fmt: skip
    result = read(identity)
    assert same(result, weights)
    if not conditional:
        identity["process"] |= {"prediction": "v"}
        trained(identity, tmp_path / "c.pt")
        external.export(checkpoint=tmp_path / "c.pt", identity=identity, seed=0, **outputs(tmp_path / "out"))  # fmt: skip
        assert json.loads((tmp_path / "out" / SCHEDULER).read_text())["prediction_type"] == "v_prediction"  # fmt: skip
    before = (tmp_path / "out" / WEIGHTS).read_bytes()
    external.export(checkpoint=tmp_path / "c.pt", identity=identity, seed=0, **outputs(tmp_path / "out"))  # fmt: skip
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == before


@pytest.mark.parametrize(
    ("network", "message"),
    [({"width": 16, "multipliers": [1, 1]}, "norms with different groups; expected a number of groups"),
     ({"width": 8, "groups": 4, "scale_shift": True}, "scale_shift True; expected False"),
     ({"width": 8, "groups": 4, "resampling": "residual"}, "resampling 'residual'; expected 'conv'")],
)  # fmt: skip
def test_a_network_that_diffusers_lacks_is_named(tmp_path, network, message):
    identity = made("unet", **{"multipliers": [1, 2], "blocks": 1} | network)
    trained(identity, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=f"c.pt: network has {message}"):
        external.export(
            checkpoint=tmp_path / "c.pt", identity=identity, seed=0, **outputs(tmp_path)
        )


def test_what_would_be_exported_as_something_else_is_named(tmp_path):
    identity = made("unet")
    identity |= {"process": identity["process"] | {"variance": "learned_range"}}
    trained(identity, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"c\.pt: variance learned_range; expected fixed for diff"):
        external.export(
            checkpoint=tmp_path / "c.pt", identity=identity, seed=0, **outputs(tmp_path)
        )


def test_diffusers_reads_what_is_exported(tmp_path):
    library = pytest.importorskip("diffusers", reason="diffusers is not installed")
    identity = made("unet", "linear", path=tmp_path)
    weights = trained(identity, tmp_path / "c.pt")
    external.export(checkpoint=tmp_path / "c.pt", identity=identity, seed=0, **outputs(tmp_path))
    pipeline = library.DDPMPipeline.from_pretrained(tmp_path)
    x, t, y = torch.randn(4, *DIGITS), torch.tensor([0.0, 10, 500, 999]), torch.tensor([0, 3, 5, 9])
    with torch.no_grad():
        theirs = pipeline.unet.eval()(x, t, class_labels=y).sample
        ours = loaded(identity, weights)(x, t, torch.nn.functional.one_hot(y, 10).float())
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)
    levels = building.build_family(identity).alphas_cumprod
    torch.testing.assert_close(pipeline.scheduler.alphas_cumprod.double(), levels, rtol=1e-4, atol=1e-7)  # fmt: skip


# --- EDM -------------------------------------------------------------------------------------------


def of_edm(name):
    """Recorded weights of EDM as its files have them, and the identity of the model."""
    case = CASES[name]
    with np.load(DATA / f"networks_{name}.npz") as file:
        arrays = dict(file)
    weights = {f"model.{n}": w for n, w in recorded_weights(case, arrays).items()}
    if "frequencies" in arrays:
        weights["model.map_noise.freqs"] = torch.from_numpy(arrays["frequencies"])
    options = components.resolve("networks", "song_unet", case["options"], "n")
    taps = torch.tensor(options["resample_filter"], dtype=torch.float32)
    weights["model.enc.8x8_down.conv0.resample_filter"] = (torch.outer(taps, taps) / taps.sum() ** 2)[None, None]  # fmt: skip
    identity = {
        "process": {"kind": "continuous", "preconditioning": "edm"},
        "network": {"kind": "song_unet"} | options,
        "conditional": bool(case["num_classes"]),
    }
    return case, arrays, weights, identity


def stored(**settings):
    """Metadata of a file as the documented command writes it."""
    return {"edm": json.dumps({"class": "EDMPrecond", "model_type": "SongUNet"} | settings)}


@pytest.mark.parametrize("name", SONG)
def test_weights_of_edm_say_what_they_say_there(tmp_path, name):
    case, arrays, weights, identity = of_edm(name)
    path, shape = tmp_path / "edm.safetensors", tuple(case["shape"])
    save_file(weights, path, stored())
    network = build("song_unet", shape, case["num_classes"], **case["options"])
    network.load_state_dict(edm.edm(identity, shape, network.state_dict(), path=str(path)))
    inputs = {
        k: torch.from_numpy(v) for k, v in arrays.items() if k in ("labels", "augment_labels")
    }
    with torch.no_grad():
        x, noise = (torch.from_numpy(arrays[key]).float() for key in ("x", "noise"))
        result = network.eval()(x, noise, **{k: v.float() for k, v in inputs.items()})
    torch.testing.assert_close(result, torch.from_numpy(arrays["out"]), rtol=2e-4, atol=2e-4)


@pytest.fixture
def theirs(tmp_path):
    """Weights of EDM, and the message about a file with them changed."""
    case, _, weights, identity = of_edm("edm_ddpmpp_uncond")
    path, own = tmp_path / "edm.safetensors", tuple(case["shape"])
    ours = build("song_unet", own, 0, **case["options"]).state_dict()

    def message(changed, metadata=None, shape=own, **other):
        save_file(changed, path, metadata)
        with pytest.raises(ValueError, match=r"edm\.safetensors: ") as error:
            edm.edm(identity | other, shape, ours, path=str(path))
        return str(error.value)

    return weights, message


def test_a_key_map_that_does_not_fit_is_named(theirs):
    weights, message = theirs
    first = "model.enc.16x16_conv.bias"
    assert "unexpected: other.weight [1]" in message(weights | {"model.other.weight": torch.zeros(1)})  # fmt: skip
    assert "missing: stem.bias [8]" in message({n: w for n, w in weights.items() if n != first})
    assert "of another shape: enc.16x16_conv.bias [3], expected [8]" in message(weights | {first: torch.zeros(3)})  # fmt: skip
    assert "no enc.…_conv; expected weights of EDM's SongUNet" in message({"a": torch.zeros(1)})
    assert "images of 16×16; the study's dataset has [3, 32, 32]" in message(weights, shape=(3, 32, 32))  # fmt: skip
    assert "expected network 'song_unet', got network 'unet'" in message(
        weights, network={"kind": "unet"}
    )
    assert "expected process 'continuous', got process 'discrete'" in message(
        weights, process={"kind": "discrete"}
    )


def test_two_keys_for_one_place_are_named(theirs):
    weights, message = theirs
    again = weights["model.dec.16x16_aux_norm.weight"].clone()  # as a decoder of another type has
    assert "unexpected: dec.8x8_aux_norm.weight [" in message(weights | {"model.dec.8x8_aux_norm.weight": again})  # fmt: skip


def test_another_filter_is_named(theirs):
    weights, message = theirs
    other = {n: torch.ones(1, 1, 4, 4) / 16 for n in weights if n.endswith("resample_filter")}
    assert "8x8_down.conv0.resample_filter is [1, 1, 4, 4] [0.25, 0.25, 0.25, 0.25]; expected [0.5, 0.5], the network's resample_filter [1, 1]" in message(weights | other)  # fmt: skip


def test_another_preconditioning_is_named(theirs):
    weights, message = theirs
    assert "class 'VPPrecond'; the study's preconditioning 'edm' is EDMPrecond" in message(weights, {"edm": json.dumps({"class": "VPPrecond"})})  # fmt: skip
    assert "class None; the study's preconditioning" in message(weights, {"edm": "{}"})
    assert "sigma_data 1.0 is not supported; expected 0.5" in message(weights, stored(sigma_data=1.0))  # fmt: skip
    assert "model_type 'DhariwalUNet' is not supported" in message(weights, stored(model_type="DhariwalUNet"))  # fmt: skip
    assert "metadata edm '[1'; expected a JSON object" in message(weights, {"edm": "[1"})
    vp = {"process": {"kind": "continuous", "preconditioning": "vp"}}
    assert "M 100 is not supported; expected 1000" in message(weights, {"edm": json.dumps({"class": "VPPrecond", "M": 100})}, **vp)  # fmt: skip


def test_a_file_without_a_preconditioning_is_taken_at_the_studys_word(tmp_path, capsys):
    case, _, weights, identity = of_edm("edm_ddpmpp_uncond")
    ours = build("song_unet", case["shape"], 0, **case["options"]).state_dict()
    save_file(weights, tmp_path / "edm.safetensors")
    edm.edm(identity, case["shape"], ours, path=str(tmp_path / "edm.safetensors"))
    assert "no preconditioning recorded; assuming edm" in capsys.readouterr().out


@pytest.mark.parametrize("write", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_a_pickle_of_edm_is_named_with_the_way_out(tmp_path, write):
    path = tmp_path / "edm.pkl"
    with path.open("wb") as file:
        write({"ema": [0.0] * 100}, file)
    *_, identity = of_edm("edm_ddpmpp_uncond")
    with pytest.raises(ValueError, match=r"edm\.pkl: \d+ bytes, (a pickle|a zip archive).*; expected safetensors: docs/external\.md has the command") as error:  # fmt: skip
        edm.edm(identity, (3, 16, 16), {}, path=str(path))
    assert "delete" not in str(error.value)


class EDMPrecond(torch.nn.Module):
    """A stand-in for the network in a pickle of EDM: its state, and what it was made with."""

    def __init__(self, weights):
        super().__init__()
        self.weights, self.init_kwargs = weights, {"sigma_data": 0.5, "model_type": "SongUNet"}

    def state_dict(self):
        return self.weights


def test_the_documented_command_makes_a_file_that_is_read(tmp_path, capsys):
    case, _, weights, identity = of_edm("edm_ddpmpp_uncond")
    with (tmp_path / "their.pkl").open("wb") as file:
        pickle.dump({"ema": EDMPrecond(weights)}, file)
    (command,) = re.findall(r'^python -c "(import json, pickle.*?)" \S+\.pkl$', DOCS, re.DOTALL | re.MULTILINE)  # fmt: skip
    run(command, "their.pkl", tmp_path)
    ours = build("song_unet", case["shape"], 0, **case["options"]).state_dict()
    path = tmp_path / "edm.safetensors"
    assert edm.edm(identity, case["shape"], ours, path=str(path)).keys() == ours.keys()
    assert not capsys.readouterr().out  # the file says its preconditioning
    vp = identity | {"process": {"kind": "continuous", "preconditioning": "vp"}}
    with pytest.raises(ValueError, match="class 'EDMPrecond'; the study's preconditioning 'vp' is"):
        edm.edm(vp, case["shape"], ours, path=str(path))


# --- as a checkpoint -------------------------------------------------------------------------------


def test_it_is_drawn_from_like_a_trained_model(tmp_path):
    digits(tmp_path / "data")
    identity = made()
    checkpoint = tmp_path / "epoch-1.pt"
    external.run(
        identity=identity, seed=0, epoch=1, dataset=tmp_path / "data",
        checkpoint=checkpoint, history=tmp_path / "epoch-1.json",
    )  # fmt: skip
    sampler = resolved("discrete", {"kind": "ddim", "num_steps": 3, "times": "ddim"})
    job.run(
        checkpoint=checkpoint, identity=identity, seed=0, sampler=sampler, draw=0, num_images=4,
        samples=tmp_path / "s.npz", record=tmp_path / "s.json", threads=1,
    )  # fmt: skip
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["status"] == "ok" and record["nfe"] == 3 and record["images_seen"] is None
    before = checkpoint.read_bytes()
    external.run(
        identity=identity, seed=0, epoch=1, dataset=tmp_path / "data",
        checkpoint=checkpoint, history=tmp_path / "epoch-1.json",
    )  # fmt: skip
    assert checkpoint.read_bytes() == before
