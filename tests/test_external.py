"""Weights from elsewhere: a recorded model of diffusers, EDM's names, mistakes, and the way back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from test_networks import CASES, DATA, SONG, build, recorded_weights

from uncanny import checkpoints, components, external, safetensors, sampling, segments
from uncanny.datasets.digits import digits
from uncanny.externals import edm
from uncanny.externals.diffusers import diffusers

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
    ours = segments.build_network(identity, shape, 10).state_dict()
    return diffusers(identity, shape, ours, path=identity["external"]["path"])


def loaded(identity, weights):
    network = segments.build_network(identity, DIGITS, 10).eval()
    network.load_state_dict(weights)
    return network


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "folder")


def edited(path, **changes):
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in value.items() if v != "gone"}))


# --- diffusers -------------------------------------------------------------------------------------


def test_a_model_of_diffusers_says_what_it_says_there():
    identity = made()
    said = np.load(FOLDER / "said.npz")
    network = loaded(identity, read(identity))
    labels = torch.nn.functional.one_hot(torch.from_numpy(said["y"]), 10).float()
    with torch.no_grad():
        found = network(torch.from_numpy(said["x"]), torch.from_numpy(said["t"]), labels)
    torch.testing.assert_close(found, torch.from_numpy(said["out"]), rtol=1e-5, atol=1e-5)


def test_files_may_lie_in_one_folder_under_old_names(folder, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    weights = safetensors.load(folder / "unet/diffusion_pytorch_model.safetensors")
    renamed = {n.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn."): w for n, w in weights.items()}  # fmt: skip
    torch.save(renamed, flat / "diffusion_pytorch_model.bin")
    for name in ("unet/config.json", "scheduler/scheduler_config.json"):
        shutil.copy(folder / name, flat)
    found, expected = read(made(path=flat)), read(made())
    assert all(torch.equal(found[name], expected[name]) for name in expected)


UNET, SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"
MISTAKES = [
    (UNET, {"down_block_types": ["DownBlock2D", "SkipDownBlock2D"]}, r"block SkipDownBlock2D with AttnUpBlock2D is not supported; expected DownBlock2D"),
    (UNET, {"time_embedding_type": "fourier"}, r"time_embedding_type 'fourier' is not supported; expected 'positional'"),
    (UNET, {"sample_size": 32}, r"images \[1, 32, 32\]; the study's dataset has \[1, 8, 8\]"),
    (UNET, {"in_channels": 3}, r"images \[3, 8, 8\]; the study's dataset has \[1, 8, 8\]"),
    (UNET, {"out_channels": 2}, r"out_channels 2 is not supported; expected 1"),
    (UNET, {"block_out_channels": [8, 24]}, r"the study's network has multipliers \[1, 2\]; expected \{kind: diffusers_unet, width: 8, multipliers: \[1, 3\]"),
    (UNET, {"norm_eps": 1e-5}, r"the study's network has norm_eps 1e-06; expected .*norm_eps: 1e-05"),
    (SCHEDULER, {"prediction_type": "v_prediction"}, r"prediction_type 'v_prediction' is not supported; expected epsilon"),
    (SCHEDULER, {"beta_schedule": "linear"}, r"signal ᾱ is 0\.9999 at level 0; the study's schedule 'cosine' has 0\.999959"),
    (SCHEDULER, {"beta_schedule": "laplace"}, r"beta_schedule 'laplace' is not supported; expected linear"),
    (SCHEDULER, {"num_train_timesteps": 500}, r"500 noise levels; the study's process has 1000"),
    (SCHEDULER, {"rescale_betas_zero_snr": True}, r"rescale_betas_zero_snr is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "message"), MISTAKES, ids=lambda v: str(v)[:30])
def test_a_folder_that_does_not_fit_is_named(folder, name, changes, message):
    edited(folder / name, **changes)
    with pytest.raises(ValueError, match=f"{folder.name}/{name}: .*{message}"):
        read(made(path=folder))


def test_weights_that_do_not_fit_are_named(folder):
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    weights = safetensors.load(path)
    for changed, message in [
        ({n: w for n, w in weights.items() if n != "conv_in.bias"}, r"no conv_in\.bias; expected the key of encoder\.stem\.bias"),
        (weights | {"extra": torch.zeros(1)}, r"extra has no place in the study's network"),
        (weights | {"conv_in.bias": torch.zeros(9)}, r"conv_in\.bias has shape \[9\]; expected \[8\]"),
    ]:  # fmt: skip
        safetensors.save(path, changed)
        with pytest.raises(ValueError, match=message):
            read(made(path=folder))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"model\.safetensors: not a whole file of safetensors"):
        read(made(path=folder))
    path.unlink()
    with pytest.raises(ValueError, match=r"diffusion_pytorch_model\.safetensors: no such file"):
        read(made(path=folder))
    with pytest.raises(ValueError, match="nowhere: no such folder; expected one of diffusers"):
        read(made(path="nowhere"))
    with pytest.raises(ValueError, match=r"class_embedding\.weight has no place"):
        read(made(conditional=False))


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
    weights = segments.build_network(identity, DIGITS, 10).state_dict()
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
    found = read(identity)
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("network", "message"),
    [({"width": 16, "multipliers": [1, 1]}, "norms of different groups; expected groups: a number"),
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
    levels = segments.build_family(identity).alphas_cumprod
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
    identity = {
        "network": {"kind": "song_unet"} | options,
        "conditional": bool(case["num_classes"]),
    }
    return case, arrays, weights, identity


@pytest.mark.parametrize("name", SONG)
def test_weights_of_edm_say_what_they_say_there(tmp_path, name):
    case, arrays, weights, identity = of_edm(name)
    path, shape = tmp_path / "edm.safetensors", tuple(case["shape"])
    constant = {"model.enc.8x8_down.conv0.resample_filter": torch.ones(1, 1, 2, 2)}
    safetensors.save(path, weights | constant)
    network = build("song_unet", shape, case["num_classes"], **case["options"])
    network.load_state_dict(edm.edm(identity, shape, network.state_dict(), path=str(path)))
    inputs = {
        k: torch.from_numpy(v) for k, v in arrays.items() if k in ("labels", "augment_labels")
    }
    with torch.no_grad():
        x, noise = (torch.from_numpy(arrays[key]).float() for key in ("x", "noise"))
        found = network.eval()(x, noise, **{k: v.float() for k, v in inputs.items()})
    torch.testing.assert_close(found, torch.from_numpy(arrays["out"]), rtol=2e-4, atol=2e-4)


def test_a_key_map_that_does_not_fit_is_named(tmp_path):
    case, _, weights, identity = of_edm("edm_ddpmpp_uncond")
    shape, path = tuple(case["shape"]), tmp_path / "edm.safetensors"
    ours = build("song_unet", shape, 0, **case["options"]).state_dict()

    def message(changed, identity=identity, shape=shape):
        safetensors.save(path, changed)
        with pytest.raises(ValueError, match=r"edm\.safetensors: ") as error:
            edm.edm(identity, shape, ours, path=str(path))
        return str(error.value)

    first = "model.enc.16x16_conv.bias"
    assert "key other.weight has no place" in message(weights | {"model.other.weight": torch.zeros(1)})  # fmt: skip
    assert "nothing for stem.bias" in message({n: w for n, w in weights.items() if n != first})
    assert "has shape [3]; expected [8]" in message(weights | {first: torch.zeros(3)})
    assert "no enc.…_conv; expected weights of EDM's SongUNet" in message({"a": torch.zeros(1)})
    assert "images of 16×16; the study's dataset has [3, 32, 32]" in message(weights, shape=(3, 32, 32))  # fmt: skip
    other = identity | {"network": {"kind": "unet"}}
    assert "network 'unet' is not song_unet" in message(weights, other)


# --- as a checkpoint -------------------------------------------------------------------------------


def test_it_is_drawn_from_like_a_trained_model(tmp_path):
    digits(tmp_path / "data")
    identity = made()
    checkpoint = tmp_path / "epoch-1.pt"
    external.run(
        identity=identity, seed=0, epoch=1, dataset=tmp_path / "data",
        checkpoint=checkpoint, history=tmp_path / "epoch-1.json",
    )  # fmt: skip
    sampler = {"kind": "ddim", "num_steps": 3, "times": "ddim", "eta": 0.0, "clip": True, "reclip": False, "init": "noise"}  # fmt: skip
    sampling.run(
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64])
def test_safetensors_are_read_as_they_are_written(tmp_path, dtype):
    tensors = {"b": torch.arange(6).reshape(2, 3).to(dtype), "a": torch.zeros(0, 4, dtype=dtype)}
    safetensors.save(tmp_path / "x.safetensors", tensors)
    found = safetensors.load(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[n], tensors[n]) and found[n].dtype == dtype for n in found)


def test_the_library_of_safetensors_reads_ours(tmp_path):
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    tensors = {"a": torch.randn(2, 3), "b": torch.arange(4)}
    safetensors.save(tmp_path / "x.safetensors", tensors)
    found = library.load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
