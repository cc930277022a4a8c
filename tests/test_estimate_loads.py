"""Amounts of work, counted by hand for the tiny study; sizes of data and networks."""

import copy
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from listed_jobs import job_of, jobs_of
from test_configuration import TINY, changed, plan

from uncanny import datasets
from uncanny.estimate import costs, loads, model_loads, networks, scoring_loads
from uncanny.estimate.data import Data, noise_levels, of_dataset
from uncanny.estimate.facts import Facts
from uncanny.estimate.totals import Estimate, Site
from uncanny.registry import components
from uncanny.sampling import trajectories
from uncanny.study import configuration
from uncanny.study.study import Study

A100 = costs.accelerator("A100")

ROOT = Path(__file__).parent.parent
NOWHERE = Path("/nonexistent")


def estimated(config, device):
    site = Site(device, at_once=1, start=0.0, one_machine=True)
    return Estimate(plan(config), NOWHERE, site, jobs_of(config))


@pytest.fixture(scope="module")
def tiny():
    return estimated(TINY, costs.PROCESSOR)


@pytest.fixture(scope="module")
def paper():
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    return estimated(config, A100)


def first_work(estimate, path):
    """The first work of the job that makes a file."""
    return loads.of_job(estimate.facts, job_of(estimate.every, path))[1][0]


def own_work(estimate, target):
    """rule -> sum of the amounts of the jobs' own work."""
    sums = {}
    for job in estimate.jobs.behind(estimate.jobs.targets[target]):
        works = loads.of_job(estimate.facts, job)[0].works
        sums[job.rule] = sums.get(job.rule, 0) + sum(work.amount for work in works)
    return sums


def test_updates_of_the_tiny_study(tiny):
    # 1,437 images in batches of 128: 12 updates to the end of epoch 1, 23 to that of epoch 2.
    # Four models to epoch 2; `noisy` one epoch on each schedule that it guides (one), `untrained` none.
    result = own_work(tiny, "all")
    assert result["train_model"] == 4 * 23
    assert result["train_classifier"] == 12
    assert result["time_training"] == 5 * (5 + 20)  # five updates before each block
    segments = [
        first_work(tiny, f"checkpoints/vp_uncond/seed-0/epoch-{epoch}.pt") for epoch in (1, 2)
    ]
    assert [work.amount for work in segments] == [12, 11]


def test_four_gpus_train_a_model_in_less_time_and_more_gpu_hours():
    config = copy.deepcopy(TINY)
    for recipe in config["training"].values():
        recipe["gpus"] = 4
    one, four = (estimated(c, A100).costs for c in (TINY, config))
    is_training = one["kind"] == "training"
    seconds = [each.loc[is_training, "default"] - A100.rest for each in (one, four)]
    assert seconds[1].to_numpy() == pytest.approx(seconds[0].to_numpy() / (4 * costs.TOGETHER))
    assert set(four.loc[is_training, "gpus"]) == {4} and set(one["gpus"]) == {1}


def test_evaluations_of_the_tiny_study(tiny):
    # HEUN 2·4 − 1 = 7, EUL 4, DDIM and MARK 5, LANG 4 levels + 1; 40 images each.
    figure_1 = 40 * (2 * 2 * 7 + 2 * 2 * 5)
    figure_2 = 40 * (2 * 7 + 2 * 4)
    assert own_work(tiny, "figure_1")["draw_samples"] == figure_1
    assert own_work(tiny, "figure_2")["draw_samples"] == figure_2
    # Besides: DDIM with G1, with G2, from the marginal, and LANG, at epoch 2.
    both = figure_1 + 40 * 2 * 4
    result = own_work(tiny, "all")
    assert result["draw_samples"] == both + 40 * (3 * 5 + 5)
    assert result["draw_part"] == 40 * 4  # images 40..79 of the largest sample size
    assert result["time_sampling"] == 2 * 6 * 40 * 5
    assert result["trace_process"] == trajectories.CANDIDATES * (5 + 5 + 7)


def test_guided_evaluations_cost_their_gradients(tiny):
    def work(guidance):
        path = f"samples/ddpm_cosine/seed-0/DDIM/{guidance}/draw-0/epoch-2.npz"
        return first_work(tiny, path)

    works = [work(guidance) for guidance in ("none", "G1", "G2")]
    assert len({work.amount for work in works}) == 1
    unguided, one, two = (work.unit_seconds for work in works)
    assert unguided < one
    assert two - unguided == pytest.approx(2 * (one - unguided))  # two classifiers
    assert len({work.key for work in works}) == 3


