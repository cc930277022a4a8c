"""Every script, called with a stand-in for Snakemake: what it reads, what it writes, and that it starts lightly."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from resolved import sampler as resolved
from standin import Named, standin
from test_configuration import TINY, plan

from uncanny.runtime import files
from uncanny.runtime.result_paths import Cell
from uncanny.study import plan as plan_module

SCRIPTS = Path(__file__).parent.parent / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))
COMMANDS = {
    "adopt_archive",
    "analyse_evidence",
    "compare_extractors",
    "error_rates",
    "keep_evidence",
    "watch",
}  # run by hand


def main(name, snakemake):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(snakemake)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_starts_without_torch(name):
    code = f"import sys; import {name}; sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0


@pytest.mark.parametrize("job", ["training.segments", "sampling.job"])
def test_a_job_starts_without_what_few_jobs_need(job):
    """Importing scipy's statistics and optimisation takes longer than sampling digits."""
    models = "networks.song_unet, uncanny.diffusion.processes.continuous"
    rare = "('scipy.stats', 'scipy.optimize', 'matplotlib')"
    code = f"import sys, uncanny.{job}, uncanny.{models}; sys.exit(any(m in sys.modules for m in {rare}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_short(name):
    assert (SCRIPTS / f"{name}.py").read_text().count("\n") <= 60


@pytest.mark.parametrize("name", sorted(set(NAMES) - COMMANDS))
def test_a_script_says_its_rule(name):
    text = (SCRIPTS / f"{name}.py").read_text()
    rules = "".join(path.read_text() for path in (SCRIPTS.parent / "workflow/rules").glob("*.smk"))
    assert f"Rule: {name}." in " ".join(text.split())
    assert re.search(rf"rule (\w+ as )?{name}( with)?:", rules)


