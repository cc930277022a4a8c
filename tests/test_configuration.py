"""What a config may be, and the one message that says why it may not."""

import copy
import datetime
import textwrap
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from uncanny.study import checks, configuration, yaml_rules
from uncanny.study.study import Study

ROOT = Path(__file__).parent.parent
TINY = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text())
# All but the study of a checkpoint from elsewhere, whose blocks are in its files (test_checkpoint.py)
SHIPPED = sorted(set(ROOT.glob("config/*.yaml")) - {ROOT / "config/checkpoint.yaml"})


def plan(config):
    study = Study(configuration.validated(copy.deepcopy(config), ROOT))
    checks.check(study)
    return study


def changed(path, value):
    """The tiny config with the value at a path of keys replaced, added, or (None) removed."""
    config = copy.deepcopy(TINY)
    block = config
    for key in path[:-1]:
        block = block[key]
    if value is None:
        del block[path[-1]]
    else:
        block[path[-1]] = value
    return config


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configs_are_valid(path):
    assert plan(yaml.safe_load(path.read_text())).config["figures"]


IDENTITY = ("models", "vp_uncond", "identity")
PANEL = ("figures", "figure_1", "panels", 0)
PART = ("claims", "C01", "parts", "quality")
PART2 = ("claims", "C02", "parts", "quality")
MISTAKES = [
    (("num_imagse",), 40, r"num_imagse: unknown key; did you mean 'num_images'"),
    (("training", "adam", "lrr"), 1, r"training\.adam\.lrr: unknown key"),
    (("training", "adam", "lr"), "1e-4", r"training\.adam\.lr: '1e-4' is not of type 'number'.*write 0\.0001"),
    (("training", "adam", "lr"), -1.0, r"training\.adam\.lr: -1\.0 is less than or equal to the minimum of 0"),
    (("training", "adam", "batch_size"), 0, r"training\.adam\.batch_size: 0 is less than the minimum of 1"),
    (("training", "adam", "augment"), "flip", r"training\.adam\.augment: 'flip' is not one of"),
    (("study",), None, r"study: missing"),
    (("study",), "a/b", r"study: 'a/b' does not match"),
    (("seeds",), [0, 0], r"seeds: \[0, 0\] has non-unique elements"),
    (("seeds",), [], r"seeds: \[\] should be non-empty"),
    (("seeds",), ["x"], r"seeds\[0\]: 'x' is not of type 'integer'"),
    (("milestones",), [2, 1], r"milestones: 1 stands after a larger number in \[2, 1\]"),
    (("num_images",), 1_000_001, r"num_images: 1000001 is greater than the maximum"),
    (("num_images",), 1, r"num_images: 1 is less than the minimum of 2"),
    (("metrics", "is2", "splits"), 41, r"num_images: 40; metrics\.is2 \(evaluation\.digits\) needs at least 41 images \(splits = 41\)"),
    ((*IDENTITY, "network"), "unett", r"models\.vp_uncond\.identity\.network: 'unett' is not defined in networks"),
    ((*IDENTITY, "schedule"), "cosine", r"models\.vp_uncond\.identity\.schedule: process 'vp' takes no schedule"),
    (("models", "ddpm_cosine", "identity", "schedule"), None, r"process 'ddpm' needs a schedule"),
    ((*IDENTITY, "dataset"), "cifar", r"identity\.dataset: 'cifar' is not defined in datasets"),
    ((*IDENTITY, "conditional"), "yes", r"identity\.conditional: 'yes' is not of type 'boolean'"),
    (("models", "vp uncond"), TINY["models"]["vp_uncond"], r"models: .*'vp uncond'"),
    (("models", "vp_uncond", "milestones"), [3, 1], r"models\.vp_uncond\.milestones: 1 stands after"),
    (("networks", "unet", "widht"), 8, r"networks\.unet\.widht: unknown option of 'unet'; did you mean 'width'"),
    (("networks", "unet", "kind"), "unett", r"networks\.unet\.kind: 'unett' is not one of the networks"),
    (("networks", "unet", "width"), "8", r"networks\.unet\.width: '8' is not int"),
    (("samplers", "HEUN", "num_steps"), None, r"samplers\.HEUN\.num_steps: None with grid .polynomial.; expected a number"),
    (("samplers", "HEUN", "S_chrun"), 1.0, r"samplers\.HEUN\.S_chrun: unknown option of 'heun'; did you mean 'S_churn'"),
    (("samplers", "HEUN", "grid"), "polynomail", r"samplers\.HEUN\.grid\.kind: 'polynomail' is not one of the sigma_grids"),
    (("samplers", "HEUN", "by_process"), {"edm": {}}, r"samplers\.HEUN\.by_process: 'edm' is not defined in processes"),
    (("samplers", "UNUSED"), {"kind": "heun", "rho": 7}, r"samplers\.UNUSED\.rho: unknown option"),
    ((*PANEL, "samplers"), ["HEUNN"], r"figures\.figure_1\.panels\[0\]\.samplers: 'HEUNN' is not defined in samplers"),
    ((*PANEL, "samplers"), ["DDIM"], r"sampler 'DDIM' takes eps_model, but model 'vp_uncond' gives denoiser"),
    ((*PANEL, "models"), [], r"figures\.figure_1\.panels\[0\]\.models: \[\] should be non-empty"),
    ((*PANEL, "guidances"), ["G3"], r"panels\[0\]\.guidances: 'G3' is not defined in guidances; known: G1, G2"),
    ((*PANEL, "guidances"), ["G1"], r"'G1' cannot guide sampler 'HEUN' of model 'vp_uncond'"),
    (("guidances", "G1", "classifier"), "noisi", r"guidances\.G1\.classifier: 'noisi' is not defined in classifiers; did you"),
    (("guidances", "G1", "scale"), "1e1", r"guidances\.G1\.scale: '1e1' is not float"),
    (("guidances", "none"), {"kind": "classifier", "classifier": "noisy"}, r"guidances: .*'none'"),
    (("classifiers", "noisy", "network"), "clff", r"classifiers\.noisy\.network: 'clff' is not defined in networks"),
    (("networks", "clf", "pool"), "adaptive", r"classifiers\.untrained\.network: .*gradient is exactly 0"),
    (("sample_sizes",), [], r"sample_sizes: empty; figures\.figure_5"),
    (("key_figures",), ["figure_7"], r"key_figures: 'figure_7' is not defined in figures"),
    (("sample_sizes",), [30, 20], r"sample_sizes: 20 stands after a larger number"),
    (("timing",), {"batches": 1}, r"timing\.batches: 1 is less than the minimum of 5"),
    (("tables", "table_1", "kind"), "sampler", r"tables\.table_1\.kind: 'sampler' is not one of the tables"),
    (("tables", "table_1", "samplers"), ["HEUM"], r"tables\.table_1\.samplers: 'HEUM' is not defined in samplers"),
    (("tables", "table_2", "training"), ["vp"], r"tables\.table_2\.training: 'vp' is not defined in models"),
    (("tables", "table_2", "options"), {"layout": "rows"}, r"tables\.table_2\.layout: unknown option of 'times'"),
    ((*PART, "kind"), "superiour", r"claims\.C01\.parts\.quality.*'superiour' is not one of the claims"),
    ((*PART, "kind"), "time_ratio", r"quality\.options\.metric: unknown option of 'time_ratio'"),
    ((*PART, "cells", "c"), {"models": ["vp_uncond"], "samplers": ["EUL"]}, r"quality\.cells: selections .*; expected a, b"),
    ((*PART, "cells", "a", "samplers"), ["DDIM"], r"sampler 'DDIM' takes eps_model"),
    ((*PART, "options"), {"margin": 1}, r"quality\.options\.margin: unknown option of 'superior'"),
    (("claims", "C01", "not_testable"), "too hard", r"claims\.C01: has parts and not_testable; expected one of parts, not_testable"),
    (("claims", "C01", "scaled"), True, r"claims\.C01\.scaled: unknown key; `scale: published` or `scale: reduced` \(the default\) is a key of the study"),
    (("claims", "C01", "seeds"), [], r"claims\.C01\.seeds: \[\] should be non-empty"),
    (("scale",), "small", r"scale: 'small' is not one of \['published', 'reduced'\]"),
    ((*PART2, "options", "delta"), 2, r"claims\.C02\.parts\.quality\.options\.delta: 2 means 200 % of the mean; expected a share; for 2 % write 0\.02"),
    (("claims", "C01", "premise"), "quantity", r"claims\.C01\.premise: 'quantity'; expected one of its parts: quality"),
    ((*PART, "cells"), None, r"claims\.C01\.parts\.quality: has none of its keys; expected one of cells, sizes, timings, reports"),
    ((*PART, "options", "per"), "models", r"quality\.options\.per: 'models' is not one of"),
    ((*PART, "options", "require"), "most", r"quality\.options\.require: 'most' is not one of all, any \| int"),
    ((*PANEL, "metric"), "fid", r"figures\.figure_1\.panels\[0\]\.metric: 'fid' is not measured on 'digits'"),
    (("figures", "figure_5", "options"), {"one_split": "is1"}, r"figures\.figure_5\.options\.one_split: 'is1' is not measured"),
    (("figures", "figure_1", "options"), {"metric": "kid"}, r"figures\.figure_1\.options\.metric: expected next to options"),
    ((*PANEL, "epochs"), [20_000], r"panels\[0\]\.epochs: epoch 20000 is 20000 training jobs of segment_epochs: 1 away"),
    (("tables", "table_1", "models"), None, r"tables\.table_1\.models: missing; kind 'sampler_parameters' shows them"),
    (("tables", "table_2"), {"kind": "times", "title": "Times"}, r"tables\.table_2\.training: missing; kind 'times' shows them"),
    (("samplers", "DDIM", "num_steps"), 1001, r"samplers\.DDIM\.num_steps: 1001; expected at most the levels of 'ddpm', 1000"),
    (("samplers", "HEUN", "num_steps"), 1, r"samplers\.HEUN\.num_steps: 1; expected at least 2"),
    (("samplers", "EUL"), {"kind": "euler", "num_steps": 4, "grid": "ve", "sigma_min": 9.0, "sigma_max": 1.0}, r"samplers\.EUL\.sigma_max: 1\.0; expected more than sigma_min, which is 9\.0"),
    (("metrics", "precision", "k"), 40, r"num_images: 40; metrics\.precision \(evaluation\.digits\) needs at least 41 images \(k = 40\)"),
    (("networks", "unet", "dropout"), 1.0, r"networks\.unet\.dropout: 1\.0; expected a number in \[0, 1\)"),
    (("networks", "unet", "multipliers"), [], r"networks\.unet\.multipliers: \[\]; expected at least one entry"),
    (("networks", "unet", "multipliers"), [1, 0], r"networks\.unet\.multipliers\[1\]: 0; expected a number in \[1, 1000\]"),
    (("training", "adam", "ema"), {"kind": "halflife"}, r"training\.adam\.ema\.halflife_images: missing"),
    (("training", "adam", "ema"), {"kind": "halflife", "halflife_images": 9, "beta": 0.9}, r"training\.adam\.ema\.beta: does not go with"),
    (("training", "adam", "ema"), {"beta": 0.9}, r"training\.adam\.ema\.kind: missing"),
    (("training", "adam", "batch_size"), 128.0, r"training\.adam\.batch_size: 128\.0 is not of type 'integer'"),
    (("training", "adam", "lr"), float("nan"), r"training\.adam\.lr: nan; expected a finite number"),
    (("study",), "tiny\n", r"study: 'tiny\\n' does not match"),
    (("sampling_seeds",), [4294], r"sampling_seeds\[0\]: 4294 is greater than the maximum of 4293"),
    (("models", 1), TINY["models"]["vp_uncond"], r"models: the key 1 is a int, not text"),
    (("models", "vp\x00"), TINY["models"]["vp_uncond"], r"models: the key 'vp\\x00': text with"),
    (("models", "vp_uncond", "label"), "\ud800", r"models\.vp_uncond\.label: text with"),
    (("models", "vp_uncond", "label"), datetime.date(2020, 1, 2), r"models\.vp_uncond\.label: .* is a date"),
    (("seeds",), [2**63], r"seeds\[0\]: a whole number beyond"),
    (("figures", "figure_1", "panels"), [], r"figures\.figure_1\.panels: \[\] should be non-empty"),
    (("figures", "figure_1", "metric"), "fid", r"figures\.figure_1\.metric: 'fid' is not measured on 'digits'"),
    (("evaluation", "digits", "sizes"), {"fid": 5}, r"evaluation\.digits\.sizes: 'fid' is not measured on 'digits'"),
    (("evaluation", "digits", "sizes"), {"kid": 5}, r"figures\.figure_5\.metric: 'is2' is not measured on 'digits' at growing numbers of images; known: kid"),
    (("figures", "figure_1", "kind"), "curve", r"figures\.figure_1\.kind: 'curve' is not one of the figures"),
    (("figures", "fig_1"), TINY["figures"]["figure_1"], r"figures: .*'fig_1'"),
    (("evaluation", "digits", "extractor"), "cnn", r"evaluation\.digits\.extractor: 'cnn' is not defined in extractors"),
    (("evaluation", "digits", "metrics"), ["is3"], r"evaluation\.digits\.metrics: 'is3' is not defined in metrics"),
    (("extractors", "tiny_cnn", "dataset"), "cifar", r"extractors\.tiny_cnn\.dataset: 'cifar' is not defined in datasets"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES, ids=lambda v: ".".join(map(str, v)) if isinstance(v, tuple) else None)  # fmt: skip
def test_a_mistake_is_named(path, value, message):
    with pytest.raises(ValueError, match=message) as error:
        plan(changed(path, value))
    assert "\n" not in str(error.value)


def test_what_contains_itself_or_grows_without_end_is_refused():
    block = {}
    block["again"] = block
    with pytest.raises(ValueError, match=r"estimate\.again: contains itself"):
        yaml_rules.check({"estimate": block})
    deep = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ValueError, match=r"seeds\[0\].*: more than 24 levels deep"):
        yaml_rules.check({"seeds": deep})
    wide = ["x"]
    for _ in range(7):
        wide = [wide] * 10
    with pytest.raises(ValueError, match=r"more than 1000000 values"):
        yaml_rules.check({"seeds": wide})


