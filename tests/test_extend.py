"""docs/extend.md: every addition in a copy of the repository, through one run of the tiny study."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from test_configuration import ROOT, TINY
from test_workflow import clone, jobs, snakemake

TEXT = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
CODE = re.compile(r"^`(\S+)`\n\n```(?:python|snakemake)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INCLUDE = re.compile(r"`(include: \S+)`")
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
CONFIG = "config/own.yaml"
RESULTS = "results/own"


def merged(config, block):
    """The config with the blocks of each section added."""
    added = {section: config[section] | named for section, named in block.items()}
    return config | added


def extended():
    """The tiny study with all additions, at one epoch; only the claim of the page."""
    config = TINY | {"study": "own", "claims": {}, "milestones": [1]}
    drop = {"figures": {}, "tables": {name: TINY["tables"][name] for name in ("table_1",)}}
    config |= drop | {"sample_sizes": []}
    for text in BLOCK.findall(TEXT):
        config = merged(config, yaml.safe_load(text))
    every = {"kind": "sampler_parameters", "title": "Samplers", "models": list(config["models"])}
    networks = {"kind": "hyper_parameters", "title": "Models", "models": list(config["models"])}
    every["models"].remove("clean")  # which does not know all options of DDIM
    config["tables"] = {
        "table_1": every | {"samplers": list(config["samplers"])},
        "table_3": every | {"models": ["clean"], "samplers": ["MARK"]},
        "table_2": networks,
    }
    return config


def write_code(folder):
    """Put the page's functions where it says: behind what is there, or in a file of their own."""
    for name, code in CODE.findall(TEXT):
        path = folder / name
        before = path.read_text(encoding="utf-8") + "\n\n" if path.exists() else ""
        path.write_text(before + code, encoding="utf-8")
    front = folder / "Snakefile"
    *_, last = re.findall(r"^include: .*\n", front.read_text(encoding="utf-8"), re.MULTILINE)
    lines = "".join(f"{line}\n" for line in INCLUDE.findall(TEXT))
    front.write_text(front.read_text(encoding="utf-8").replace(last, last + lines))


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = clone(tmp_path_factory.mktemp("extended"))
    write_code(folder)
    text = yaml.safe_dump(extended(), allow_unicode=True, sort_keys=False)
    (folder / CONFIG).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(copied):
    done = snakemake(copied, "all", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    return copied / RESULTS


def test_each_addition_is_at_most_one_file_and_one_block():
    assert len(SECTIONS) == 12
    for title, text in SECTIONS.items():
        is_rule = title == "A rule"
        assert len(CODE.findall(text)) <= 1 + is_rule, title
        assert len(BLOCK.findall(text)) == 1 - is_rule, title
        assert text.count("```python") + is_rule == len(CODE.findall(text)), title
        assert len(INCLUDE.findall(text)) == is_rule, title
    new = {name for name, _ in CODE.findall(TEXT) if not (ROOT / name).exists()}
    assert len(CODE.findall(TEXT)) == 12 and len(new) == 8


def test_the_examples_are_in_the_style_of_the_house(copied):
    names = [name for name, _ in CODE.findall(TEXT) if name.endswith(".py")]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *names],
            cwd=copied,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.workflow
def test_all_additions_are_drawn(made):
    drawn = pd.read_csv(made / "figures/figure_own.csv")
    drawn = drawn[drawn["control"].isna()]
    assert set(drawn["model"]) == {
        "vp_uncond",
        "plain",
        "ddpm_cosine",
        "ddpm_quadratic",
        "correlated",
        "clean",
    }
    assert set(drawn["sampler"]) == {"HEUN", "MULTI", "DDIM", "EM", "MARK"}
    assert set(drawn["guidance"]) == {"none", "signs"}
    assert drawn["value"].gt(0).all() and drawn["se"].gt(0).all() and set(drawn["status"]) == {"ok"}
    stripes = pd.read_csv(made / "figures/figure_stripes.csv")
    assert set(stripes["dataset"]) == {"stripes"} and set(stripes["role"]) > {"sample"}
    ranked = pd.read_csv(made / "figures/figure_ranking.csv")
    assert ranked.groupby("panel")["value"].apply(lambda v: v.is_monotonic_increasing).all()
    assert len(ranked) == 8


@pytest.mark.workflow
def test_what_is_new_does_what_its_block_says(made):
    record = json.loads(
        (made / "scores/vp_uncond/seed-0/MULTI/none/draw-0/epoch-1.json").read_text()
    )
    assert record["nfe"] == 4 and record["parameters"]["sampler"]["options"]["share"] == 1.0
    state = json.loads((made / "checkpoints/plain/seed-0/epoch-1.json").read_text())
    assert state["identity"]["network"] == {"kind": "plain", "width": 16}
    data = json.loads((made / "datasets/stripes/dataset.json").read_text())
    assert data["splits"]["train"]["count"] == 600 and data["num_classes"] == 2


@pytest.mark.workflow
def test_a_rule_of_ones_own_makes_its_file(copied, made):
    target = "results/own/brightness/vp_uncond/seed-0/MULTI/none/draw-0/epoch-1.json"
    done = snakemake(copied, target, config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 < json.loads((copied / target).read_text())["brightness"] < 1


@pytest.mark.workflow
def test_claims_are_judged_by_known_and_new_rules(made):
    claim = json.loads((made / "tables/claims.json").read_text())
    parts = str(claim)
    assert "ahead at" in parts and "OWN1" in parts


@pytest.mark.workflow
def test_tables_and_estimate_know_the_additions(copied, made):
    samplers = (made / "tables/table_1.md").read_text()
    assert "multistep" in samplers
    assert "plain" in (made / "tables/table_2.md").read_text()
    assert "of the process" in (made / "tables/table_3.md").read_text()
    done = snakemake(copied, "estimate", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.workflow
def test_an_addition_leaves_what_is_there_alone(copied, made):
    """A second sampler of one's own: its cells, nobody else's."""
    path = copied / "scripts/uncanny/samplers/multistep.py"
    path.write_text(path.read_text().replace("range(len(t) - 1)", "range(len(sigmas) - 1)"))
    todo = jobs(snakemake(copied, "-n", "figure_own", config=CONFIG))
    assert todo["draw_samples"] == todo["score_samples"] == 2
    assert not {"train_model", "train_classifier", "prepare_dataset"} & set(todo)