@pytest.mark.parametrize(("scale", "factor"), [(1.0, 1), (0.0, 2), (3.0, 2)])
def test_classifier_free_guidance_costs_two_evaluations(scale, factor):
    config = changed(("guidances", "CFG"), {"kind": "classifier_free", "scale": scale})
    facts = Facts(plan(config), NOWHERE)
    assert facts.evaluations("HEUN", "ve_cond", "none") == 7
    assert facts.evaluations("HEUN", "ve_cond", "CFG") == 7 * factor
    assert facts.evaluations("DDIM", "ddpm_cosine", "G1") == 5


def test_scoring_at_published_scale_fits_what_its_rules_ask_for(paper):
    """8 GB; of 50,000 images only the metrics that are asked for, and no job of an hour."""
    jobs = [job for job in paper.every if job.rule.startswith("score_")]
    assert {"score_samples", "score_sizes", "score_references"} == {job.rule for job in jobs}
    assert paper.costs.loc[[job.name for job in jobs], "memory"].max() < 8000
    seconds = {job: loads.of_job(paper.facts, job)[1][0].unit_seconds for job in jobs}
    assert max(seconds[job] for job in jobs if job.rule == "score_samples") < 900
    assert max(seconds.values()) < 3600


def unchecked(config):
    """A study whose models may not fit its data."""
    return Study(configuration.validated(copy.deepcopy(config), ROOT))


def test_data_are_expected_as_they_come_out(tmp_path):
    for kind, tolerance in (("digits", 0), ("photos", 0.1)):
        folder = tmp_path / "datasets" / kind
        options = {"digits": {}, "photos": {"patch_size": 16}}[kind]
        components.load("datasets", kind)(folder, **options)
        study = unchecked(TINY | {"datasets": {"digits": {"kind": kind}}})
        expected = of_dataset(study, "digits", NOWHERE)
        made = datasets.Dataset.open(folder)
        assert expected.shape == made.shape
        assert expected.num_classes == made.num_classes
        assert expected.train == pytest.approx(len(made.train), rel=tolerance, abs=0)
        assert expected.test == pytest.approx(len(made.test), rel=tolerance, abs=0)


def test_prepared_data_are_taken_as_they_are(tmp_path):
    text = {
        "shape": [1, 2, 2],
        "num_classes": 3,
        "splits": {"train": {"count": 7}, "test": {"count": 5}},
    }
    (tmp_path / "datasets/digits").mkdir(parents=True)
    (tmp_path / "datasets/digits/dataset.json").write_text(json.dumps(text))
    assert of_dataset(plan(TINY), "digits", tmp_path) == Data((1, 2, 2), 7, 5, 3)


def test_files_that_nobody_has_counted_are_expected_as_the_config_has_them():
    block = {"kind": "images", "root": "nowhere", "resolution": 16, "channels": 1}
    study = unchecked(TINY | {"datasets": {"digits": block}})
    assert of_dataset(study, "digits", NOWHERE).shape == (1, 16, 16)


def test_sizes_of_files_come_from_the_config(paper):
    assert paper.facts.data("imagenet") == Data((3, 64, 64), 1_281_167, 50_000, 0)
    assert paper.facts.data("cifar10") == Data((3, 32, 32), 50_000, 10_000, 10)


def test_noise_levels_follow_the_rules_of_ncsnv2():
    derived = {"kind": "annealed", "num_levels": None, "sigma_max": None, "sigma_min": 0.01}
    result = noise_levels(derived, Data((3, 32, 32), 50_000, 10_000, 10))
    assert result == pytest.approx(232, rel=0.06)  # published for CIFAR-10
    assert noise_levels(derived | {"num_levels": 7}, Data((1, 8, 8), 1, 1, 0)) == 7


def test_operations_of_a_network_counted_by_hand():
    block = {"kind": "mlp"} | components.resolve("networks", "mlp", {"width": 16}, "mlp")
    size = networks.of_network(block, (8,), 0)
    network = components.load("networks", "mlp")((8,), 0, width=16)
    assert size.parameters == sum(p.numel() for p in network.parameters())
    # Every matrix is used once for an image: a multiplication and an addition for each weight.
    assert size.flops == 2 * sum(p.numel() for p in network.parameters() if p.ndim == 2)


