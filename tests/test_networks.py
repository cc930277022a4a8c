"""The networks equal recorded outputs of the published ones, and have their parameter counts."""

import importlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from uncanny.interop.formats import edm
from uncanny.networks.encoder_unet import encoder_unet
from uncanny.networks.layers import FilterDown, FilterUp, PositionalEmbedding
from uncanny.networks.mlp import mlp
from uncanny.networks.refinenet import InstanceNormPlus, refinenet
from uncanny.networks.song_encoder import song_encoder
from uncanny.networks.song_unet import song_unet
from uncanny.networks.unet import unet

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "networks.json").read_text())
SONG = [name for name, case in CASES.items() if case["kind"] == "song_unet"]
CONDITIONAL = [name for name in CASES if name.endswith("_cond")]
DENOISERS = [name for name in CASES if name != "guided_classifier"]
NCSNPP = {"embedding": "fourier", "encoder": "residual", "resample_filter": [1, 3, 3, 1]}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(kind, shape, num_classes, out_channels=None, **options):
    factory = getattr(importlib.import_module(f"uncanny.networks.{kind}"), kind)
    return factory(shape, num_classes, *([out_channels] if out_channels else []), **options)


def shaken(network, seed=0):
    """The network in eval mode with random weights everywhere: the zero layers hide errors."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            fan_in = math.prod(weight.shape[1:]) if weight.ndim > 1 else 10
            weight.add_(torch.randn(weight.shape, generator=generator) / fan_in**0.5)
    return network.eval()


# --- recorded networks -----------------------------------------------------------------------


def song_rules(case):
    return edm.rules(case["shape"][1], len(case["options"]["multipliers"]))


def guided_rules(case):
    per_level = case["options"]["blocks"] + 1

    def decoder(match, part):
        level, block = divmod(int(match[1]), per_level)
        return f"decoder.{level}." + (f"blocks.{block}" if part == "block" else "up")

    return [
        (r"time_embed\.([02])", lambda m: f"embedding.map{int(m[1]) // 2}"),
        (r"label_emb", "embedding.label"),
        (r"input_blocks\.0\.0", "encoder.stem"),
        (r"input_blocks\.(\d+)\.0\.(op)?", lambda m: f"encoder.body.{int(m[1]) - 1}"),
        (r"input_blocks\.(\d+)\.1\.", lambda m: f"encoder.body.{int(m[1]) - 1}.attention"),
        (r"middle_block\.0\.", "encoder.middle.0"),
        (r"middle_block\.1\.", "encoder.middle.0.attention"),
        (r"middle_block\.2\.", "encoder.middle.1"),
        (r"output_blocks\.(\d+)\.0\.", lambda m: decoder(m, "block")),
        (r"output_blocks\.(\d+)\.1\.(?=norm|qkv|proj)",
         lambda m: decoder(m, "block") + ".attention"),
        (r"output_blocks\.(\d+)\.[12]\.(conv)?", lambda m: decoder(m, "up")),
        (r"in_layers\.0", ".norm0"),
        (r"in_layers\.2", ".conv0"),
        (r"emb_layers\.1", ".affine"),
        (r"out_layers\.0", ".norm1"),
        (r"out_layers\.3", ".conv1"),
        (r"skip_connection", ".skip"),
        (r"(norm|qkv|proj)(_out)?(?=\.)", r".\1"),
        (r"out\.0", "norm"),
        (r"out\.2\.positional_embedding", "pool.position"),
        (r"out\.2\.qkv_proj", "pool.qkv"),
        (r"out\.2\.c_proj", "pool.proj"),
        (r"out\.2", "head"),
        *edm.ENDS,
    ]  # fmt: skip


def adm_rules(_case):
    """One level: its blocks up and down are of the same resolution."""
    return [
        (r"map_(label)", r"embedding.\1"),
        (r"map_layer(\d)", r"embedding.map\1"),
        (r"enc\.\d+x\d+_conv", "encoder.stem"),
        (r"enc\.\d+x\d+_block(\d+)\.", r"encoder.body.\1."),
        (r"dec\.\d+x\d+_in(\d)\.", r"encoder.middle.\1."),
        (r"dec\.\d+x\d+_block(\d+)\.", r"decoder.0.blocks.\1."),
        (r"out_norm", "norm"),
        (r"out_conv", "head"),
        (r"norm2", "attention.norm"),
        (r"(qkv|proj)", r"attention.\1"),
        (r"(norm[01]|conv[01]|affine|skip)", r"\1"),
        *edm.ENDS,
    ]


def ncsnv2_rules(_case):
    def unit(match):
        return f"convs.{2 * int(match[1]) + int(match[2]) - 3}"

    return [
        (r"begin_conv", "stem"),
        (r"normalizer", "norm"),
        (r"end_conv", "head"),
        (r"res(\d)\.(\d)\.", lambda m: f"stages.{int(m[1]) - 1}.{m[2]}."),
        (r"(normalize|conv)([12])(\.conv)?", lambda m: f"{m[1][:4]}{int(m[2]) - 1}"),
        (r"shortcut(\.conv)?", "skip"),
        (r"refine(\d)\.", lambda m: f"refines.{int(m[1]) - 1}."),
        (r"adapt_convs\.(\d)\.", r"adapt.\1."),
        (r"output_convs\.", "output."),
        (r"(\d)_(\d)_conv", unit),
        (r"msf\.(convs\.\d)", r"fusion.\1"),
        (r"crp\.(convs\.\d)", r"pooling.\1"),
        *edm.ENDS,
    ]


RULES = {
    "adm_unet": adm_rules,
    "song_unet": song_rules,
    "unet": guided_rules,
    "encoder_unet": guided_rules,
    "refinenet": ncsnv2_rules,
}


def recorded_weights(case, arrays):
    """{published name: float32 tensor}; stored as the two bytes of bfloat16 numbers."""
    bits = (arrays["weight_high"].astype(np.uint32) << 8) + arrays["weight_low"]
    values = torch.from_numpy((bits << 16).view(np.float32))
    sizes = [math.prod(shape) for shape in case["weights"].values()]
    parts = values.split(sizes)
    return {
        name: part.reshape(shape)
        for (name, shape), part in zip(case["weights"].items(), parts, strict=True)
    }


def rearranged(name, value, order, heads):
    """Published axis orders -> ours: query, key, value outermost; tokens and classes as rows."""
    if name.endswith("positional_embedding") or name == "label_emb.weight":
        return value.T
    if re.search(r"\.qkv\.(weight|bias)$", name):
        rows = (-1, 3) if order == "feature" else (heads(value.shape[0] // 3), 3, -1)
        if order != "new":
            split = value.reshape(*rows, *value.shape[1:])
            return split.transpose(0, 1).reshape(value.shape)
    return value


def load_case(name):
    case = CASES[name]
    with np.load(DATA / f"networks_{name}.npz") as file:
        arrays = dict(file)
    network = build(
        case["kind"], case["shape"], case["num_classes"], case["out_channels"], **case["options"]
    )
    load_weights(network, case, recorded_weights(case, arrays))
    if "frequencies" in arrays:
        network.embedding.features.frequencies.copy_(torch.from_numpy(arrays["frequencies"]))
    inputs = {k: torch.from_numpy(v) for k, v in arrays.items() if not k.startswith("weight")}
    return network.eval(), inputs


def load_weights(network, case, published):
    """Copy every published tensor into exactly one of ours, of the same shape up to unit axes."""
    ours, used = dict(network.named_parameters()), set()
    rules, options = RULES[case["kind"]](case), case["options"]

    def heads(channels):
        per_head = options.get("head_channels")
        return channels // per_head if per_head else options.get("heads", 1)

    for name, value in published.items():
        target = edm.rename(name, rules)
        value = rearranged(name, value, case["qkv_order"], heads)
        assert target not in used, target
        assert [s for s in ours[target].shape if s > 1] == [s for s in value.shape if s > 1], name
        with torch.no_grad():
            ours[target].copy_(value.reshape(ours[target].shape))
        used.add(target)
    assert used == set(ours)


def call(network, inputs, dtype=torch.float32, skip=()):
    names = [n for n in ("labels", "augment_labels") if n in inputs and n not in skip]
    noise = inputs["noise"].to(dtype) if "noise" in inputs else None
    with torch.no_grad():
        keywords = {n: inputs[n].to(dtype) for n in names}
        return network(inputs["x"].to(dtype), noise, **keywords)


def assert_close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", DENOISERS)
def test_float64_output_equals_the_recorded_one(name):
    network, inputs = load_case(name)
    assert_close(call(network.double(), inputs, torch.float64), inputs["out_exact"], 1e-9)


@pytest.mark.parametrize("name", DENOISERS)
def test_float32_output_equals_the_recorded_one(name):
    network, inputs = load_case(name)
    assert_close(call(network, inputs), inputs["out"], 2e-4)


@pytest.mark.parametrize("name", [name for name in CONDITIONAL if name in SONG])
def test_augmentation_labels_may_be_left_out(name):
    network, inputs = load_case(name)
    out = call(network, inputs, skip=["augment_labels"])
    assert_close(out, inputs["out_no_augment"], 2e-4)
    assert (out - inputs["out"]).abs().max() > 0.01


@pytest.mark.parametrize("name", CONDITIONAL)
def test_missing_labels_are_a_row_of_zeros(name):
    network, inputs = load_case(name)
    zeros = inputs | {"labels": torch.zeros_like(inputs["labels"])}
    assert torch.equal(call(network, inputs, skip=["labels"]), call(network, zeros))
    assert (call(network, zeros) - call(network, inputs)).abs().max() > 0.01


def float32_table(self, like):
    """The frequencies as the published classifier rounds them."""
    k = torch.arange(self.half, dtype=torch.float32)
    return torch.exp(-math.log(10000) * k / self.half).to(like.dtype)


@pytest.mark.parametrize(
    ("dtype", "suffix", "tolerance"), [(torch.float32, "", 2e-4), (torch.float64, "_f64", 1e-9)]
)
def test_classifier_logits_and_input_gradient(monkeypatch, dtype, suffix, tolerance):
    monkeypatch.setattr(PositionalEmbedding, "frequencies", float32_table)
    network, inputs = load_case("guided_classifier")
    x = inputs["x"].to(dtype).requires_grad_()
    logits = network.to(dtype)(x, inputs["noise"].to(dtype))
    chosen = logits.log_softmax(1).gather(1, inputs["y"][:, None])
    (gradient,) = torch.autograd.grad(chosen.sum(), x)
    assert_close(logits.detach(), inputs["out" + suffix], tolerance)
    assert_close(gradient, inputs["gradient" + suffix], tolerance)


@pytest.mark.parametrize("name", CASES)
def test_recorded_parameter_counts(name):
    case = CASES[name]
    parts = case["kind"], case["shape"], case["num_classes"], case["out_channels"]
    with torch.device("meta"):
        network = build(*parts, **case["options"])
    assert sum(weight.numel() for weight in network.parameters()) == case["parameters"]


# --- parameter counts ------------------------------------------------------------------------

SHIFT4 = {"scale_shift": True, "heads": 4}
IMPROVED = SHIFT4 | {"blocks": 3, "attention": [16, 8]}
WIDE = {"multipliers": [1, 2, 2, 2]}
TINY = {"width": 32, "blocks": 1}


def song(count_ddpmpp, count_ncsnpp, size=32, classes=0, **options):
    """One row for each of the two settings."""
    return [
        ("song_unet", size, classes, options, count_ddpmpp),
        ("song_unet", size, classes, options | NCSNPP, count_ncsnpp),
    ]


COUNTS = [
    # DDPM
    ("unet", 32, 0, {}, 35_746_307),
    ("unet", 64, 0, {}, 35_746_307),
    ("unet", 32, 0, SHIFT4, 38_307_203),
    ("unet", 64, 0, SHIFT4, 38_307_203),
    ("unet", 32, 0, SHIFT4 | {"attention": [16, 8]}, 39_625_603),
    ("unet", 32, 0, IMPROVED, 52_542_979),
    ("unet", 32, 10, IMPROVED, 52_548_099),
    ("unet", 32, 0, IMPROVED | {"resampling": "residual"}, 57_091_203),
    ("unet", 32, 0, {"scale_shift": True, "blocks": 4}, 63_087_235),
    ("unet", 64, 0, SHIFT4 | {"multipliers": [1, 2, 3, 4], "attention": [16, 8]}, 92_025_731),
    ("unet", 128, 0, SHIFT4 | {"multipliers": [1, 1, 2, 3, 4], "attention": [16, 8]}, 94_997_763),
    ("unet", 32, 0, {"width": 64}, 8_952_067),
    ("unet", 32, 0, TINY, 1_525_411),
    ("unet", 16, 0, TINY | {"multipliers": [1, 2, 2], "attention": [8]}, 1_113_955),
    ("unet", 8, 0, TINY | {"multipliers": [1, 2], "attention": [4]}, 702_499),
    # DDPM++ and NCSN++
    *song(55_732_739, 56_395_523),
    *song(55_734_147, 56_398_339, classes=10),
    *song(55_733_891, 56_397_827, augment_dim=9),
    *song(55_735_299, 56_400_643, classes=10, augment_dim=9),
    *song(61_804_419, 62_758_787, **WIDE),
    *song(61_804_419, 62_758_787, size=64, **WIDE),
    *song(61_805_571, 62_761_091, size=64, augment_dim=9, **WIDE),
    *song(61_932_547, 63_015_043, size=64, classes=1000, **WIDE),
    *song(79_981_955, 81_526_403, size=128, multipliers=[1, 2, 2, 2, 2]),
    *song(8_797_187, 8_964_739, width=64, blocks=2),
    *song(8_797_891, 8_966_147, classes=10, width=64, blocks=2),
    *song(1_260_547, 1_284_035, multipliers=[1, 2, 2], **TINY),
    *song(1_260_899, 1_284_739, classes=10, multipliers=[1, 2, 2], **TINY),
    *song(1_260_547, 1_284_035, size=16, multipliers=[1, 2, 2], attention=[8], **TINY),
    *song(749_891, 754_883, size=8, multipliers=[1, 2], attention=[4], **TINY),
    # ADM of EDM
    ("adm_unet", 64, 1000, {}, 295_899_267),
    ("adm_unet", 64, 0, {}, 295_131_267),
    # noisy classifier
    ("encoder_unet", 32, 10, {}, 7_553_802),
    ("encoder_unet", 32, 1000, {}, 7_808_232),
    ("encoder_unet", 32, 10, {"pool": "adaptive"}, 7_339_786),
    ("encoder_unet", 32, 10, TINY | {"head_channels": 32}, 1_369_610),
    # NCSNv2
    ("refinenet", 32, 0, {}, 29_694_083),
    ("refinenet", 64, 0, {}, 29_694_083),
    ("refinenet", 256, 0, {"multipliers": [1, 2, 2, 2, 4, 4]}, 94_132_611),
    ("refinenet", 32, 0, {"width": 64}, 7_429_187),
    ("refinenet", 8, 0, {"width": 32}, 1_860_131),
]


@pytest.mark.parametrize(("kind", "size", "classes", "options", "count"), COUNTS)
def test_parameter_count(kind, size, classes, options, count):
    with torch.device("meta"):
        network = build(kind, (3, size, size), classes, **options)
    assert sum(weight.numel() for weight in network.parameters()) == count


def test_adm_is_the_guided_unet():
    """Beyond its own embedding: blocks, skips and resampling are those of `unet`."""
    size = {"width": 32, "multipliers": [1, 2], "blocks": 2, "attention": [8], "head_channels": 16}
    guided = {"scale_shift": True, "resampling": "residual"}
    adm = shaken(build("adm_unet", (3, 16, 16), 4, **size, dropout=0.0))
    other = build("unet", (3, 16, 16), 4, **size, **guided, dropout=0.0).eval()
    other.load_state_dict(adm.state_dict())
    x, noise = torch.randn(2, 3, 16, 16), torch.tensor([0.1, 3.0])
    labels = torch.eye(4)[:2]
    assert torch.equal(adm(x, noise, labels), other(x, noise, labels))


def test_adm_takes_augmentation_labels():
    size = {"width": 32, "multipliers": [1], "blocks": 1, "attention": [], "dropout": 0.0}
    network = shaken(build("adm_unet", (3, 8, 8), 0, **size, head_channels=16, augment_dim=9))
    x, noise = torch.randn(2, 3, 8, 8), torch.tensor([0.1, 3.0])
    with_labels = network(x, noise, None, torch.ones(2, 9))
    assert not torch.allclose(with_labels, network(x, noise))
    assert torch.equal(network(x, noise, None, torch.zeros(2, 9)), network(x, noise))


@pytest.mark.parametrize(("classes", "count"), [(0, 52_546_438), (1000, 53_058_438)])
def test_parameter_count_with_learned_variance(classes, count):
    with torch.device("meta"):
        network = unet((3, 32, 32), classes, 6, **IMPROVED)
    assert sum(weight.numel() for weight in network.parameters()) == count


PLAIN = {"blocks": 2} | WIDE
PHASE_SPACE_COUNTS = [
    (6, 6, 32, {"blocks": 8} | NCSNPP, 97_627_782),
    (6, 3, 32, {"blocks": 8} | NCSNPP, 97_620_867),
    (6, 6, 32, {}, 55_743_110),
    (6, 6, 32, PLAIN, 39_397_254),
    (6, 3, 32, PLAIN, 39_393_795),
    (3, 3, 32, PLAIN, 39_390_339),
    (6, 6, 64, WIDE | NCSNPP, 62_769_158),
    (6, 6, 64, {"multipliers": [1, 1, 2, 2, 2]}, 66_722_182),
    (6, 6, 128, PLAIN | {"multipliers": [1, 2, 2, 2, 3]}, 65_816_582),
    (6, 6, 128, PLAIN | {"width": 160, "multipliers": [1, 2, 2, 3, 3], "attention": [8, 16]},
     128_453_766),
]  # fmt: skip


@pytest.mark.parametrize(("inputs", "outputs", "size", "options", "count"), PHASE_SPACE_COUNTS)
def test_parameter_count_of_phase_space_networks(inputs, outputs, size, options, count):
    with torch.device("meta"):
        network = song_unet((inputs, size, size), 0, outputs, **options)
    assert sum(weight.numel() for weight in network.parameters()) == count


@pytest.mark.parametrize(("size", "classes", "count"), [(32, 10, 56_666_368), (128, 3, 57_761_024)])
def test_parameter_count_of_phase_space_classifiers(size, classes, count):
    with torch.device("meta"):
        network = song_encoder((6, size, size), classes)
    assert sum(weight.numel() for weight in network.parameters()) == count


# --- behaviour -------------------------------------------------------------------------------

SMALL = {"width": 16, "multipliers": [1, 2], "blocks": 1, "attention": [4]}
NETWORKS = {
    "unet": ("unet", (1, 8, 8), 4, SMALL),
    "unet_residual": ("unet", (1, 8, 8), 4, SMALL | {"resampling": "residual", "heads": 2}),
    "ddpmpp": ("song_unet", (1, 8, 8), 4, SMALL),
    "ncsnpp": ("song_unet", (1, 8, 8), 4, SMALL | NCSNPP),
    "refinenet": ("refinenet", (1, 8, 8), 0, {"width": 8, "dropout": 0.13}),
    "mlp": ("mlp", (2,), 4, {"dropout": 0.13}),
    "mlp_fourier": ("mlp", (2,), 0, {"embedding": "fourier", "fourier_scale": 1.0}),
}


def example(name, seed=0, n=3):
    kind, shape, classes, options = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(kind, shape, classes, **options)
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(n, *shape, generator=generator), torch.linspace(1, 900, n)
    labels = torch.eye(classes)[torch.arange(n)] if classes else None
    return network, x, noise, labels


@pytest.mark.parametrize("name", NETWORKS)
def test_output_has_the_shape_of_the_state(name):
    network, x, noise, labels = example(name)
    out = shaken(network)(x, noise, labels)
    assert out.shape == x.shape
    assert out.is_contiguous()
    assert out.std() > 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_samples_of_a_batch_are_independent(name):
    network, x, noise, labels = example(name)
    network = shaken(network).double()
    whole = network(x.double(), noise.double(), None if labels is None else labels.double())
    one = None if labels is None else labels[1:2].double()
    single = network(x[1:2].double(), noise[1:2].double(), one)
    assert_close(single, whole[1:2], 1e-10)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "refinenet"])
def test_output_depends_on_the_noise_condition(name):
    network, x, noise, labels = example(name)
    network = shaken(network)
    change = network(x, noise + 100, labels) - network(x, noise, labels)
    assert change.flatten(1).abs().amax(1).min() > 1e-3


def test_one_group_per_channel_would_cancel_an_additive_time_embedding():
    # With 32 groups for 32 channels, norm(h + emb) subtracts emb again in every block.
    x, times = torch.randn(2, 1, 8, 8), (torch.full((2,), 3.0), torch.full((2,), 800.0))
    options = SMALL | {"width": 32, "multipliers": [1, 1]}
    blind = shaken(unet((1, 8, 8), 0, groups=32, **options))
    seeing = shaken(unet((1, 8, 8), 0, **options))
    assert_close(blind(x, times[0]), blind(x, times[1]), 1e-4)
    assert (seeing(x, times[0]) - seeing(x, times[1])).abs().max() > 0.01


def test_refinenet_ignores_the_noise_condition_and_takes_any_resolution():
    network, x, noise, _ = example("refinenet")
    network = shaken(network)
    assert torch.equal(network(x, noise), network(x))
    for size in ((8, 8), (12, 20), (7, 9)):
        assert network(torch.rand(2, 1, *size)).shape == (2, 1, *size)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "mlp_fourier"])
def test_dropout_acts_in_training_only(name):
    network, x, noise, labels = example(name)
    network = shaken(network)
    assert torch.equal(network(x, noise, labels), network(x, noise, labels))
    network.train()
    assert not torch.equal(network(x, noise, labels), network(x, noise, labels))


@pytest.mark.parametrize("name", NETWORKS)
def test_initial_weights_depend_on_the_global_seed_only(name):
    first, second, other = (example(name, seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_receives_a_gradient(name):
    network, x, noise, labels = example(name)
    network = shaken(network)
    network(x, noise, labels).square().sum().backward()
    silent = [n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", ["unet", "ddpmpp", "ncsnpp", "mlp"])
def test_labels_reach_the_output_and_need_a_conditional_network(name):
    network, x, noise, labels = example(name)
    network = shaken(network)
    change = network(x, noise, labels.flip(0)) - network(x, noise, labels)
    assert change[0].abs().max() > 1e-3
    kind, shape, _, options = NETWORKS[name]
    with pytest.raises(ValueError, match="num_classes = 0"):
        build(kind, shape, 0, **options)(x, noise, labels)


def test_initial_scales_of_the_song_unet():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = song_unet((3, 16, 16), 0, width=64, blocks=1, attention=[8], **NCSNPP)
    block = network.encoder[1].blocks[0]
    for layer, gain in [
        (block.conv0, 1.0), (block.conv1, 1e-5), (block.affine, 1.0),
        (block.attention.qkv, 0.2**0.5), (block.attention.proj, 1e-5),
    ]:  # fmt: skip
        receptive = math.prod(layer.weight.shape[2:])
        bound = gain * math.sqrt(6 / (sum(layer.weight.shape[:2]) * receptive))
        assert bound * 0.98 < layer.weight.abs().max() <= bound
        assert not layer.bias.any()
    assert network.embedding.features.frequencies.std() == pytest.approx(16, rel=0.25)
    assert network.head.weight.abs().max() < 1e-5


def test_initial_unet_and_mlp_predict_zero():
    for name in ("unet", "unet_residual", "mlp"):
        network, x, noise, labels = example(name)
        assert not network(x, noise, labels).any()


@pytest.mark.parametrize(("pool", "silent"), [("attention", False), ("adaptive", True)])
def test_input_gradient_of_an_untrained_classifier(pool, silent):
    options = {"width": 16, "multipliers": [1, 2], "blocks": 1, "attention": [4]}
    network = encoder_unet((1, 8, 8), 10, head_channels=16, pool=pool, **options).eval()
    x = torch.randn(3, 1, 8, 8, requires_grad=True)
    chosen = network(x, torch.tensor([0.0, 10.0, 999.0])).log_softmax(1)[:, 2]
    (gradient,) = torch.autograd.grad(chosen.sum(), x)
    assert bool((gradient == 0).all()) is silent


@pytest.mark.parametrize("embedding", ["positional", "fourier"])
def test_the_song_encoder_classifies_augmented_states(embedding):
    torch.manual_seed(0)
    network = song_encoder((2, 8, 8), 10, embedding=embedding, **SMALL | {"attention": [8]}).eval()
    z, t = torch.randn(3, 2, 8, 8, requires_grad=True), torch.tensor([0.001, 0.5, 1.0])
    logits = network(z, t)
    assert logits.shape == (3, 10)
    (gradient,) = torch.autograd.grad(logits.log_softmax(1)[:, 2].sum(), z)
    assert gradient.flatten(1).any(dim=1).all()
    alone = network(z[1:2], t[1:2])
    assert_close(alone, logits[1:2], 1e-5)


def test_buffers_hold_only_what_a_checkpoint_must_keep():
    keys = song_unet((1, 8, 8), 0, **SMALL, **NCSNPP).state_dict()
    parameters = dict(song_unet((1, 8, 8), 0, **SMALL, **NCSNPP).named_parameters())
    assert set(keys) - set(parameters) == {"embedding.features.frequencies"}


def test_filters_keep_constants_inside_and_are_adjoint():
    down, up = FilterDown([1, 3, 3, 1]).double(), FilterUp([1, 3, 3, 1]).double()
    ones = torch.ones(1, 2, 8, 8, dtype=torch.float64)
    assert_close(down(ones)[..., 1:-1, 1:-1], torch.ones(1, 2, 2, 2, dtype=torch.float64), 1e-12)
    assert_close(up(ones)[..., 1:-1, 1:-1], torch.ones(1, 2, 14, 14, dtype=torch.float64), 1e-12)
    x, y = torch.randn(1, 2, 8, 8).double(), torch.randn(1, 2, 4, 4).double()
    assert_close(4 * (down(x) * y).sum(), (x * up(y)).sum(), 1e-12)


def test_instance_norm_plus_by_hand():
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64) + 2
    norm = shaken(InstanceNormPlus(5)).double()
    mean = x.mean((2, 3), keepdim=True)
    h = (x - mean) / torch.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + 1e-5)
    across = (mean - mean.mean(1, keepdim=True)) / torch.sqrt(mean.var(1, keepdim=True) + 1e-5)
    alpha, gamma, beta = (v[:, None, None] for v in (norm.alpha, norm.gamma, norm.beta))
    assert_close(norm(x), gamma * (h + alpha * across) + beta, 1e-10)


def test_channels_of_the_output_can_differ_from_the_input():
    assert unet((2, 8, 8), 0, 1, **SMALL)(torch.zeros(1, 2, 8, 8), torch.zeros(1)).shape[1] == 1
    assert mlp((4,), 0, 2)(torch.zeros(3, 4), torch.zeros(3)).shape == (3, 2)
    assert mlp((2, 4, 4), 0)(torch.zeros(3, 2, 4, 4), torch.zeros(3)).shape == (3, 2, 4, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: song_unet((1, 8, 6), 0), r"\(1, 8, 6\)"),
        (lambda: song_unet((2,), 0), r"\(2,\)"),
        (lambda: unet((1, 12, 12), 0), "H divisible by 8"),
        (lambda: unet((1, 8, 8), 0, **SMALL | {"width": 14}), "14 channels"),
        (lambda: unet((1, 8, 8), 0, **SMALL | {"heads": 3}), "heads = 3"),
        (lambda: encoder_unet((1, 8, 8), 10, **SMALL), "head_channels = 64"),
        (lambda: song_unet((1, 8, 8), 0, **SMALL, resample_filter=[1, 2, 1]), "resample_filter"),
        (lambda: mlp((2,), 0, width=63), "width 63"),
        (lambda: refinenet((1, 8, 8), 10), "unconditional"),
        (lambda: refinenet((2,), 0), r"\(2,\)"),
        (lambda: refinenet((1, 8, 8), 0, multipliers=[1, 2]), "three multipliers"),
    ],
)
def test_parts_that_do_not_fit_together_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
