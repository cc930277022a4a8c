"""What earlier jobs took: synthetic records of known cost."""

import json

import pytest
import yaml
from listed_jobs import job_of, jobs_of
from test_configuration import ROOT, TINY, plan

from uncanny.estimate import costs, loads
from uncanny.estimate.records import Rates, typical
from uncanny.estimate.totals import Estimate, Site

A100 = costs.accelerator("A100")
CELL = "vp_uncond/seed-0/HEUN/none/draw-0/epoch-2"
SEGMENT = "vp_uncond/seed-0/epoch-1"


def write(folder, path, content):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def learn(folder, device=costs.PROCESSOR, config=TINY):
    site = Site(device, at_once=1, start=0.0, one_machine=True)
    estimate = Estimate(plan(config), folder, site, jobs_of(config))
    return estimate, estimate.rates, estimate.memory


def cost(estimate, rates, path, number=0):
    """(seconds of one unit, basis) of a work of the job that makes a file."""
    work = works_of(estimate, path)[number]
    ratio, basis, _ = rates.of(work.key)
    return ratio * work.unit_seconds, basis


def works_of(estimate, path):
    return loads.of_job(estimate.facts, job_of(estimate.every, path))[1]


def test_without_records_stated_costs_are_taken(tmp_path):
    estimate, rates, memory = learn(tmp_path)
    assert memory == {}
    assert cost(estimate, rates, f"samples/{CELL}.npz")[1] == "default"


def test_a_measured_cell_stands_for_all_of_its_network(tmp_path):
    timing = {"ms_per_nfe": 3.0, "seconds": 0.84, "device": "cpu"}
    write(tmp_path, f"samples/{CELL}.json", {"timing": timing})
    estimate, rates, _ = learn(tmp_path)
    assert cost(estimate, rates, f"samples/{CELL}.npz") == (pytest.approx(0.003), "measured")
    other = "samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.npz"  # another sampler, same network
    assert cost(estimate, rates, other) == (pytest.approx(0.003), "measured")
    stated = cost(estimate, Rates(), f"samples/{CELL}.npz")[0]
    elsewhere = "samples/ve_cond/seed-0/HEUN/none/draw-0/epoch-1.npz"  # another network
    ratio = 0.003 / stated
    result, basis = cost(estimate, rates, elsewhere)
    assert (result, basis) == (
        pytest.approx(ratio * cost(estimate, Rates(), elsewhere)[0]),
        "scaled",
    )
    assert cost(estimate, rates, f"checkpoints/{SEGMENT}.pt")[1] == "scaled"  # by the same device


def test_what_is_said_to_cost_nothing_has_no_ratio(tmp_path):
    # Features of vectors are the vectors; before its first update a model is not trained.
    config = yaml.safe_load((ROOT / "config/design_space.yaml").read_text())
    for name in ("extract_reference/ring_values/ring-test", "train_model/ring_edm/seed-0/epoch-0"):
        write(tmp_path, f"benchmarks/{name}.json", {"seconds": 0.2, "peak_memory_mb": 400.0})
    estimate, rates, memory = learn(tmp_path, config=config)
    assert {"extract_reference", "train_model"} & memory.keys()
    works = works_of(estimate, "features/ring_values/ring-test.npz")
    assert all(rates.of(work.key)[0] * work.stated < 1 for work in works)


def test_scores_keep_the_time_of_samples_that_are_gone(tmp_path):
    write(
        tmp_path,
        f"scores/{CELL}.json",
        {"timing": {"ms_per_nfe": 2.0, "seconds": 1.0, "device": "cpu"}},
    )
    estimate, rates, _ = learn(tmp_path)
    assert cost(estimate, rates, f"samples/{CELL}.npz")[0] == pytest.approx(0.002)


def test_training_is_known_by_its_updates_whatever_the_attempt_made_of_them(tmp_path):
    timing = {"seconds": 0.5, "updates": 5, "device": "cpu"}  # 5 of 12: went on after a kill
    write(tmp_path, f"checkpoints/{SEGMENT}.json", {"timing": timing})
    write(
        tmp_path, f"benchmarks/train_model/{SEGMENT}.json", {"seconds": 0.75, "peak_memory_mb": 321}
    )
    estimate, rates, memory = learn(tmp_path)
    assert cost(estimate, rates, f"checkpoints/{SEGMENT}.pt") == (pytest.approx(0.1), "measured")
    assert cost(estimate, rates, f"checkpoints/{SEGMENT}.pt", 1)[0] == pytest.approx(0.25)
    assert memory == {"train_model": 321}


