"""The jobs behind targets: those that Snakemake would run, each once."""

from collections import Counter

import pytest
from listed_jobs import job_of, jobs_of
from test_configuration import TINY, plan

from uncanny.estimate.job import Jobs, target_rules
from uncanny.workflow import dag

CELL = "vp_uncond/seed-0/EUL/none/draw-0/epoch-2"


def graph(**changes):
    return Jobs(jobs_of(TINY | changes), target_rules(plan(TINY | changes)))


@pytest.fixture(scope="module")
def jobs():
    return graph()


def counts(jobs):
    return dict(Counter(job.rule for job in jobs))


def test_a_figure_takes_its_cells_and_what_they_need(jobs):
    assert counts(jobs.behind(jobs.targets["figure_2"])) == {
        "prepare_dataset": 1, "train_extractor": 1, "extract_reference": 1, "score_references": 1,
        "train_model": 2, "draw_samples": 4, "score_samples": 4, "plot_figure": 1, "confirm_figure": 1,
    }  # fmt: skip


def test_what_targets_share_is_counted_once(jobs):
    single = [jobs.behind(jobs.targets[name]) for name in ("figure_1", "figure_2")]
    both = jobs.behind(jobs.targets["all_figures"])
    assert len({job.name for job in both}) == len(both) < sum(map(len, single))
    assert {job.name for job in both} == {job.name for result in single for job in result}
    assert {job.name for job in both} < {job.name for job in jobs.behind(jobs.targets["all"])}


def test_jobs_come_after_what_they_need(jobs):
    seen = set()
    for job in jobs.behind(jobs.targets["all"]):
        assert set(jobs.needed(job)) <= seen, job.name
        seen.add(job.name)


def test_what_is_there_takes_no_job_nor_what_only_it_needs(jobs):
    target = jobs.targets["figure_2"]
    figure = job_of(jobs.behind(target), "figures/figure_2.csv")
    scores = {path for path in figure.inputs if path.startswith("scores/")}
    assert counts(jobs.behind(target, scores.__contains__)) == {
        "plot_figure": 1,
        "confirm_figure": 1,
    }
    assert jobs.behind(target, lambda path: True) == []
    left = jobs.behind(target, "checkpoints/vp_uncond/seed-0/epoch-2.pt".__eq__)
    names = [job.name for job in left if job.rule == "train_model"]
    assert names == ["train_model/vp_uncond/seed-0/epoch-1"]


def test_a_figure_without_one_of_its_files_is_not_done(jobs):
    missing = "figures/figure_2.pdf"
    left = jobs.behind(jobs.targets["figure_2"], lambda path: path != missing)
    assert counts(left) == {"plot_figure": 1}


def test_large_cells_are_drawn_in_parts():
    jobs = graph(shard_images=15)
    cell = jobs.behind([f"samples/{CELL}.npz"])
    parts = [job.wildcards for job in cell if job.rule == "draw_part"]
    assert [(w["first"], w["number"]) for w in parts] == [("0", "15"), ("15", "15"), ("30", "10")]
    assert cell[-1].name == f"gather_samples/{CELL}"
    many = jobs.behind([f"sizes/scores/{CELL}.json"])
    assert sum(int(job.wildcards["number"]) for job in many if job.rule == "draw_part") == 80


def test_seeds_and_draws_multiply_cells():
    jobs = graph(seeds=[0, 1], sampling_seeds=[0, 1, 2])
    result = counts(jobs.behind(jobs.targets["figure_2"]))
    assert (result["train_model"], result["draw_samples"]) == (4, 24)


def test_a_job_says_where_it_runs_and_what_it_leaves(jobs):
    every = {job.rule: job for job in jobs.behind(jobs.targets["all"])}
    assert {rule for rule, job in every.items() if job.alone} == {"time_sampling", "time_training"}
    on_processor = {"prepare_dataset", "gather_many_samples", "plot_figure", "confirm_figure"}
    on_processor |= {"score_samples", "score_sizes", "make_table", "assess_claims"}
    assert {rule for rule, job in every.items() if not job.on_device} == on_processor
    assert every["train_model"].outputs[0].startswith("checkpoints/")


def test_without_hooks_there_is_no_list(monkeypatch):
    monkeypatch.delenv(dag.VARIABLE, raising=False)
    with pytest.raises(ValueError, match="--no-hooks"):
        dag.read()
