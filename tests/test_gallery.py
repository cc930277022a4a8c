"""A study on one page."""

import re

import pytest
from test_configuration import TINY, plan

from uncanny.workflow import gallery, pages

COST = {"jobs": 12, "device_hours": 0.2, "cpu_hours": 0.05}


@pytest.fixture(scope="module")
def study():
    return plan(TINY)


def page(study, claims=""):
    costs = {name: COST for name in [*TINY["figures"], *TINY["tables"], "claims", "all"]}
    command = "snakemake {} --configfile tiny.yaml"
    return gallery.page(study, command, costs, claims)


CLAIMS = """## 2 claims: 1 supported, 1 not testable

| claim   | the paper says   | verdict      | what the data say at this scale | can this scale decide? |    p |
|:--------|:-----------------|:-------------|:--------------------------------|:-----------------------|-----:|
| C01     | a \\| b (§4)      | supported    | A is 1.23 % above B             | yes                    | 0.01 |
| C02     | c                | not testable |                                 | no: too few images     |      |

Rules and margins stand in the config.

| control | result |
"""


def test_every_figure_and_table_has_its_command_and_cost(study):
    text = page(study)
    for name in [*TINY["figures"], *TINY["tables"]]:
        assert f"`snakemake {name} --configfile tiny.yaml`: 12 jobs, 15 min" in text
    shown = re.findall(r'<img src="figures/(\w+)\.png"', text)
    assert sorted(shown) == sorted(TINY["figures"])
    assert "## Verdicts" not in text


def test_figures_beyond_the_paper_stand_apart(study):
    companions = [name for name, block in study.config["figures"].items() if block["supplementary"]]
    first, _, beyond = page(study).partition("## Beyond the paper")
    for name in TINY["figures"]:
        assert (f'alt="{name}"' in beyond) is (name in companions)
        assert (f'alt="{name}"' in first) is (name not in companions)


def test_verdicts_are_the_first_columns_of_the_scorecard(study):
    text = page(study, CLAIMS)
    assert "\n2 claims: 1 supported, 1 not testable.\n" in text
    assert re.search(r"\| claim \|.*\| can this scale decide\? \|\n(\| --- ){5}\|\n", text)
    assert "| C01 | a \\| b (§4) | supported | A is 1.23 % above B | yes |\n" in text
    assert "| C02 | c | not testable |  | no: too few images |\n" in text
    assert "control |" not in text


def test_commands_name_configs_as_a_reader_of_the_repository_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clone").mkdir()
    configs = ["clone/config/psld.yaml", "own.yaml"]
    command = "snakemake {} --configfile config/psld.yaml --configfile own.yaml"
    assert pages.command(configs, tmp_path / "clone") == command
    assert pages.command([], tmp_path) == "snakemake {}"