def test_the_default_trains_ddpm_as_fast_as_the_paper_did(paper):
    # 90 epochs of CIFAR-10 in batches of 32: 298 minutes (arXiv 2402.13369, Table A.5).
    work = first_work(paper, "checkpoints/ddpm_cosine/seed-0/epoch-10.pt")
    assert work.amount == math.ceil(10 * 50_000 / 32)
    seconds = costs.update(paper.facts.size("ddpm_cosine"), 32, A100, "fp32")
    assert 9 * work.amount * seconds / 60 == pytest.approx(298, rel=0.05)
    assert work.stated < work.amount * seconds / 2  # the study trains in tf32


def test_the_default_samples_ddpmpp_as_fast_as_the_paper_did(paper):
    # 10,000 images with 512 evaluations: 79 minutes (Table A.5), faster than fp32 can be.
    work = model_loads.evaluations(paper.facts, "vp_uncond", "EUL", "none", 10_000, 10_000)
    assert work.amount == 10_000 * 512
    assert work.stated / 60 == pytest.approx(79, rel=0.1)


def test_rates_of_tensor_cores_are_those_that_were_measured(paper):
    """On the H200: images per second of DDPM from batch 32 to 128, and of DDPM++ with HEDM."""
    parts = json.loads((ROOT / "results/measured/gpu/speed.json").read_text())["parts"]
    ddpm, ddpmpp = (paper.facts.size(name).flops for name in ("ddpm_cosine", "vp_uncond"))
    card = costs.accelerator("H200")
    for precision in ("tf32", "bf16"):
        small, large = (
            np.median(parts[f"training {precision} {n}"]["DDPM U-Net"]["ms_per_update"]) / 1000
            for n in (32, 128)
        )
        trained = costs.TRAINING * (128 - 32) * ddpm / (large - small)
        assert card.training[precision] == pytest.approx(trained, rel=0.03)
        drawn = parts[f"sampling {precision} HEDM"]
        sampled = drawn["batch"] * drawn["nfe"] * ddpmpp / drawn["seconds"]
        assert card.sampling[precision] == pytest.approx(sampled, rel=0.08)
    shares = [card.training[p] / A100.training[p] for p in ("tf32", "bf16")]
    assert shares == pytest.approx([494.5 / 156, 989.5 / 312])


def test_no_draw_of_the_paper_takes_longer_than_its_shards_allow(paper):
    shard = paper.facts.study.config["shard_images"]
    assert shard <= paper.shard_images()
    assert not any(row["exceed"] for row in paper.of_limits())


def test_limits_need_no_torch_here():
    """A process without torch asks another for the sizes of networks."""
    code = """
import json, sys, yaml
from pathlib import Path
from uncanny.estimate.limits import Limits
from uncanny.study import configuration
from uncanny.study.study import Study
root = Path(sys.argv[1])
config = yaml.safe_load((root / "tests/tiny.yaml").read_text())
limits = Limits(Study(configuration.validated(config, root)), Path("nowhere"))
asked = {"model": "vp_uncond", "seed": "0", "epoch": "2"}
print(limits.minutes("train_model", asked, True), "torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)], env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["21", "False"], done.stderr


@pytest.mark.parametrize(("sampler", "nfe"), [("HEDM", 35), ("MARK", 1000), ("LANG", 1161)])
def test_evaluations_of_the_paper(paper, sampler, nfe):
    model = {"MARK": "ddpm_cosine", "LANG": "ncsnv2"}.get(sampler, "ve_uncond")
    assert paper.facts.nfe(sampler, model) == nfe


def test_metrics_cost_by_features_and_files_by_logits_too():
    """How many classes a folder of images has is not known before it is there: 1,000 are kept room for."""
    study = plan(yaml.safe_load((ROOT / "config/cifar10_cpu.yaml").read_text()))
    facts = Facts(study, NOWHERE)
    _, (features, logits) = facts.extractor("cifar10_cnn")
    assert (features, logits) == (64, 1000)
    score = scoring_loads._score_seconds(facts, "cifar10", 1000, ["fid"], costs.PROCESSOR)
    assert 0.3 < score < 3  # measured: 1.5 s with four more metrics
    assert facts.features("cifar10") == 1064