def test_one_slow_job_is_forgiven(tmp_path):
    for epoch, ms in ((1, 1.0), (2, 9.0)):
        timing = {"ms_per_nfe": ms, "seconds": 1.0, "device": "cpu"}
        path = f"samples/vp_uncond/seed-0/HEUN/none/draw-0/epoch-{epoch}.json"
        write(tmp_path, path, {"timing": timing})
    timing = {"ms_per_nfe": 1.2, "seconds": 1.0, "device": "cpu"}
    write(tmp_path, "samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json", {"timing": timing})
    estimate, rates, _ = learn(tmp_path)
    result = cost(estimate, rates, "samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-2.npz")[0]
    assert result == pytest.approx(0.0012)


def test_benchmarks_time_what_has_no_clock_of_its_own(tmp_path):
    write(
        tmp_path, f"benchmarks/score_samples/{CELL}.json", {"seconds": 2.15, "peak_memory_mb": 700}
    )
    estimate, rates, memory = learn(tmp_path)
    path = f"scores/{CELL}.json"
    whole = sum(cost(estimate, rates, path, part)[0] for part in (0, 1))
    assert whole == pytest.approx(2.15)
    assert cost(estimate, rates, path)[1] == "measured"
    assert memory["score_samples"] == 700


def test_times_of_a_processor_say_nothing_about_an_accelerator(tmp_path):
    write(
        tmp_path,
        f"samples/{CELL}.json",
        {"timing": {"ms_per_nfe": 3.0, "seconds": 1.0, "device": "cpu"}},
    )
    features = "tiny_cnn/digits-train"
    write(tmp_path, f"benchmarks/extract_reference/{features}.json", {"seconds": 99.0})
    write(tmp_path, f"benchmarks/score_samples/{CELL}.json", {"seconds": 9.0})
    write(tmp_path, "benchmarks/plot_figure/figure_1.json", {"seconds": 3.0})
    estimate, rates, _ = learn(tmp_path, A100)
    assert cost(estimate, rates, f"samples/{CELL}.npz")[1] == "default"
    assert cost(estimate, rates, f"features/{features}.npz")[1] == "default"
    assert cost(estimate, rates, f"scores/{CELL}.json")[1] == "measured"  # without a GPU anyway
    assert cost(estimate, rates, "figures/figure_1.csv") == (pytest.approx(3.0), "measured")


def test_a_job_of_several_kinds_of_work_teaches_its_memory_alone(tmp_path):
    job = "benchmarks/time_sampling/ddpm_cosine/seed-0/epoch-2.json"
    write(tmp_path, job, {"seconds": 1000.0, "peak_memory_mb": 900.0})
    estimate, rates, memory = learn(tmp_path)
    cell = "samples/ddpm_cosine/seed-0/DDIM/none/draw-0/epoch-1.npz"
    assert cost(estimate, rates, cell)[1] == "default"
    assert memory["time_sampling"] == 900.0


@pytest.mark.parametrize("content", ["", "[1]", '{"timing": {}}', "not JSON"])
def test_damaged_and_empty_records_are_passed_over(tmp_path, content):
    write(tmp_path, f"samples/{CELL}.json", content)
    write(tmp_path, f"benchmarks/draw_samples/{CELL}.json", content)
    estimate, rates, _ = learn(tmp_path)
    assert cost(estimate, rates, f"samples/{CELL}.npz")[1] == "default"


def test_the_longest_known_prefix_of_a_key_counts():
    rates = Rates()
    rates.learn(("evaluation", "net", (), "heun"), 2.0)
    rates.learn(("evaluation", "other", (), "heun"), 8.0)
    assert rates.of(("evaluation", "net", (), "euler")) == (2.0, "measured", 1)
    assert rates.of(("evaluation", "third", (), "euler")) == (5.0, "scaled", 2)
    assert rates.of(("update", "net", 32)) == (5.0, "scaled", 2)
    assert rates.of(("rest", "train_model")) == (1.0, "default", 0)


def test_many_records_count_by_their_mean_without_the_extremes():
    assert typical([1.0, 2.0, 900.0]) == 2.0
    assert typical([0.0, *[1.0] * 6, *[3.0] * 2, 1e6]) == pytest.approx(12 / 8)