@pytest.fixture(scope="module")
def study():
    return plan(TINY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


def call(name, folder, *, params, wildcards=None, inputs=None, outputs=None, config=None):
    snakemake = standin(
        folder / "logs" / f"{name}.log", rule=name, params=params, wildcards=wildcards, config=config,
        input=Named(**{k: v if isinstance(v, list) else str(v) for k, v in (inputs or {}).items()}),
        output=Named(**{k: str(v) for k, v in (outputs or {}).items()}),
    )  # fmt: skip
    main(name, snakemake)


CELL = Cell("ve_cond", 0, "HEUN", "none", 0, 1)


def test_the_scripts_make_a_figure_in_turn(study, folder):
    dataset = folder / "digits/dataset.json"
    call("prepare_dataset", folder, params={"dataset": study.component("datasets", "digits"), "source_files": None},
         outputs={"description": dataset})  # fmt: skip
    assert json.loads(dataset.read_text())["num_classes"] == 10

    extractor, report = folder / "cnn.pt", folder / "cnn.json"
    call("train_extractor", folder, params={"extractor": study.component("extractors", "tiny_cnn"), "source_files": None},
         inputs={"dataset": dataset}, outputs={"extractor": extractor, "report": report})  # fmt: skip
    assert 0 < json.loads(report.read_text())["accuracy"] <= 1

    reference = folder / "reference.npz"
    call("extract_reference", folder, params={"neighbours": study.neighbours("digits"), "kernels": study.asks_for("digits", "KERNELS"), "held_out": True}, wildcards={"split": "train"},
         inputs={"dataset": dataset, "extractor": extractor}, outputs={"features": reference})  # fmt: skip
    assert len(np.load(reference)["pool"]) == 1437
    assert np.load(reference)["neighbours"].shape == (1437, 3)

    references = folder / "references.json"
    evaluation = study.evaluation("digits")
    call("score_references", folder, params={"evaluation": evaluation, "num_images": 40},
         inputs={"dataset": dataset, "extractor": extractor, "reference": reference},
         outputs={"output": references})  # fmt: skip
    assert set(json.loads(references.read_text())["references"]) == {
        "train",
        "test",
        "gaussian",
        "uniform",
    }

    checkpoint, history = folder / "epoch-1.pt", folder / "epoch-1.json"
    call("train_model", folder, params={"identity": study.identity("ve_cond"), "code": ""},
         wildcards={"model": "ve_cond", "seed": "0", "epoch": "1"}, inputs={"dataset": dataset},
         outputs={"checkpoint": checkpoint, "history": history}, config=study.config)  # fmt: skip
    assert json.loads(history.read_text())["history"][0]["loss"] > 0

    samples, record = folder / "s.npz", folder / "s.json"
    call("draw_samples", folder, wildcards={"seed": "0", "draw": "0"},
         params={"sampling": {"identity": study.identity("ve_cond"), "sampler": study.sampler("HEUN", "ve_cond"),
                          "guidance": None, "classifiers": []}, "first": 0, "num_images": 40, "code": ""},
         inputs={"checkpoint": checkpoint}, outputs={"samples": samples, "record": record})  # fmt: skip
    assert np.load(samples)["images"].shape == (40, 1, 8, 8)

    score, kept = folder / "score.json", folder / "features.npz"
    params = {"cell": plan_module.cell_record(study, CELL), "identity": study.identity("ve_cond"),
              "evaluation": evaluation, "features": str(kept)}  # fmt: skip
    inputs = {"samples": samples, "record": record, "extractor": extractor, "reference": reference}
    call("score_samples", folder, params=params, inputs=inputs, outputs={"output": score})
    first = score.read_bytes()
    times = kept.stat().st_mtime_ns
    call("score_samples", folder, params=params, inputs=inputs, outputs={"output": score})
    assert score.read_bytes() == first
    assert kept.stat().st_mtime_ns == times  # the features were used again

    growing = folder / "sizes.json"
    evaluation = study.evaluation_of_sizes("digits") | {
        "least": {"is2": 1, "kid": 30, "precision": 41, "accuracy": 1}
    }
    call(
        "score_sizes",
        folder,
        params=params | {"evaluation": evaluation, "sizes": [20, 40]},
        inputs=inputs,
        outputs={"output": growing},
    )
    measured = {
        size["n"]: [entry["metric"] for entry in size["metrics"]]
        for size in json.loads(growing.read_text())["sizes"]
    }
    assert measured == {20: ["accuracy", "is2"], 40: ["accuracy", "is2", "kid"]}

    figure = study.block("figures", "figure_1") | {
        "panels": [{"models": ["ve_cond"], "samplers": ["HEUN"]}]
    }
    outputs = {suffix: folder / f"figure_1.{suffix}" for suffix in ("pdf", "png", "csv")}
    call("plot_figure", folder, params={"figure": figure, "appearance": plan_module.appearance(study, "figure_1"), "heading": "Figure 1"},
         inputs={"scores": [str(score)], "references": [str(references)]},
         outputs=outputs | {"caption": folder / "figure_1.txt", "page": folder / "figure_1.html"})  # fmt: skip
    assert pd.read_csv(outputs["csv"])["value"].notna().any()
    assert "n = 40" in (folder / "figure_1.txt").read_text()
    assert "n = 40" in (folder / "figure_1.html").read_text()

    snakemake = standin(
        folder / "x.log", wildcards={"figure": "figure_1"}, input=Named(str(outputs["csv"]))
    )
    main("confirm_figure", snakemake)
    drawn = pd.read_csv(outputs["csv"])
    drawn.loc[0, "diverged"] = 1
    drawn.to_csv(outputs["csv"])
    with pytest.raises(ValueError, match=r"figure_1\.csv: damaged"):
        main("confirm_figure", snakemake)
    files.write_checksums([outputs["csv"]])
    with pytest.raises(
        ValueError,
        match=r"figure_1 is drawn without models that diverged: ve_cond \(from epoch 1\)",
    ):
        main("confirm_figure", snakemake)


def test_the_scripts_guide_a_walk(study, folder, tmp_path):
    """A classifier, trained and not, and the model of the same noise schedule."""
    process = {
        "process": {"kind": "discrete", "num_levels": 1000},
        "schedule": {"kind": "linear", "scale": 1.0},
    }
    blocks = {"width": 16, "multipliers": [1], "blocks": 1, "attention": []}
    dataset = tmp_path / "dataset.json"
    call("prepare_dataset", folder, params={"dataset": {"kind": "digits"}, "source_files": None}, outputs={"description": dataset})  # fmt: skip
    noisy = {
        "dataset": "digits",
        **process,
        "network": {"kind": "encoder_unet", "head_channels": 16, **blocks},
        "training": {"epochs": 1, "batch_size": 100, "lr": 0.002, "weight_decay": 0.0, "augment": "none", "seed": 0},
    }  # fmt: skip
    classifier, report = tmp_path / "noisy.pt", tmp_path / "noisy.json"
    call("train_classifier", folder, params={"identity": noisy, "code": ""}, inputs={"dataset": dataset},
         outputs={"checkpoint": classifier, "report": report})  # fmt: skip
    assert len(json.loads(report.read_text())["deciles"]) == 10

    training = {"batch_size": 100, "lr": 0.002, "ema": {"kind": "constant", "beta": 0.9}}
    model = {"dataset": "digits", **process, "network": {"kind": "unet", "dropout": 0.0, **blocks},
             "training": training, "conditional": False}  # fmt: skip
    checkpoint = tmp_path / "epoch-1.pt"
    call("train_model", folder, params={"identity": model, "code": ""}, config=study.config,
         wildcards={"model": "ve_cond", "seed": "0", "epoch": "1"},
         inputs={"dataset": dataset}, outputs={"checkpoint": checkpoint, "history": tmp_path / "epoch-1.json"})  # fmt: skip
    guidance = {"kind": "classifier", "classifier": "noisy", "scale": 2.0}
    record = tmp_path / "s.json"
    call("draw_samples", folder, wildcards={"seed": "0", "draw": "0"},
         params={"sampling": {"identity": model, "guidance": guidance, "classifiers": ["noisy"],
                          "sampler": resolved("discrete", {"kind": "ddim", "num_steps": 3, "times": "ddim", "init": "marginal"})},
                 "first": 0, "num_images": 5, "code": ""},
         inputs={"checkpoint": checkpoint, "classifiers": [str(classifier)], "dataset": dataset},
         outputs={"samples": tmp_path / "s.npz", "record": record})  # fmt: skip
    assert json.loads(record.read_text())["guidance"] == guidance
    assert np.load(tmp_path / "s.npz")["images"].shape == (5, 1, 8, 8)
