"""What earlier jobs took: synthetic records of known cost."""

import json
import os

import pytest
import yaml
from test_configuration import ROOT, TINY, plan

from uncanny.estimate import costs, records
from uncanny.estimate.amounts import Amounts
from uncanny.estimate.facts import Facts
from uncanny.estimate.listing import Listing
from uncanny.estimate.records import Rates, typical

CELL = "vp_uncond/seed-0/HEUN/none/draw-0/epoch-2"
SEGMENT = "vp_uncond/seed-0/epoch-1"


def write(folder, path, content):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def learn(folder, device=costs.PROCESSOR, config=TINY):
    amounts = Amounts(Facts(plan(config), folder), device)
    work = amounts.facts.work
    return amounts, *records.learnt(amounts, work.jobs(work.targets()["all"]), Listing(folder))


def cost(amounts, rates, path, part=0):
    """(seconds of one unit, basis) of a part of a job."""
    found = amounts.parts(amounts.facts.work.job(path))[part]
    ratio, basis = rates.of(found.key)
    return ratio * found.each, basis


def test_without_records_stated_costs_are_taken(tmp_path):
    amounts, rates, memory = learn(tmp_path)
    assert memory == {}
    assert cost(amounts, rates, f"samples/{CELL}.npz")[1] == "default"


def test_a_measured_cell_stands_for_all_of_its_network(tmp_path):
    timing = {"ms_per_nfe": 3.0, "seconds": 0.84, "device": "cpu"}
    write(tmp_path, f"samples/{CELL}.json", {"timing": timing})
    amounts, rates, _ = learn(tmp_path)
    assert cost(amounts, rates, f"samples/{CELL}.npz") == (pytest.approx(0.003), "measured")
    other = "samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.npz"  # another sampler, same network
    assert cost(amounts, rates, other) == (pytest.approx(0.003), "measured")
    stated = cost(amounts, Rates(), f"samples/{CELL}.npz")[0]
    elsewhere = "samples/ve_cond/seed-0/HEUN/none/draw-0/epoch-1.npz"  # another network
    ratio = 0.003 / stated
    found, basis = cost(amounts, rates, elsewhere)
    assert (found, basis) == (pytest.approx(ratio * cost(amounts, Rates(), elsewhere)[0]), "scaled")
    assert cost(amounts, rates, f"checkpoints/{SEGMENT}.pt")[1] == "scaled"  # by the same device


def test_what_is_said_to_cost_nothing_has_no_ratio(tmp_path):
    # Features of vectors are the vectors; before its first update a model is not trained.
    config = yaml.safe_load((ROOT / "config/design_space.yaml").read_text())
    for name in ("extract_reference/ring_values/ring-test", "train_model/ring_edm/seed-0/epoch-0"):
        write(tmp_path, f"benchmarks/{name}.json", {"seconds": 0.2, "peak_memory_mb": 400.0})
    amounts, rates, memory = learn(tmp_path, config=config)
    assert {"extract_reference", "train_model"} & memory.keys()
    found = amounts.parts(amounts.facts.work.job("features/ring_values/ring-test.npz"))
    assert all(rates.of(part.key)[0] * part.amount * part.each < 1 for part in found)


def test_scores_keep_the_time_of_samples_that_are_gone(tmp_path):
    write(
        tmp_path,
        f"scores/{CELL}.json",
        {"timing": {"ms_per_nfe": 2.0, "seconds": 1.0, "device": "cpu"}},
    )
    amounts, rates, _ = learn(tmp_path)
    assert cost(amounts, rates, f"samples/{CELL}.npz")[0] == pytest.approx(0.002)


def test_training_is_known_by_its_updates_whatever_the_attempt_made_of_them(tmp_path):
    timing = {"seconds": 0.5, "updates": 5, "device": "cpu"}  # 5 of 12: went on after a kill
    write(tmp_path, f"checkpoints/{SEGMENT}.json", {"timing": timing})
    write(
        tmp_path, f"benchmarks/train_model/{SEGMENT}.json", {"seconds": 0.75, "peak_memory_mb": 321}
    )
    amounts, rates, memory = learn(tmp_path)
    assert cost(amounts, rates, f"checkpoints/{SEGMENT}.pt") == (pytest.approx(0.1), "measured")
    assert cost(amounts, rates, f"checkpoints/{SEGMENT}.pt", 1)[0] == pytest.approx(0.25)
    assert memory == {"train_model": 321}