def test_a_key_that_stands_twice_is_named_with_its_lines(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("a: &a {b: 1}\nc:\n  d: {<<: *a, b: 2}\n  e: 1\n  d: 3\n")
    with pytest.raises(ValueError, match=r"study\.yaml: c\.d: stands twice, in lines 3 and 5"):
        yaml_rules.check_file(path)
    for text in ("a: &a {b: 1}\nc: {<<: *a, b: 2}", "a: [", ""):
        path.write_text(text)
        yaml_rules.check_file(path)
    yaml_rules.check_file(tmp_path / "absent.yaml")


def test_what_is_not_said_is_the_schemas_and_stays_the_schemas():
    first = plan(TINY).config["training"]["adam"]["ema"]
    first["beta"] = 0.0
    assert plan(TINY).config["training"]["adam"]["ema"]["beta"] == 0.999


def with_options(**given):
    """The tiny study with blocks of the command line, as Snakemake hands them on: merged, and texts."""
    config = copy.deepcopy(TINY)
    update_config(config, copy.deepcopy(given))
    return configuration.validated(config, ROOT, overrides=given)


def test_what_the_command_line_gives_is_read_as_yaml():
    config = with_options(
        seeds=["0", "1", "2"],
        num_images="50",
        shard_images="null",
        study="other",
        datasets={"digits": {"test_fraction": "0.3"}},
        timing={"batches": "7"},
        models={"ve_cond": {"identity": {"conditional": "false"}, "label": "2020-13-01"}},
    )
    assert (config["seeds"], config["num_images"], config["shard_images"]) == ([0, 1, 2], 50, None)
    assert config["study"] == "other"
    assert config["datasets"]["digits"] == {"kind": "digits", "test_fraction": 0.3}
    assert config["timing"]["batches"] == 7
    model = config["models"]["ve_cond"]
    assert (model["identity"]["conditional"], model["label"]) == (False, "2020-13-01")
    assert model["identity"]["dataset"] == "digits"


def test_what_the_config_file_has_as_text_stays_text():
    with pytest.raises(ValueError, match=r"num_images: '50' is not of type 'integer'"):
        configuration.validated(copy.deepcopy(TINY) | {"num_images": "50"}, ROOT)
    with pytest.raises(ValueError, match=r"training\.adam\.lr: '1e-4' is not of type 'number'"):
        with_options(training={"adam": {"lr": "1e-4"}})
    with pytest.raises(ValueError, match=r"training\.adam\.lr: inf; expected a finite number"):
        with_options(training={"adam": {"lr": ".inf"}})


@pytest.mark.parametrize("section", [key for key, part in TINY.items() if isinstance(part, dict)])
def test_a_name_that_stands_twice_in_a_section_is_refused(section, tmp_path):
    path, name = tmp_path / "study.yaml", next(iter(TINY[section]))
    block = yaml.safe_dump({name: TINY[section][name]}, indent=1)
    rest = yaml.safe_dump({key: part for key, part in TINY.items() if key != section})
    path.write_text(f"{rest}{section}:\n" + 2 * textwrap.indent(block, "  "))
    with pytest.raises(
        ValueError, match=rf"study\.yaml: {section}\.{name}: stands twice, in lines"
    ):
        configuration.validated(yaml.safe_load(path.read_text()), ROOT, [path])


CLAIM = ("claims", next(iter(TINY["claims"])))


@pytest.mark.parametrize(
    "path, old, new",
    [
        ((), "draws", "sampling_seeds"),
        (CLAIM, "says", "statement"),
        (CLAIM, "where", "source"),
        (CLAIM, "need", "require"),
        ((*PART, "options"), "need", "require"),
        ((*PART, "options"), "each", "per"),
        (PART, "readings", "interpretation"),
        (("figures", "figure_1"), "companion", "supplementary"),
    ],
)
def test_a_former_key_is_refused_with_its_new_name(path, old, new):
    config = copy.deepcopy(TINY)
    block = config
    for key in path:
        block = block.setdefault(key, {})
    block[old] = block.pop(new, 1)
    with pytest.raises(ValueError, match=rf"\b{old}\b.*; it is called '{new}' now"):
        plan(config)


def test_a_former_kind_is_refused_with_its_new_name():
    config = yaml.safe_load((ROOT / "config/psld.yaml").read_text())
    config["experiments"]["trajectories"] = {"kind": "phase_walks"}
    message = (
        r"experiments\.trajectories\.kind: 'phase_walks' .*; it is called 'phase_trajectories' now"
    )
    with pytest.raises(ValueError, match=message):
        plan(config)


def test_defaults_are_filled_in():
    study = plan(TINY)
    assert study.identity("vp_uncond")["training"]["betas"] == [0.9, 0.999]
    assert study.sampling_seeds == [0]
