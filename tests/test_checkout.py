"""A clone where others put it: another Python, a folder with a space, a home that cannot be written, another folder to run from."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from test_workflow import ROOT, clone, dry_run, snakemake

import uncanny

FAULTS = "tests/faults/faults.yaml"
DATA, EXTRACTOR = (
    "results/faults/datasets/digits/dataset.json",
    "results/faults/extractors/tiny_cnn.pt",
)


def made(folder, *arguments, **environment):
    """`make` in a folder: exit status, and what it said of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", *arguments], cwd=folder, env=kept | environment, capture_output=True, text=True
    )
    return done.returncode, [x for x in done.stderr.splitlines() if not x.startswith("make: ***")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def bare(tmp_path):
    """As much of a clone as `make .venv/ready` looks at; nothing is to be installed."""
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs/requirements.txt").write_text("# nothing\n")
    (tmp_path / "slurm").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def python(folder, script):
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


# -- make ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 3.10", "is Python 3.10; expected Python 3.11 to 3.13 (PYTHON=python3.11)"),
        ("echo 3.14", "is Python 3.14; expected Python 3.11 to 3.13 (PYTHON=python3.11)"),
        ("echo not found >&2; exit 127", "is not there; expected Python 3.11 to 3.13 (PYTHON=python3.11)"),
        ('case "$2" in *ensurepip*) exit 1;; esac; echo 3.12', "has no venv; expected its package (Debian: python3.12-venv)"),
    ],
)  # fmt: skip
def test_another_python_is_one_line_before_anything_is_made(bare, script, message):
    result = python(bare, script)
    before = sorted(os.listdir(bare))
    status, lines = made(bare, "figures", result)
    assert status != 0
    assert lines == [f"make: {result.removeprefix('PYTHON=')} {message}"]
    assert sorted(os.listdir(bare)) == before


def test_an_environment_that_does_not_run_is_made_anew(bare):
    here = f"PYTHON={sys.executable}"
    (bare / ".venv/lib").mkdir(parents=True)  # what a failed or interrupted installation leaves
    (bare / ".venv/lib/poison").touch()
    assert made(bare, ".venv/ready", here) == (0, [])
    assert not (bare / ".venv/lib/poison").exists()
    assert made(bare, "--question", ".venv/ready", here) == (0, [])
    for path in (bare / ".venv/bin").glob("python*"):  # the system's Python went
        path.unlink()
    (bare / ".venv/lib/poison").touch()
    assert made(bare, ".venv/ready", here) == (0, [])
    assert not (bare / ".venv/lib/poison").exists()


def test_new_pins_are_installed_into_the_environment_that_is_there(bare):
    assert made(bare, ".venv/ready", f"PYTHON={sys.executable}")[0] == 0
    (bare / ".venv/mine").touch()
    os.utime(bare / ".venv/ready", (0, 0))
    assert made(bare, ".venv/ready", python(bare, "echo 3.10")) == (0, [])
    assert (bare / ".venv/mine").exists()


def test_a_checkout_without_links_is_named_before_anything_is_installed(bare):
    (bare / "slurm").rmdir()
    (bare / "slurm").write_text("profiles/slurm")
    status, lines = made(bare, "figures")
    assert status != 0
    assert lines == ["make: slurm is a file; expected a link to profiles/slurm (ln -sf profiles/slurm slurm)"]  # fmt: skip
    subprocess.run("ln -sf profiles/slurm slurm", shell=True, cwd=bare, check=True)
    assert (bare / "slurm").is_symlink()


@pytest.mark.parametrize("target", ["figure_5", "figure_A1", "table_A5"])
def test_one_figure_or_table(target):
    """A dry run, which prints what `make` would do."""
    done = subprocess.run(
        ["make", "-n", target, "CONFIG=config/psld.yaml"], cwd=ROOT, capture_output=True, text=True
    )
    assert f"snakemake --cores all {target} --configfile config/psld.yaml" in done.stdout


# -- where a clone lies ----------------------------------------------------------------------------


@pytest.mark.workflow
def test_a_folder_with_a_space_and_a_home_that_cannot_be_written(tmp_path):
    """`make` with an environment of the clone's own, whose path the space is in."""
    folder = clone(tmp_path / "my study (2)")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".venv/ready").exists() or pytest.skip("tests run in another environment than make's")
    make = (folder / "Makefile").read_text().replace("all_figures $(WITH)", f"{EXTRACTOR} $(WITH)")
    make = make.replace("SNAKEMAKE := $(BIN)/snakemake", "SNAKEMAKE := $(BIN)/python -m snakemake")
    (folder / "Makefile").write_text(make.replace(".venv/ready: envs", ".venv/ready: | envs"))
    home = tmp_path / "home"
    home.write_text("no folder: not even root can write into it\n")
    status, lines = made(folder, "figures", f"CONFIG={FAULTS}", HOME=str(home), XDG_CACHE_HOME="")
    assert status == 0, lines
    assert (folder / EXTRACTOR).exists()
    assert (folder / ".snakemake/cache/snakemake").is_dir()


@pytest.mark.workflow
def test_a_study_of_another_folder(tmp_path):
    """README: results go where the command is given, or where --directory says."""
    folder, elsewhere = clone(tmp_path / "clone"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    snakefile = ["--snakefile", str(folder / "Snakefile"), "--cores", "2"]
    done = snakemake(elsewhere, *snakefile, DATA, config=str(folder / FAULTS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (elsewhere / DATA).exists()
    assert not (folder / "results/faults").exists()
    done = snakemake(folder, DATA, "--directory", str(tmp_path / "there"), config=FAULTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "there" / DATA).exists()
    # The default study, from a folder that has no config
    for where, options in ((elsewhere, snakefile), (folder, ["--directory", str(elsewhere)])):
        done = snakemake(where, *options, "--dry-run", "table_A1", config=None)
        assert "results/digits/tables/table_A1" in done.stdout, done.stdout + done.stderr


WITHOUT_PLUGIN = """
import pkgutil, sys
listed = pkgutil.iter_modules
pkgutil.iter_modules = lambda *paths: (each for each in listed(*paths) if "slurm" not in each.name)
sys.modules["snakemake_executor_plugin_slurm"] = None
from snakemake.cli import main
main(sys.argv[1:])
"""


@pytest.mark.workflow
def test_a_snakemake_without_its_plugin_for_slurm(folder):
    """As conda installs it, for one machine."""
    command = [sys.executable, "-c", WITHOUT_PLUGIN, "-n", DATA, f"--configfile={FAULTS}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "prepare_dataset" in done.stdout


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cores", "0"], "--cores 0: no job could start; expected at least 1"),
        (["-j", "1"], "-j 1: on this machine --cores says how much runs at a time"),
    ],
)
def test_an_option_that_would_not_be_heeded_is_refused(folder, options, message):
    done = snakemake(folder, DATA, *options, config=FAULTS)
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count(message) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.workflow
def test_targets_come_before_configfile_or_after_two_dashes(folder):
    """--configfile takes all words that follow it."""
    one = {"prepare_dataset": 1}
    assert dry_run(folder, DATA, config=FAULTS) == one
    assert dry_run(folder, "--configfile", FAULTS, "--", DATA, config=None) == one
    assert dry_run(folder, f"--configfile={FAULTS}", DATA, config=None) == one


def test_the_version_is_one():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest, date = re.search(r"^## ([\d.]+) \((.*)\)$", changelog, re.MULTILINE).groups()
    assert newest == citation["version"] == uncanny.__version__
    assert date == str(citation["date-released"])