def test_one_slow_job_is_forgiven(tmp_path):
    for epoch, ms in ((1, 1.0), (2, 9.0)):
        timing = {"ms_per_nfe": ms, "seconds": 1.0, "device": "cpu"}
        path = f"samples/vp_uncond/seed-0/HEUN/none/draw-0/epoch-{epoch}.json"
        write(tmp_path, path, {"timing": timing})
    timing = {"ms_per_nfe": 1.2, "seconds": 1.0, "device": "cpu"}
    write(tmp_path, "samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-1.json", {"timing": timing})
    amounts, rates, _ = learn(tmp_path)
    found = cost(amounts, rates, "samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-2.npz")[0]
    assert found == pytest.approx(0.0012)


def test_benchmarks_time_what_has_no_clock_of_its_own(tmp_path):
    write(
        tmp_path, f"benchmarks/score_samples/{CELL}.json", {"seconds": 2.15, "peak_memory_mb": 700}
    )
    amounts, rates, memory = learn(tmp_path)
    path = f"scores/{CELL}.json"
    whole = sum(cost(amounts, rates, path, part)[0] for part in (0, 1))
    assert whole == pytest.approx(2.15)
    assert cost(amounts, rates, path)[1] == "measured"
    assert memory["score_samples"] == 700


def test_times_of_a_processor_say_nothing_about_an_accelerator(tmp_path):
    write(
        tmp_path,
        f"samples/{CELL}.json",
        {"timing": {"ms_per_nfe": 3.0, "seconds": 1.0, "device": "cpu"}},
    )
    write(tmp_path, f"benchmarks/score_samples/{CELL}.json", {"seconds": 99.0})
    write(tmp_path, "benchmarks/plot_figure/figure_1.json", {"seconds": 3.0})
    amounts, rates, _ = learn(tmp_path, costs.ACCELERATOR)
    assert cost(amounts, rates, f"samples/{CELL}.npz")[1] == "default"
    assert cost(amounts, rates, f"scores/{CELL}.json")[1] == "default"
    assert cost(amounts, rates, "figures/figure_1.csv") == (pytest.approx(3.0), "measured")


def test_a_job_of_several_kinds_of_work_teaches_its_memory_alone(tmp_path):
    job = "benchmarks/time_sampling/ddpm_cosine/seed-0/epoch-2.json"
    write(tmp_path, job, {"seconds": 1000.0, "peak_memory_mb": 900.0})
    amounts, rates, memory = learn(tmp_path)
    cell = "samples/ddpm_cosine/seed-0/DDIM/none/draw-0/epoch-1.npz"
    assert cost(amounts, rates, cell)[1] == "default"
    assert memory["time_sampling"] == 900.0


@pytest.mark.parametrize("content", ["", "[1]", '{"timing": {}}', "not JSON"])
def test_damaged_and_empty_records_are_passed_over(tmp_path, content):
    write(tmp_path, f"samples/{CELL}.json", content)
    write(tmp_path, f"benchmarks/draw_samples/{CELL}.json", content)
    amounts, rates, _ = learn(tmp_path)
    assert cost(amounts, rates, f"samples/{CELL}.npz")[1] == "default"


def test_the_longest_known_part_of_a_key_counts():
    rates = Rates()
    rates.learn(("evaluation", "net", (), "heun"), 2.0)
    rates.learn(("evaluation", "other", (), "heun"), 8.0)
    assert rates.of(("evaluation", "net", (), "euler")) == (2.0, "measured")
    assert rates.of(("evaluation", "third", (), "euler")) == (5.0, "scaled")
    assert rates.of(("update", "net", 32)) == (5.0, "scaled")
    assert rates.of(("rest", "train_model")) == (1.0, "default")


def test_a_folder_is_listed_once_and_a_missing_one_never(tmp_path, monkeypatch):
    write(tmp_path, "scores/a/one.json", {})
    asked, original = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: asked.append(path) or original(path))
    files = Listing(tmp_path)
    assert files.has("scores/a/one.json")
    assert not files.has("scores/a/two.json")
    assert not any(files.has(f"samples/{n}/{m}/three.json") for n in range(9) for m in range(9))
    assert asked == [tmp_path, tmp_path / "scores", tmp_path / "scores/a"]
    assert not Listing(tmp_path / "absent").has("scores/a/one.json")


def test_many_records_count_by_their_mean_without_the_extremes():
    assert typical([1.0, 2.0, 900.0]) == 2.0
    assert typical([0.0, *[1.0] * 6, *[3.0] * 2, 1e6]) == pytest.approx(12 / 8)
