"""Models and images from elsewhere beside those of the study: plan, mistakes, one run of it all."""

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from listed_jobs import jobs_of
from test_configuration import ROOT, TINY, plan
from test_workflow import clone, jobs, snakemake

from uncanny.estimate import costs
from uncanny.estimate.totals import Estimate, Site
from uncanny.figures.figure_data import FigureData
from uncanny.study import plan as planning

HUB = {"dataset": "digits", "process": "ddpm", "schedule": "cosine", "network": "hub", "conditional": True}  # fmt: skip
NETWORK = {"kind": "diffusers_unet", "width": 8, "multipliers": [1, 2], "blocks": 1, "attention": [4], "head_channels": 4, "groups": 4}  # fmt: skip


def doors():
    """The tiny study with a model of diffusers, and images of a file, in a figure beside ours."""
    config = copy.deepcopy(TINY) | {"study": "doors", "seeds": [0, 1], "sampling_seeds": [0, 1]}
    config["networks"]["hub"] = NETWORK
    config["models"] = {
        "ours": {"identity": {k: v for k, v in HUB.items() if k != "conditional"} | {"training": "adam"}},
        "hub": {"identity": dict(HUB), "external": {"kind": "diffusers", "path": "tests/data/diffusers"}},
        "theirs": {"identity": {"dataset": "digits"}, "samples": "theirs.npz", "label": "Theirs"},
        "vp_uncond": config["models"]["vp_uncond"],
    }  # fmt: skip
    panel = {"models": ["ours", "hub", "theirs"], "samplers": ["DDIM"]}
    guided = {"models": ["ours", "hub"], "samplers": ["DDIM"], "guidances": ["none", "G1"]}
    config["figures"] = {
        "figure_1": {"kind": "curves", "metric": "kid", "panels": [panel, guided]},
        "figure_2": {"kind": "grid", "options": {"rows": 2, "columns": 4}, "panels": [panel]},
        "figure_3": {"kind": "sample_size", "metric": "kid", "panels": [panel]},
    }
    tables = {"table_1": {"kind": "hyper_parameters", "title": "Models", "models": ["ours", "hub"]}}
    return config | {"tables": tables, "claims": {}}


def changed(**blocks):
    config = doors()
    for path, value in blocks.items():
        *parents, last = path.split("__")
        block = config
        for key in parents:
            block = block[int(key) if isinstance(block, list) else key]
        block[int(last) if isinstance(block, list) else last] = value
    return config


# --- the plan --------------------------------------------------------------------------------------


def test_what_is_not_trained_here_has_one_seed_and_one_checkpoint():
    study = plan(doors())
    cells = planning.figure_cells(study, "figure_1")
    runs = {(c.model, c.seed, c.draw, c.epoch) for c in cells if c.guidance == "none"}
    assert {run for run in runs if run[0] == "hub"} == {("hub", 0, 0, 1), ("hub", 0, 1, 1)}
    assert {run for run in runs if run[0] == "theirs"} == {("theirs", 0, 0, 1)}
    assert len({run for run in runs if run[0] == "ours"}) == 2 * 2 * 2
    study = plan(changed(models__hub__milestones=[800]))
    assert {c.epoch for c in planning.figure_cells(study, "figure_1") if c.model == "hub"} == {800}


def test_images_from_elsewhere_are_called_by_the_model_alone():
    study = plan(doors())
    look = planning.appearance(study, "figure_1")
    data = FigureData(**look)
    assert data.curve_label("theirs", "DDIM", "none") == "Theirs"
    assert data.curve_label("hub", "DDIM", "none") == "hub · DDIM"
    assert "imported" not in look["models"]["ours"]


def test_images_from_elsewhere_are_not_asked_for_classes():
    study = plan(doors())
    assert "accuracy" in study.evaluation_of("ours")["metrics"]
    assert "accuracy" not in study.evaluation_of("theirs")["metrics"]
    assert study.evaluation_of("ours") == study.evaluation("digits")
    assert "accuracy" not in study.evaluation_of_sizes("digits", "theirs")["least"]
    assert study.evaluation_of_sizes("digits", "ours") == study.evaluation_of_sizes("digits")


