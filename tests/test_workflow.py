"""The workflow as a user runs it: the tiny study end to end, what a change reruns, and how mistakes show."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from uncanny.claims.finding import VERDICTS

ROOT = Path(__file__).parent.parent
CONFIG = "tests/tiny.yaml"
pytestmark = pytest.mark.workflow


def snakemake(folder, *arguments, config=CONFIG, environment=None):
    """Run Snakemake in a folder as from a terminal."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    command += ["--configfile", config] if config else []
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


def jobs(done):
    """Job counts by rule from Snakemake's own table; empty where nothing is to be done."""
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    if "Job stats:" not in text:
        assert "Nothing to be done" in text, text
        return {}
    table = text.split("Job stats:")[1].split("total")[0]
    counts = dict(re.findall(r"^(\w+) +(\d+)$", table, flags=re.M))
    return {
        rule: int(count)
        for rule, count in counts.items()
        if not rule.startswith(("all", "figure", "table", "claims"))
    }


def dry_run(folder, *arguments, config=CONFIG):
    return jobs(snakemake(folder, "--dry-run", *arguments, config=config))


def clone(target):
    """The repository's own files, as a fresh clone has them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A clone in which the tiny study has run once."""
    folder = clone(tmp_path_factory.mktemp("clone"))
    done = snakemake(folder, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def copy_of(study, target):
    """The finished study in another folder, with file times and Snakemake's own records."""
    return shutil.copytree(study, target, symlinks=True, dirs_exist_ok=True)


@contextlib.contextmanager
def edited(folder, name, *replacements):
    """A file with pieces of text replaced (their first occurrences), as long as the block lasts."""
    path = folder / name
    before = path.read_text()
    text = before
    for old, new in replacements:
        assert old in text, f"{name}: no {old!r}"
        text = text.replace(old, new, 1)
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


# -- the whole path ---------------------------------------------------------------------------------


def test_figures_come_in_three_formats_and_hold_what_is_drawn(study):
    for figure in ("figure_1", "figure_2"):
        folder = study / "results/tiny/figures"
        assert (folder / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert len(pd.read_csv(folder / f"{figure}.csv")) > 2
    drawn = pd.read_csv(study / "results/tiny/figures/figure_1.csv")
    score = json.loads(
        (study / "results/tiny/scores/ve_cond/seed-0/HEUN/none/draw-0/epoch-2.json").read_text()
    )
    value = next(m["value"] for m in score["metrics"] if m["metric"] == "is2")
    row = drawn[(drawn["model"] == "ve_cond") & (drawn["epoch"] == 2)]
    assert row["value"].item() == pytest.approx(value, rel=1e-12)


def test_companions_tables_and_claims_come_with_all(study):
    results = study / "results/tiny"
    for number in (3, 4, 5, 6):
        assert (results / f"figures/figure_{number}.png").read_bytes().startswith(b"\x89PNG")
        assert len((results / f"figures/figure_{number}.txt").read_text()) > 40
    for name in ("table_1", "table_2", "claims"):
        assert len(pd.read_csv(results / f"tables/{name}.csv")) >= 2
        assert r"\toprule" in (results / f"tables/{name}.tex").read_text()
        assert (results / f"tables/{name}.md").read_text().startswith("## ")


def test_a_claim_about_what_the_study_lacks_is_not_testable(study):
    claims = pd.read_csv(study / "results/tiny/tables/claims.csv").set_index("claim")
    assert claims.loc["C02", "verdict"] == "not testable"
    assert "model absent" in claims.loc["C02", "reading"]
    assert claims.loc["C01", "verdict"] in {*VERDICTS} - {"not testable"}
    assert claims.loc["C01", "low"] < claims.loc["C01", "estimate"] < claims.loc["C01", "high"]


def test_a_guided_record_says_how_strong_the_push_was(study):
    path = "results/tiny/scores/ddpm_cosine/seed-0/DDIM/G1/draw-0/epoch-2.json"
    score = json.loads((study / path).read_text())
    assert score["parameters"]["guidance"]["classifier"] == "noisy"
    assert all(entry["rho_ddim"] > 0 for entry in score["guidance_deciles"])


def test_larger_sets_begin_with_the_cells_own_images(study):
    path = "vp_uncond/seed-0/EUL/none/draw-0/epoch-2.npz"
    few = np.load(study / "results/tiny/samples" / path)["images"]
    many = np.load(study / "results/tiny/sizes/samples" / path)["images"]
    assert (len(few), len(many)) == (40, 80)
    assert np.abs(many[:40].astype(int) - few).max() <= 1  # to rounding: other batches


def test_a_record_says_what_made_it(study):
    score = json.loads(
        (study / "results/tiny/scores/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json").read_text()
    )
    assert score["cell"] == {
        "study": "tiny", "dataset": "digits", "model": "vp_uncond", "seed": 0,
        "sampler": "EUL", "guidance": "none", "draw": 0, "epoch": 1,
    }  # fmt: skip
    assert score["nfe"] == 4
    assert score["status"] == "ok"
    assert {m["metric"] for m in score["metrics"]} == {"is2", "kid", "precision", "accuracy"}
    for metric in score["metrics"]:
        assert metric["se"] > 0
        assert metric["n"] == 40
        assert re.fullmatch(r"classifier@[0-9a-f]{12}", metric["extractor"])
    assert score["timing"]["ms_per_nfe"] > 0


def test_everything_outside_timing_is_the_same_bytes_again(study):
    name = "results/tiny/scores/ddpm_cosine/seed-0/MARK/none/draw-0/epoch-1.json"
    kept = (study / name).read_text()
    done = snakemake(
        study, name, "--force", "--forcerun", "train_model", "draw_samples", "score_samples"
    )
    assert done.returncode == 0, done.stderr
    timeless = [
        {k: v for k, v in json.loads(t).items() if k != "timing"}
        for t in (kept, (study / name).read_text())
    ]
    assert json.dumps(timeless[0], sort_keys=True) == json.dumps(timeless[1], sort_keys=True)
    snakemake(study, "all_figures")


def test_nothing_is_to_be_done_afterwards(study):
    assert dry_run(study, "all") == {}


def test_the_estimate_counts_the_jobs_that_snakemake_counts(study):
    for _ in range(2):  # whenever it is asked for
        done = snakemake(study, "estimate")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Study tiny on processor cores, 2 jobs at a time" in done.stdout
    rows = pd.read_csv(study / "results/tiny/tables/estimate.csv").set_index("target")
    for target in ("all", "all_figures", "figure_2", "claims"):
        assert rows.loc[target, "jobs"] == sum(dry_run(study, target, "--forceall").values())
        assert rows.loc[target, "jobs_left"] == 0
    assert "measured" in rows.loc["all", "basis"]
    assert dry_run(study, "all") == {}


NEW_RULE = """
rule blur:
    input:
        "<results>/datasets/{dataset}/dataset.json",
    output:
        "<results>/blurred/{dataset}.txt",
    resources:
        gpu=1,
    shell:
        "touch {output}"


rule archive:"""
NEW_COST = """

@entry("blurring", "blur")
def _blur(facts: Facts, job: Job, **_) -> Load:
    return Load([Work((job.rule,), 1, 3600.0)])
"""


def test_a_rule_that_is_added_is_in_the_estimate_with_at_most_one_entry(tmp_path):
    folder = clone(tmp_path)
    text = (folder / "Snakefile").read_text().replace("\nrule archive:", NEW_RULE)
    needed = "rule all:\n    input:\n"
    text = text.replace(needed, needed + '        "<results>/blurred/digits.txt",\n')
    (folder / "Snakefile").write_text(text)
    options = ["--config", "seeds=[0,1]"]  # the command line holds for what is counted

    def estimate():
        done = snakemake(folder, "estimate", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, pd.read_csv(folder / "results/tiny/tables/estimate.csv")

    printed, rows = estimate()
    assert "No cost is stated for blur (1 job)" in " ".join(printed.split())
    assert rows.set_index("work").loc["blur (no stated cost)", "jobs"] == 1
    wanted = dry_run(folder, "all", *options)
    assert wanted["blur"] == 1
    assert wanted["train_model"] == 16
    assert rows.set_index("target").loc["all", "jobs"] == sum(wanted.values())
    with (folder / "scripts/uncanny/estimate/loads.py").open("a") as file:
        file.write(NEW_COST)
    printed, rows = estimate()
    assert "No cost is stated" not in printed
    assert 1 < rows.set_index("work").loc["blurring", "device_hours"] < 1.01


def test_the_report_is_one_file_with_all_figures(study):
    done = snakemake(study, "all_figures", "--report", "results/tiny/report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (study / "results/tiny/report.html").read_text()
    assert "figure_1.html" in page
    assert "n = 40 images" in page


def test_the_figure_of_verdicts_is_made_from_the_scorecard(study, tmp_path):
    study = copy_of(study, tmp_path / "clone")
    block = "  figure_claims: {kind: claims, supplementary: true}\ntables:\n"
    with edited(study, CONFIG, ("tables:\n", block)):
        assert dry_run(study, "figure_claims") == SOME
        assert dry_run(study) == {}
        done = snakemake(study, "figure_claims")
        assert done.returncode == 0, done.stdout + done.stderr
    assert "2 claims: " in (study / "results/tiny/figures/figure_claims.txt").read_text()


def test_one_figure_by_its_name_costs_only_its_own_cells(study):
    wanted = dry_run(study, "figure_2", "--forceall")
    assert wanted["draw_samples"] == wanted["score_samples"] == 4
    assert wanted["train_model"] == 2
    assert wanted["plot_figure"] == 1


# -- what a change reruns ---------------------------------------------------------------------------

PLOT = {"plot_figure": 2, "confirm_figure": 2}
SOME = {"plot_figure": 1, "confirm_figure": 1}
CHANGES = {
    "a sampler's parameter": (
        CONFIG, [("EUL: {kind: euler, num_steps: 4", "EUL: {kind: euler, num_steps: 6")],
        {"draw_samples": 2, "score_samples": 2} | SOME,
    ),
    "a model's learning rate": (
        CONFIG, [("  adam: {", "  other: {batch_size: 128, lr: 0.001}\n  adam: {"),
                 ("process: vp, network: ddpmpp, training: adam", "process: vp, network: ddpmpp, training: other")],
        {"train_model": 2, "draw_samples": 4, "score_samples": 4} | PLOT,
    ),
    "one more milestone at the end": (
        CONFIG, [("milestones: [1, 2]", "milestones: [1, 2, 3]")],
        {"train_model": 3, "draw_samples": 5, "score_samples": 5} | PLOT,
    ),
    "the number of images": (
        CONFIG, [("num_images: 40", "num_images: 50")],
        {"draw_samples": 10, "score_samples": 10, "score_references": 1} | PLOT,
    ),
    "the number of images of a dataset": (
        CONFIG, [("extractor: tiny_cnn, metrics", "extractor: tiny_cnn, num_images: 30, metrics")],
        {"draw_samples": 10, "score_samples": 10, "score_references": 1} | PLOT,
    ),
    "a metric's option": (
        CONFIG, [("splits: 2", "splits: 4")],
        {"score_samples": 10, "score_references": 1} | PLOT,
    ),
    "a label": (CONFIG, [('label: "VP"', 'label: "variance preserving"')], PLOT),
    "a colour": (CONFIG, [('label: "VP"', 'label: "VP"\n    color: "#000000"')], PLOT),
    "a sampler's label": (CONFIG, [('label: "DDIM"', 'label: "implicit"')], SOME),
    "a panel's title": (CONFIG, [('title: "Heun"', 'title: "Second order"')], SOME),
    "an unused block": (CONFIG, [("\nsamplers:", "\nsamplers:\n  UNUSED: {kind: heun, num_steps: 3, grid: ve}")], {}),
    "the order of keys": (CONFIG, [("kind: heun, num_steps: 4", "num_steps: 4, kind: heun")], {}),
    "one sampler's module": (
        "scripts/uncanny/samplers/ddim.py", [("x = x.double()", "x = 1.0 * x.double()")],
        {"draw_samples": 2, "score_samples": 2} | SOME,
    ),
    "the plotting module": ("scripts/uncanny/figures/curves.py", [('errors == "side"', '"side" == errors')], PLOT),
    "a comment in a network": (
        "scripts/uncanny/networks/song_unet.py", [("\nclass ", "\n# A remark.\nclass ")], {},
    ),
    "a docstring in a network": (
        "scripts/uncanny/networks/unet.py", [('"""', '"""Note. ')], {},
    ),
    "a network": (
        "scripts/uncanny/networks/song_unet.py", [("embedding: Literal", "more: int = 1,\n    embedding: Literal")],
        {"train_model": 4, "draw_samples": 6, "score_samples": 6} | PLOT,
    ),
    "a schedule that no model has": ("scripts/uncanny/diffusion/schedules.py", [("width: Positive = 6.0", "width: Positive = 5.0")], {}),
    "how jobs are started": ("scripts/uncanny/workflow/fork_server.py", [("listen(128)", "listen(64)")], {}),
    "a metric's code": (
        "scripts/uncanny/evaluation/metrics.py", [("(share * n + 1) / (n + 2)", "(share * n + 2) / (n + 4)")],
        {"score_samples": 10, "score_references": 1, "train_extractor": 1, "extract_reference": 1} | PLOT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_what_it_must(study, change):
    name, replacements, expected = CHANGES[change]
    with edited(study, name, *replacements):
        assert dry_run(study) == expected


CLAIMS = {"assess_claims": 1}
CHANGES_OF_ALL = {
    "a classifier's training": (
        [("noisy: {network: clf, epochs: 1", "noisy: {network: clf, epochs: 2")],
        {"train_classifier": 1, "draw_samples": 2, "score_samples": 2, "time_sampling": 1, "make_table": 1} | SOME,
    ),
    "a guidance's scale": (
        [("norm_of: noisy,", "norm_of: noisy, scale: 2.0,")], {"draw_samples": 1, "score_samples": 1} | SOME,
    ),
    "the sample sizes": (
        [("[20, 30, 50, 80]", "[20, 30, 50, 60]")], {"draw_part": 1, "gather_many_samples": 1, "score_sizes": 1} | SOME,
    ),
    "what a claim says": ([("second-order sampler is better", "second-order sampler wins")], CLAIMS),
    "a claim's option": ([("options: {metric: is2}", "options: {metric: kid}")], CLAIMS),
    "a table's title": ([('title: "Samplers"', 'title: "All samplers"')], {"make_table": 1}),
    "how often timing repeats": (
        [("sample_sizes:", "timing: {batches: 6}\nsample_sizes:")], {"time_sampling": 1, "make_table": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES_OF_ALL)
def test_a_change_of_guidance_tables_or_claims_reruns_what_it_must(study, change):
    replacements, expected = CHANGES_OF_ALL[change]
    with edited(study, CONFIG, *replacements):
        assert dry_run(study, "all") == expected


def test_a_milestone_on_the_grid_adds_cells_only(study):
    """Checkpoints at epochs 1 and 2 are there; a study that used only the last gains cells, not training."""
    with edited(study, CONFIG, ("milestones: [1, 2]", "milestones: [2]")):
        assert "train_model" not in dry_run(study)
    assert dry_run(study) == {}


def test_touching_every_source_reruns_nothing(study):
    for path in study.rglob("*"):
        if "results" not in path.parts and ".snakemake" not in path.parts and path.is_file():
            os.utime(path)
    assert dry_run(study) == {}


def test_more_seeds_add_runs_of_their_own(study):
    wanted = dry_run(study, "--config", "seeds=[0,1]")
    assert wanted == {"train_model": 6, "draw_samples": 10, "score_samples": 10} | PLOT


def test_without_a_config_the_default_study_is_planned(study):
    wanted = dry_run(study, config=None)
    assert wanted["draw_samples"] == wanted["score_samples"] > 250  # of grids, too


def test_the_command_line_overrides_keys_of_the_default_study(tmp_path):
    folder = clone(tmp_path)
    changes = ["study=mine", "datasets={digits: {test_fraction: 0.3}}", 'timing={"batches": 7}']
    done = snakemake(folder, "--dry-run", "figure_5", "--config", *changes, config=None)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "results/mine/figures/figure_5.pdf" in text and "results/digits" not in text


def test_a_config_file_is_a_study_of_its_own(tmp_path):
    (tmp_path / "part.yaml").write_text("num_images: 50\n")
    done = snakemake(ROOT, "--dry-run", config=str(tmp_path / "part.yaml"))
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in text
    assert "config: study: missing; datasets: missing" in text


# -- on another machine -----------------------------------------------------------------------------

DRAWN = {"plot_figure": 6, "confirm_figure": 6, "make_table": 2, "assess_claims": 1}


def test_an_archive_redraws_everything_where_no_checkpoint_is(study, tmp_path):
    done = snakemake(study, "archive")
    assert done.returncode == 0, done.stdout + done.stderr
    other = clone(tmp_path)
    adopt = [sys.executable, "scripts/adopt_archive.py", str(study / "results/tiny/archive.tar")]
    done = subprocess.run([*adopt, CONFIG], cwd=other, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert dry_run(other, "all") == DRAWN
    done = snakemake(other, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(other.glob("results/tiny/checkpoints")) + list(other.rglob("*.pt"))
    for path in (study / "results/tiny/figures").glob("*.csv"):
        assert (other / "results/tiny/figures" / path.name).read_bytes() == path.read_bytes()
    assert dry_run(other, "all") == {}
    with edited(other, CONFIG, ("num_steps: 4, grid", "num_steps: 5, grid")):
        done = subprocess.run([*adopt, CONFIG], cwd=other, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "archive.tar: made with samplers" in done.stderr


# -- mistakes ---------------------------------------------------------------------------------------


def test_a_config_mistake_stops_before_any_job(study):
    with edited(study, CONFIG, ("num_images: 40", "num_imagse: 40")):
        done = snakemake(study)
    assert done.returncode != 0
    assert "num_imagse: unknown key; did you mean 'num_images'?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_diverged_model_is_named_and_takes_nothing_down(study, tmp_path):
    folder = copy_of(study, tmp_path)
    changes = [("  adam: {", "  wild: {batch_size: 128, lr: 1.0e+30}\n  adam: {"),
               ("network: ncsnpp, training: adam", "network: ncsnpp, training: wild")]  # fmt: skip
    with edited(folder, CONFIG, *changes):
        for _ in range(2):  # also when nothing is left to compute
            done = snakemake(folder)
            text = done.stdout + done.stderr
            assert done.returncode != 0
            assert "figure_1 is drawn without models that diverged: ve_cond (from epoch 1)" in text
    drawn = pd.read_csv(folder / "results/tiny/figures/figure_1.csv")
    assert set(drawn[drawn["status"] == "ok"]["model"].dropna()) == {"vp_uncond", "ddpm_cosine"}
    record = json.loads(
        (folder / "results/tiny/scores/ve_cond/seed-0/HEUN/none/draw-0/epoch-2.json").read_text()
    )
    assert record["status"] == "diverged"
    assert "loss not finite" in record["reason"]
    assert (folder / "results/tiny/figures/figure_2.complete").exists()


@pytest.mark.parametrize(
    ("victim", "target", "message"),
    [
        ("datasets/digits/train-images.npy", "checkpoints/vp_uncond/seed-0/epoch-1.pt", "bytes, expected"),
        ("checkpoints/vp_uncond/seed-0/epoch-1.pt", "checkpoints/vp_uncond/seed-0/epoch-2.pt", "not a whole checkpoint"),
        ("samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.npz", "scores/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json",
         "not a whole set of samples"),
        ("extractors/tiny_cnn.pt", "scores/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json", "not readable as"),
        ("scores/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json", "figures/figure_2.csv", "not valid JSON"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_and_good_ones_stay(study, tmp_path, victim, target, message):
    folder = copy_of(study, tmp_path)
    path = folder / "results/tiny" / victim
    times = path.stat()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    others = {
        p: p.read_bytes() for p in (folder / "results/tiny/checkpoints").rglob("*.pt") if p != path
    }
    (folder / "results/tiny" / target).unlink()
    done = snakemake(folder, f"results/tiny/{target}")
    assert done.returncode != 0
    line = next(x for x in done.stderr.splitlines() if message in x)
    assert Path(victim).name in line
    for file, content in others.items():
        if file != folder / "results/tiny" / target:
            assert file.read_bytes() == content
