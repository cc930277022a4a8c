"""Fingerprints follow what a job runs: blind to comments, alive to code, precise to the definition."""

import shutil
from pathlib import Path

import pytest

from uncanny.registry import components, fingerprint


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of scripts/ that may be edited."""
    scripts = tmp_path / "scripts"
    shutil.copytree(
        components.LIBRARY.parent, scripts, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(components, "LIBRARY", scripts / "uncanny")
    monkeypatch.setattr(fingerprint, "ROOT", scripts)
    yield scripts
    clear()


def clear():
    components.parse.cache_clear()
    for name in ("_digest", "_text", "_uses", "_module"):
        getattr(fingerprint, name).cache_clear()


def edit(path: Path, old: str, new: str):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def of(library, script="draw_samples", *named):
    clear()
    return fingerprint.fingerprint(library / f"{script}.py", named)


HEUN, DDIM = ("samplers", "heun"), ("samplers", "ddim")


def test_comments_docstrings_and_layout_mean_nothing(library):
    before = of(library, "draw_samples", HEUN)
    path = library / "uncanny/samplers/heun.py"
    edit(path, '"""Second-order', '"""Another second-order')
    path.write_text("# a comment\n\n" + path.read_text())
    assert of(library, "draw_samples", HEUN) == before


def test_code_means_something(library):
    before = of(library, "draw_samples", HEUN)
    edit(library / "uncanny/samplers/heun.py", "0.5 / alpha", "0.25 / alpha")
    assert of(library, "draw_samples", HEUN) != before


def test_editing_one_sampler_leaves_the_others(library):
    before = of(library, "draw_samples", DDIM)
    edit(library / "uncanny/samplers/heun.py", "0.5 / alpha", "0.25 / alpha")
    assert of(library, "draw_samples", DDIM) == before


def test_imports_are_followed_through_modules(library):
    before = of(library, "draw_samples", HEUN), of(library, "draw_samples", DDIM)
    edit(library / "uncanny/samplers/steps.py", "gamma * (2 + gamma)", "gamma * (3 + gamma)")
    after = of(library, "draw_samples", HEUN), of(library, "draw_samples", DDIM)
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_definition_that_nothing_reaches_means_nothing(library):
    before = of(library, "train_model", ("schedules", "cosine"))
    edit(
        library / "uncanny/diffusion/schedules.py",
        "def sigmoid_beta(",
        "def unused():\n    return 1\n\n\ndef sigmoid_beta(",
    )
    edit(
        library / "uncanny/diffusion/schedules.py",
        'beta_end: Annotated[OpenFraction, Above("beta_start")] = 0.02',
        'beta_end: Annotated[OpenFraction, Above("beta_start")] = 0.03',
    )
    assert of(library, "train_model", ("schedules", "cosine")) == before
    edit(
        library / "uncanny/diffusion/schedules.py",
        "max_beta: OpenFraction = 0.999",
        "max_beta: OpenFraction = 0.998",
    )
    assert of(library, "train_model", ("schedules", "cosine")) != before


def test_bounds_of_options_mean_nothing(library):
    before = of(library, "draw_samples", HEUN)
    edit(library / "uncanny/samplers/heun.py", "Bounds(above=0, at_most=1)", "Bounds(above=0)")
    edit(library / "uncanny/registry/option_types.py", "Bounds(1, 1000)", "Bounds(1, 2000)")
    assert of(library, "draw_samples", HEUN) == before
    edit(library / "uncanny/samplers/heun.py", "] = 1.0", "] = 0.5")
    assert of(library, "draw_samples", HEUN) != before


def test_what_surrounds_a_job_means_nothing(library):
    before = of(library, "train_model")
    edit(library / "uncanny/workflow/fork_server.py", "listen(128)", "listen(64)")
    edit(library / "uncanny/workflow/jobs.py", "1024", "1000")
    assert of(library, "train_model") == before


def test_plotting_is_not_part_of_training(library):
    before = of(library, "train_model")
    path = library / "uncanny/figures/curves.py"
    path.write_text(path.read_text() + "\n\ndef more():\n    return 2\n")
    assert of(library, "train_model") == before
