"""What the Snakemake workflow catalog reads of this repository.

Its generator takes the workflow from workflow/ where there is such a folder, lists workflows with
.snakemake-workflow-catalog.yml and config/README.md as ready to use, and reads these keys.
"""

import re
from pathlib import Path

import pytest
import yaml
from test_workflow import jobs, snakemake

ROOT = Path(__file__).parent.parent
USAGE = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
DEPLOYMENTS = {"conda", "apptainer", "apptainer+conda"}


def test_the_repository_is_one_that_the_catalog_finds():
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (ROOT / "workflow/Snakefile").is_file()
    assert list((ROOT / "workflow/rules").glob("*.smk"))
    assert (ROOT / "config/README.md").is_file() and (ROOT / "config/config.yaml").is_file()


def test_the_settings_are_those_that_the_catalog_reads():
    assert set(USAGE) == {"mandatory-flags", "software-stack-deployment", "report"}
    flags = USAGE["mandatory-flags"]
    assert set(flags) == {"desc", "flags"} and isinstance(flags["desc"], str)
    assert isinstance(flags["flags"], str | list)
    deployment = USAGE["software-stack-deployment"]
    assert set(deployment) <= DEPLOYMENTS
    assert all(isinstance(value, bool) for value in [*deployment.values(), USAGE["report"]])


def test_what_it_states_is_so():
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert USAGE["software-stack-deployment"]["conda"] == bool(
        re.search(r"^    conda:", rules, re.M)
    )
    assert not re.search(r"^\s*container:", rules, re.M)  # apptainer: false
    assert USAGE["report"] == ("report(" in rules)


@pytest.mark.workflow
@pytest.mark.parametrize("snakefile", ["workflow/Snakefile", "Snakefile"])
def test_the_workflow_of_its_folder_is_the_workflow(tmp_path, snakefile):
    flags = ("--dry-run", "--directory", str(tmp_path), "--snakefile", snakefile)
    result = jobs(snakemake(ROOT, "figure_1", *flags))
    assert {"prepare_dataset", "train_model", "draw_samples", "plot_figure"} <= set(result)
