"""What a config may be, and the one message that says why it may not."""

import copy
from pathlib import Path

import pytest
import yaml

from uncanny import checks, configuration
from uncanny.study import Study

ROOT = Path(__file__).parent.parent
TINY = yaml.safe_load((ROOT / "tests/tiny.yaml").read_text())
SHIPPED = sorted(ROOT.glob("config/*.yaml"))


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
    (("metrics", "is2", "splits"), 41, r"num_images: 40 is fewer than the 41 splits of metrics\.is2"),
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
    (("samplers", "HEUN", "num_steps"), None, r"samplers\.HEUN\.num_steps: missing; expected int"),
    (("samplers", "HEUN", "S_chrun"), 1.0, r"samplers\.HEUN\.S_chrun: unknown option of 'heun'; did you mean 'S_churn'"),
    (("samplers", "HEUN", "grid"), "polynomail", r"samplers\.HEUN\.grid\.kind: 'polynomail' is not one of the sigma_grids"),
    (("samplers", "HEUN", "by_process"), {"edm": {}}, r"samplers\.HEUN\.by_process: 'edm' is not defined in processes"),
    (("samplers", "UNUSED"), {"kind": "heun", "rho": 7}, r"samplers\.UNUSED\.rho: unknown option"),
    ((*PANEL, "samplers"), ["HEUNN"], r"figures\.figure_1\.panels\[0\]\.samplers: 'HEUNN' is not defined in samplers"),
    ((*PANEL, "samplers"), ["DDIM"], r"sampler 'DDIM' walks with eps_model, but model 'vp_uncond' gives denoiser"),
    ((*PANEL, "models"), [], r"figures\.figure_1\.panels\[0\]\.models: \[\] should be non-empty"),
    ((*PANEL, "guidances"), ["G3"], r"panels\[0\]\.guidances: 'G3' is not defined in guidances; known: G1, G2"),
    ((*PANEL, "guidances"), ["G1"], r"'G1' cannot guide sampler 'HEUN' of model 'vp_uncond'"),
    (("guidances", "G1", "classifier"), "noisi", r"guidances\.G1\.classifier: 'noisi' is not defined in classifiers; did you"),
    (("guidances", "G1", "scale"), "1e1", r"guidances\.G1\.scale: '1e1' is not float"),
    (("guidances", "none"), {"kind": "classifier", "classifier": "noisy"}, r"guidances: .*'none'"),
    (("classifiers", "noisy", "network"), "clff", r"classifiers\.noisy\.network: 'clff' is not defined in networks"),
    (("networks", "clf", "pool"), "adaptive", r"classifiers\.untrained\.network: .*gradient is exactly 0"),
    (("sample_sizes",), [], r"sample_sizes: empty; figures\.figure_5"),
    (("sample_sizes",), [30, 20], r"sample_sizes: 20 stands after a larger number"),
    (("timing",), {"batches": 1}, r"timing\.batches: 1 is less than the minimum of 5"),
    (("tables", "table_1", "kind"), "sampler", r"tables\.table_1\.kind: 'sampler' is not one of the tables"),
    (("tables", "table_1", "samplers"), ["HEUM"], r"tables\.table_1\.samplers: 'HEUM' is not defined in samplers"),
    (("tables", "table_2", "training"), ["vp"], r"tables\.table_2\.training: 'vp' is not defined in models"),
    (("tables", "table_2", "options"), {"layout": "rows"}, r"tables\.table_2\.layout: unknown option of 'times'"),
    ((*PART, "kind"), "superiour", r"claims\.C01\.parts\.quality.*'superiour' is not one of the claims"),
    ((*PART, "kind"), "time_ratio", r"quality\.options\.metric: unknown option of 'time_ratio'"),
    ((*PART, "cells", "c"), {"models": ["vp_uncond"], "samplers": ["EUL"]}, r"quality\.cells: selections .*; expected a, b"),
    ((*PART, "cells", "a", "samplers"), ["DDIM"], r"sampler 'DDIM' walks with eps_model"),
    ((*PART, "options"), {"margin": 1}, r"quality\.options\.margin: unknown option of 'superior'"),
    (("claims", "C01", "not_testable"), "too hard", r"claims\.C01: "),
    (("figures", "figure_1", "panels"), [], r"figures\.figure_1\.panels: \[\] should be non-empty"),
    (("figures", "figure_1", "metric"), "fid", r"figures\.figure_1\.metric: 'fid' is not measured on 'digits'"),
    (("figures", "figure_1", "kind"), "curve", r"figures\.figure_1\.kind: 'curve' is not one of the plotting"),
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


def test_text_from_the_command_line_becomes_numbers():
    config = copy.deepcopy(TINY) | {"seeds": ["0", "1", "2"], "num_images": "50"}
    study = plan(config)
    assert study.seeds == [0, 1, 2]
    assert study.config["num_images"] == 50


def test_defaults_are_filled_in():
    study = plan(TINY)
    assert study.identity("vp_uncond")["training"]["betas"] == [0.9, 0.999]
    assert study.draws == [0]