def test_other_models_are_what_they_were():
    before, after = plan(TINY), plan(doors())
    assert before.identity("vp_uncond") == after.identity("vp_uncond")
    assert list(before.identity("vp_uncond")) == list(after.identity("vp_uncond"))
    args = {"model": "vp_uncond", "sampler": "HEUN", "guidance": "none"}
    assert before.code("draw_samples", **args) == after.code("draw_samples", **args)


def test_the_estimate_counts_imports(tmp_path):
    config = doors()
    site = Site(costs.PROCESSOR, at_once=1, start=0.0, one_machine=True)
    estimate = Estimate(plan(config), tmp_path, site, jobs_of(config))
    assert estimate.without_entry() == {}
    assert all(row["disk_gb"] > 0 for row in estimate.of_targets())
    result = [job.rule for job in estimate.every]
    assert result.count("import_model") == 1 and result.count("import_samples") == 1
    assert result.count("import_many_samples") == 1


def test_the_documented_blocks_are_a_study():
    text = (ROOT / "docs/external.md").read_text(encoding="utf-8")
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for section, named in yaml.safe_load(block).items():
            config[section] |= named
    study = plan(config)
    assert study.identity("hub")["network"]["one_sided"] is True
    assert study.identity("theirs")["samples"] == "data/theirs.npz"


MISTAKES = [
    ({"models__hub__external": {"kind": "difusers", "path": "x"}}, r"models\.hub\.external\.kind: 'difusers' reads no weights; did you mean 'diffusers'"),
    ({"models__hub__external": {"kind": "edm"}}, r"models\.hub\.external\.path: missing"),
    ({"models__hub__samples": "x"}, r"models\.hub: has external and samples; expected one of them"),
    ({"models__hub__identity__training": "adam"}, r"models\.hub\.identity\.training: does not go with external"),
    ({"models__theirs__identity__process": "ddpm"}, r"models\.theirs\.identity\.process: does not go with samples"),
    ({"models__ours__identity": {"dataset": "digits", "process": "ddpm", "schedule": "cosine", "network": "hub"}}, r"models\.ours\.identity\.training: missing"),
    ({"models__hub__milestones": [1, 2]}, r"models\.hub\.milestones: \[1, 2\]; a model with external has one"),
    ({"figures__figure_1__panels__0__epochs": [2]}, r"panels\[0\]\.epochs: \[2\]; 'hub' exists at epoch 1 alone"),
    ({"figures__figure_1__panels__0__samplers": ["DDIM", "MARK"]}, r"panels\[0\]\.samplers: DDIM, MARK with 'theirs', which is known by its images alone; expected one"),
    ({"figures__figure_1__panels__0__guidances": ["none", "G1"]}, r"panels\[0\]\.guidances: 'theirs' is known by its images alone"),
    ({"figures__figure_2": {"kind": "processes", "panels": [{"models": ["theirs"], "samplers": ["DDIM"]}]}}, r"figures\.figure_2\.panels: 'theirs' is known by its images alone; expected one that is sampled here"),
    ({"tables__table_1__models": ["theirs"]}, r"tables\.table_1\.models: 'theirs' is known by its images alone"),
    ({"tables__table_2": {"kind": "times", "title": "T", "training": ["hub"]}}, r"tables\.table_2\.training: 'hub' was trained elsewhere; expected one that is trained here"),
    ({"figures__figure_1__panels__1__samplers": ["HEUN"]}, r"'G1' cannot guide sampler 'HEUN' of model 'ours'; expected a sampler that takes a gradient"),
    ({"figures__figure_1__panels__1__samplers": ["LANG"]}, r"sampler 'LANG' takes score_model, but model 'ours' gives eps_model"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), MISTAKES, ids=lambda v: str(v)[:40])
def test_what_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        plan(changed(**change))


# --- a run -----------------------------------------------------------------------------------------

