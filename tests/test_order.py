"""The order in which jobs start, and what a run prints of it."""

import logging
from types import SimpleNamespace

import pytest
from listed_jobs import jobs_of
from test_configuration import TINY, plan

from uncanny.estimate import order
from uncanny.estimate.job import Job, Jobs, target_rules
from uncanny.workflow.run_progress import RunProgress, Times


def job(rule, outputs, *inputs, **wildcards):
    name = f"{rule}/{outputs}"
    return Job(rule, name, wildcards, inputs, (outputs,), on_device=False, alone=False)


@pytest.fixture(scope="module")
def jobs():
    every = Jobs(jobs_of(TINY), target_rules(plan(TINY)))
    return Jobs(every.behind(every.targets["all"]))


@pytest.fixture(scope="module")
def planned(jobs):
    return order.in_order(jobs, order.wanted(plan(TINY)))


def test_every_job_has_one_rank(jobs, planned):
    names = [job.name for job in planned[0]]
    assert len(set(names)) == len(names)
    assert {path for job in planned[0] for path in job.outputs} == set(jobs.outputs)


def test_all_that_a_figure_needs_comes_before_what_only_later_ones_need(jobs, planned):
    names = [job.name for job in planned[0]]
    seen = set()
    for file in planned[1]:
        needed = {job.name for job in jobs.behind([file])} - seen
        assert set(names[len(seen) : len(seen | needed)]) == needed
        seen |= needed


def test_figures_come_in_the_order_of_the_config(planned):
    figures = [file for file in planned[1] if file.endswith(".png")]
    numbers = (1, 4, 2, 3, 5, 6)  # figure 4 shows images of a cell of figure 1
    assert figures == [f"figures/figure_{number}.png" for number in numbers]
    swapped = {"figures": dict(reversed(TINY["figures"].items()))}
    assert order.wanted(plan(TINY | swapped))[0] == "figures/figure_6.png"


def test_training_comes_before_the_cells_of_its_figure(planned):
    rules = [job.rule for job in planned[0]]
    first = rules[: rules.index("plot_figure")]
    last_segment = max(n for n, rule in enumerate(first) if rule == "train_model")
    assert "score_samples" not in first[:last_segment]


def test_the_model_with_more_segments_to_come_is_trained_first():
    jobs = [job("train_model", "a1"), job("train_model", "b1")]
    jobs += [job("train_model", f"b{n}", f"b{n - 1}") for n in (2, 3)]
    jobs.append(job("plot_figure", "figure", "a1", "b3"))
    ordered, _ = order.in_order(Jobs(jobs), ["figure"])
    assert [job.outputs[0] for job in ordered] == ["b1", "b2", "a1", "b3", "figure"]


def test_a_figure_that_needs_nothing_further_comes_at_once():
    cells = [job("score_samples", name) for name in "abc"]
    figures = [job("plot_figure", f"f_{needs}", *needs) for needs in ("ab", "c", "b")]
    wanted = ["f_ab", "f_c", "f_b", "absent"]
    assert order.in_order(Jobs(cells + figures), wanted)[1] == ["f_ab", "f_b", "f_c"]


def test_a_job_that_no_figure_needs_is_last():
    ordered, _ = order.in_order(Jobs([job("export", "e"), job("plot", "f")]), ["f"])
    assert [job.rule for job in ordered] == ["plot", "export"]


class TestLines:
    """A run of two cells and their figures, in a record of events."""

    @pytest.fixture
    def run(self):
        lines, now = [], {"time": 0.0}
        cells = [job("draw", "a", sampler="fast"), job("draw", "b", sampler="slow")]
        jobs = [*cells, job("plot", "figures/f1.png", "a"), job("plot", "figures/f2.png", "b")]
        files = ["figures/f1.png", "figures/f2.png"]
        handler = RunProgress(dict(enumerate(jobs)), files, lines.append, lambda: now["time"])

        def event(kind, seconds=0.0, **facts):
            now["time"] += seconds
            handler.handle(logging.makeLogRecord({"event": kind, **facts}))
            return lines

        return event

    def test_percent_time_left_and_the_next_figure(self, run):
        run("job_started", jobs=[0])
        run("job_finished", 10.0, job_id=0)
        (line,) = run("progress")
        assert line == "progress: 25 %, about 30 s left, next: f1"

    def test_lines_are_few(self, run):
        run("job_started", jobs=[0])
        run("job_finished", 10.0, job_id=0)
        run("progress")
        assert len(run("progress", 5.0)) == 1
        assert len(run("progress", 5.0)) == 2

    def test_a_figure_that_is_ready_is_named_at_once(self, run):
        run("job_finished", job_id=0)
        lines = run("job_finished", job_id=2)
        assert lines == ["progress: f1 is ready"]
        assert run("progress")[-1].endswith("next: f2")

    def test_a_figure_that_cannot_come_is_not_waited_for(self, run):
        run("job_error", jobid=0)
        assert run("progress", 20.0)[-1].endswith("next: f2")
        run("job_finished", job_id=0)  # the second attempt
        assert run("progress", 20.0)[-1].endswith("next: f1")

    def test_at_the_end_nothing_is_left(self, run):
        for number in range(4):
            run("job_finished", job_id=number)
        assert run("progress")[-1] == "progress: 100 %"

    def test_other_messages_pass(self, run):
        assert run(None, msg="text") == []
        assert run("job_finished", job_id="a group") == []


def test_the_most_similar_job_says_how_long_one_takes():
    times = Times()
    draw = [SimpleNamespace(rule="draw", wildcards={"sampler": name}) for name in "ab"]
    score = SimpleNamespace(rule="score", wildcards={})
    assert times.typical(score) == 1.0
    times.learn(draw[0], 4.0)
    assert [times.typical(each) for each in (*draw, score)] == [4.0, 4.0, 4.0]
    times.learn(draw[1], 8.0)
    assert [times.typical(each) for each in (*draw, score)] == [4.0, 8.0, 6.0]
