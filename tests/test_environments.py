"""Environments: every rule names one, they agree with each other, and they hold what is imported."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

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
    assert everything[-1] == {"pip": ["-r requirements.txt"]}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert dict(entry.split("==") for entry in groups["bench"]) == pins("requirements-bench.txt")


def test_one_python_everywhere():
    python = {entry for entry in PLOTTING if entry.startswith("python=")}
    assert python == {"python=3.11"}
    assert 'python-version: "3.11"' in (ROOT / ".github/workflows/ci.yml").read_text()
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
        ("uncanny.plotting", "uncanny.learning", "uncanny.jobs", "uncanny.datasets"),
        ("uncanny.claims", "uncanny.jobs"),
        ("uncanny.archive", "uncanny.jobs"),
    ],
    ids=["figures", "claims", "archive"],
)
def test_figures_claims_and_archives_take_the_small_environment(packages):
    names = {entry.partition("=")[0].removesuffix("-base") for entry in PLOTTING}
    assert imported(*packages) <= names