CONFIG = "config/doors.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A copy in which all figures are drawn; with one seed and draw, to be quick."""
    folder = clone(tmp_path_factory.mktemp("doors"))
    config = doors() | {
        "seeds": [0],
        "sampling_seeds": [0],
        "milestones": [1],
        "sample_sizes": [20, 30, 40, 50],
    }
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    images = np.random.default_rng(0).integers(256, size=(60, 8, 8), dtype=np.uint8)
    np.savez(folder / "theirs.npz", arr_0=images)
    done = snakemake(folder, "all", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.workflow
def test_they_are_scored_and_drawn_beside_ours(run):
    drawn = pd.read_csv(run / "results/doors/figures/figure_1.csv")
    drawn = drawn[drawn["control"].isna()]
    assert set(drawn["model"]) == {"ours", "hub", "theirs"} and drawn["value"].notna().all()
    assert {"hub · DDIM · trained classifier"} <= set(drawn["curve"])
    assert "trained elsewhere" in (run / "results/doors/tables/table_1.md").read_text()
    record = json.loads((run / "results/doors/scores/theirs/seed-0/DDIM/none/draw-0/epoch-1.json").read_text())  # fmt: skip
    assert [m["metric"] for m in record["metrics"]] == ["is2", "kid", "precision"]
    assert record["parameters"]["identity"] == {"dataset": "digits", "samples": "theirs.npz"}


@pytest.mark.workflow
def test_exports_are_files_of_the_study(run):
    cell = "DDIM/none/draw-0/epoch-1"
    index = "results/doors/diffusers/ours/seed-0/epoch-1/model_index.json"
    done = snakemake(run, index, f"results/doors/exported/ours/seed-0/{cell}.npz", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(run / f"results/doors/exported/ours/seed-0/{cell}.npz") as result:
        assert result["arr_0"].shape == (40, 8, 8, 1)
    assert json.loads((run / index).read_text())["unet"] == ["diffusers", "UNet2DModel"]


@pytest.mark.workflow
def test_another_file_is_taken_anew_and_nothing_else(run):
    text = (run / CONFIG).read_text().replace("theirs.npz", "other.npz")
    (run / "config/other.yaml").write_text(text)
    todo = jobs(snakemake(run, "-n", "figure_1", config="config/other.yaml"))
    assert todo == {"import_samples": 1, "score_samples": 1, "plot_figure": 1, "confirm_figure": 1}


@pytest.mark.workflow
def test_images_and_weights_that_were_replaced_are_taken_anew_and_it_is_said(run):
    path = run / "theirs.npz"
    before = path.read_bytes()
    np.savez(path, arr_0=np.zeros((60, 8, 8), np.uint8))
    done = snakemake(run, "-n", "figure_1", config=CONFIG)
    assert jobs(done) == {
        "import_samples": 1,
        "score_samples": 1,
        "plot_figure": 1,
        "confirm_figure": 1,
    }
    text = done.stdout + done.stderr
    assert re.search(
        r"Params have changed .*before: 'theirs\.npz: 1 file, .* now: 'theirs\.npz", text
    )
    path.write_bytes(before)
    weights = run / "tests/data/diffusers/scheduler/scheduler_config.json"
    before = weights.read_bytes()
    weights.write_bytes(before + b"\n")
    done = snakemake(run, "-n", "figure_1", config=CONFIG)
    assert jobs(done)["import_model"] == 1
    assert "before: 'tests/data/diffusers: " in done.stdout + done.stderr
    weights.unlink()  # the folder is another, and not gone
    assert jobs(snakemake(run, "-n", "figure_1", config=CONFIG))["import_model"] == 1
    weights.write_bytes(before)
    assert jobs(snakemake(run, "-n", "figure_1", config=CONFIG)) == {}


@pytest.mark.workflow
def test_what_was_imported_stays_where_its_files_are_gone(run):
    path, away = run / "theirs.npz", run / "away.npz"
    path.rename(away)
    assert jobs(snakemake(run, "-n", "all", config=CONFIG)) == {}
    away.rename(path)


@pytest.mark.workflow
def test_a_record_says_which_images_of_which_file_were_taken(run):
    record = json.loads((run / "results/doors/scores/theirs/seed-0/DDIM/none/draw-0/epoch-1.json").read_text())  # fmt: skip
    assert record["parameters"]["chosen"] == {"of": 60, "seed": 0}
    assert record["parameters"]["source_files"].startswith("theirs.npz: 1 file, ")
