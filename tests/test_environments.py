"""Environments: every rule names one, they agree with each other, and they hold what is imported."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from test_workflow import clone, dry_run, snakemake

ROOT = Path(__file__).parent.parent
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
BLOCKS = re.split(r"^(?: *)(?=(?:use )?rule\b)", RULES, flags=re.M)[1:]
PLOTTING = yaml.safe_load((ROOT / "envs/plotting.yaml").read_text())["dependencies"]
IMPORTS = """
import importlib, pkgutil, sys
for package in {packages}:
    found = importlib.import_module(package)
    for module in pkgutil.iter_modules(getattr(found, "__path__", [])):
        importlib.import_module(f"{{package}}.{{module.name}}")
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def pins(name):
    """package -> version of a requirements file."""
    lines = (ROOT / "envs" / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def imported(*packages):
    """Of the packages that the workflow runs with, those that are loaded with some of ours."""
    code = IMPORTS.format(packages=packages)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    known = {name.replace("-", "_") for name in pins("requirements.txt")} | {"sklearn", "yaml"}
    return known & set(done.stdout.split())


def test_every_rule_with_a_script_names_an_environment_that_is_there():
    scripts = [block for block in BLOCKS if "script:" in block]
    assert len(scripts) > 20
    for block in scripts:
        inherits = block.startswith("use rule")
        named = re.findall(r'conda:\s+"\.\./\.\./(envs/\w+\.yaml)"', block)
        assert named or inherits, block.splitlines()[0]
        assert all((ROOT / path).is_file() for path in named)


def test_versions_are_those_of_the_requirements():
    exact = pins("requirements.txt")
    for entry in PLOTTING:
        name, _, version = entry.partition("=")
        if name != "python":
            assert exact[name.removesuffix("-base")].startswith(f"{version}."), entry
    everything = yaml.safe_load((ROOT / "envs/uncanny.yaml").read_text())["dependencies"]
    # In the file itself: Snakemake installs from a copy of it.
    assert everything[-1] == {"pip": [f"{name}=={version}" for name, version in exact.items()]}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert dict(entry.split("==") for entry in groups["bench"]) == pins("requirements-bench.txt")


def test_the_pins_for_conda_are_written_by_make(tmp_path):
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    shutil.copy(ROOT / "Makefile", tmp_path)
    subprocess.run(["make", "environments"], cwd=tmp_path, check=True, capture_output=True)
    written = (tmp_path / "envs/uncanny.yaml").read_text()
    assert written == (ROOT / "envs/uncanny.yaml").read_text()
    assert sorted(os.listdir(tmp_path / "envs")) == sorted(os.listdir(ROOT / "envs"))


def test_the_same_versions_of_python_everywhere():
    assert {entry for entry in PLOTTING if entry.startswith("python=")} == {"python=3.11"}
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["ci"]
    assert workflow["strategy"]["matrix"] == {"python": ["3.11", "3.13"]}
    assert "3.11|3.12|3.13)" in (ROOT / "Makefile").read_text()
    assert "Python 3.11, 3.12 or 3.13" in (ROOT / "README.md").read_text()
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["ruff"]["target-version"] == "py311"


def wheels(python, *wanted):
    """Whether pip finds wheels of these packages or files of requirements, and what it says."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", python, "--target", "none"]
    command += ["--retries", "0", "--timeout", "10", "--disable-pip-version-check"]
    return subprocess.run([*command, *wanted], cwd=ROOT / "envs", capture_output=True, text=True)


@pytest.mark.index
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_all_pins_are_there_for_every_python(python):
    if wheels(python, "iniconfig").returncode:
        pytest.skip("no package index")
    files = [f"requirements{name}.txt" for name in ("", "-dev", "-bench")]
    done = wheels(python, *(part for file in files for part in ("-r", file)))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "packages",
    [
        ("uncanny.figures", "uncanny.workflow.jobs", "uncanny.datasets"),
        ("uncanny.claims", "uncanny.workflow.jobs"),
        ("uncanny.workflow.archive", "uncanny.workflow.jobs"),
    ],
    ids=["figures", "claims", "archive"],
)
def test_figures_claims_and_archives_take_the_small_environment(packages):
    names = {entry.partition("=")[0].removesuffix("-base") for entry in PLOTTING}
    assert imported(*packages) <= names


# -- conda -----------------------------------------------------------------------------------------
# A stand-in: an environment is a link to the one that these tests run in, made where all that its file asks for is there.

CONDA = """#!{python}
import json, os, sys
from pathlib import Path

import yaml

arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("conda 25.1.0")
elif arguments[0] == "info":
    print(json.dumps({{"conda_prefix": "{base}", "platform": "linux-64"}}))
elif arguments[0] == "config":
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif "create" in arguments:
    file, prefix = (Path(arguments[arguments.index(name) + 1]) for name in ("--file", "--prefix"))
    asked = yaml.safe_load(file.read_text())["dependencies"]
    for entry in next((each["pip"] for each in asked if isinstance(each, dict)), []):
        if entry.startswith("-r") and not (file.parent / entry.split()[1]).exists():
            sys.exit("ERROR: Could not open requirements file")
    prefix.symlink_to("{environment}")
"""
ACTIVATE = 'export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n'
FAULTS = "tests/faults/faults.yaml"
TARGETS = ["results/faults/extractors/tiny_cnn.pt"]


@pytest.fixture
def conda(tmp_path):
    """The environment of a user who has conda."""
    base = tmp_path / "conda"
    (base / "bin").mkdir(parents=True)
    (base / "bin/activate").write_text(ACTIVATE)
    script = CONDA.format(python=sys.executable, base=base, environment=sys.prefix)
    (base / "bin/conda").write_text(script)
    (base / "bin/conda").chmod(0o755)
    return os.environ | {"PATH": f"{base / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.workflow
def test_what_the_workflow_catalog_says_of_conda_is_so(tmp_path, conda):
    """--sdm conda makes the environments and runs each job in the one that its rule names; on a finished study it has
    nothing to do, nor has the next run without it.
    """
    says = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert says["software-stack-deployment"]["conda"] is True
    folder = clone(tmp_path / "a clone")
    for name in ("train_extractor", "prepare_dataset"):
        with (folder / f"scripts/{name}.py").open("a") as file:
            file.write("\nimport sys\n\nprint('ran in', sys.prefix)\n")
    assert (
        snakemake(folder, "results/faults/datasets/digits/dataset.json", config=FAULTS).returncode
        == 0
    )
    done = snakemake(folder, *TARGETS, "--sdm", "conda", config=FAULTS, environment=conda)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rule prepare_dataset" not in done.stderr
    log = (folder / "results/faults/logs/train_extractor/tiny_cnn.log").read_text()
    assert f"ran in {folder}/.snakemake/conda/" in log
    assert dry_run(folder, *TARGETS, config=FAULTS) == {}
    again = snakemake(folder, *TARGETS, "-n", "--sdm", "conda", config=FAULTS, environment=conda)
    assert "Nothing to be done" in again.stdout + again.stderr
