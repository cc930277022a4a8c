"""The jobs behind targets: those that the rules make, each once."""

import re
from collections import Counter
from pathlib import Path

import pytest
from test_configuration import TINY, plan

from uncanny.estimate.job import IMPORTS, ON_PROCESSOR, RULES
from uncanny.estimate.work import Work

ROOT = Path(__file__).parent.parent
OTHERS = {"gather_samples", "confirm_figure", "assess_claims"}  # known by more than their folder
OTHERS |= set(IMPORTS.values())


@pytest.fixture(scope="module")
def work():
    return Work(plan(TINY))


def counts(jobs):
    return dict(Counter(job.rule for job in jobs))


def test_every_rule_of_the_workflow_is_known_and_where_it_runs():
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    blocks = re.split(r"^ *(?:use )?rule ", text, flags=re.M)[1:]
    rules = {re.match(r"\w+(?: as (\w+))?", block): block for block in blocks}
    rules = {found[1] or found[0]: block for found, block in rules.items()}
    for page in (
        "estimate",
        "gallery",
        "plot_training",
        "training",
    ):  # about a study, no part of it
        rules.pop(page)
    assert set(rules) == set(RULES.values()) | OTHERS
    for rule, block in rules.items():
        inherited = rule in ("draw_samples", "gather_samples")  # of the rule before `as`
        assert inherited or ("gpu=1" in block) == (rule not in ON_PROCESSOR), rule


def test_a_figure_takes_its_cells_and_what_they_need(work):
    assert counts(work.jobs(work.targets()["figure_2"])) == {
        "prepare_dataset": 1, "train_extractor": 1, "extract_reference": 1, "score_references": 1,
        "train_model": 2, "draw_samples": 4, "score_samples": 4, "plot_figure": 1, "confirm_figure": 1,
    }  # fmt: skip


def test_what_targets_share_is_counted_once(work):
    targets = work.targets()
    single = [work.jobs(targets[name]) for name in ("figure_1", "figure_2")]
    both = work.jobs(targets["all_figures"])
    assert len({job.name for job in both}) == len(both) < sum(map(len, single))
    assert {job.name for job in both} == {job.name for jobs in single for job in jobs}
    assert {job.name for job in both} < {job.name for job in work.jobs(targets["all"])}


def test_jobs_come_after_what_they_need(work):
    jobs = work.jobs(work.targets()["all"])
    seen = set()
    for job in jobs:
        assert {work.job(path).name for path in job.needs} <= seen, job.name
        seen.add(job.name)


def test_what_is_there_takes_no_job_nor_what_only_it_needs(work):
    target = work.targets()["figure_2"]
    scores = {f for f in work.job("figures/figure_2.csv").needs if f.startswith("scores/")}
    left = work.jobs(target, scores.__contains__)
    assert counts(left) == {"plot_figure": 1, "confirm_figure": 1}
    assert work.jobs(target, lambda path: True) == []
    checkpoint = "checkpoints/vp_uncond/seed-0/epoch-2.pt"
    left = work.jobs(target, checkpoint.__eq__)
    assert [job.subject for job in left if job.rule == "train_model"] == [
        "vp_uncond/seed-0/epoch-1"
    ]


def test_large_cells_are_drawn_in_parts():
    work = Work(plan(TINY | {"shard_images": 15}))
    found = work.jobs(["samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-2.npz"])
    assert counts(found)["draw_part"] == 3
    assert [job.span for job in found if job.rule == "draw_part"] == [(0, 15), (15, 15), (30, 10)]
    assert found[-1].name == "gather_samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-2"
    many = work.jobs(["sizes/scores/vp_uncond/seed-0/EUL/none/draw-0/epoch-2.json"])
    assert sum(job.span[1] for job in many if job.rule == "draw_part") == 80


def test_seeds_and_draws_multiply_cells():
    work = Work(plan(TINY | {"seeds": [0, 1], "sampling_seeds": [0, 1, 2]}))
    found = counts(work.jobs(work.targets()["figure_2"]))
    assert (found["train_model"], found["draw_samples"]) == (4, 24)
