"""What jobs say while they run, and what is seen of a run from outside."""

import importlib.util
import os
import time
from pathlib import Path

import pytest

from uncanny.runtime import progress
from uncanny.runtime.progress import Progress, format_duration
from uncanny.workflow.watching import view

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = {"time": 100.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: now["time"])
    return lambda seconds: now.update(time=now["time"] + seconds)


class TestAJob:
    def test_says_how_far_it_is_and_what_is_left(self, clock, capsys):
        progress = Progress(10_000, "images", 1000)
        clock(10)
        progress.at(3000, lambda: {"epoch": 3, "loss": 0.123456})
        output = capsys.readouterr().out
        assert output == (
            "progress: 3,000 of 10,000 images, 200 per second, 35 s left, epoch 3, loss 0.1235\n"
        )

    def test_speaks_seldom_and_asks_for_facts_only_then(self, clock, capsys):
        progress = Progress(100, "images")

        def facts():
            raise AssertionError("asked")

        clock(4.9)
        progress.at(10, facts)
        clock(0.2)
        progress.at(0, facts)  # nothing is done: no rate
        assert capsys.readouterr().out == ""
        progress.at(10)
        progress.at(20, facts)
        assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (11_100, "3 h 05 min")]
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


class TestFromOutside:
    @pytest.fixture
    def run(self, tmp_path):
        """Folders of a run that began 100 seconds before `now`."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H%M%S", time.localtime(now - 100))
        log = tmp_path / ".snakemake/log" / f"{stamp}.123456.snakemake.log"
        log.parent.mkdir(parents=True)
        log.write_text(
            "4 of 10 steps (40%) done\n"
            "progress: 30 %, about 2 min left, next: figure_5\n"
            "progress: figure_2 is ready\n"
        )
        os.utime(log, (now - 20, now - 20))
        return tmp_path, log, now

    def say(self, folder, name, line, now, ago=1.0):
        log = folder / "results/logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(line)
        os.utime(log, (now - ago, now - ago))
        return log

    def lines(self, run):
        folder, _, now = run
        return view(folder / "results", folder / ".snakemake", now)

    def test_all_jobs_and_the_time_they_may_take(self, run):
        (total,) = self.lines(run)
        assert total == (
            "4 of 10 jobs, 2 min since the start, 30 %, about 2 min left, next: figure_5"
        )
        run[1].write_text(run[1].read_text() + "Error in rule train_model:\n")
        assert "1 failed: see" in self.lines(run)[0]

    def test_a_run_that_has_ended(self, run):
        run[1].write_text(run[1].read_text() + "Elapsed time: 0:30:21.528286\n")
        assert self.lines(run) == [f"ended after 0:30:21 h: {run[1]}"]

    def test_jobs_that_say_how_far_they_are(self, run):
        folder, _, now = run
        self.say(folder, "train_model/vp/seed-0/epoch-5", "before\nprogress: 3 of 4 images\n", now)
        self.say(folder, "draw_samples/old", "progress: 1 of 4 images\n", now, ago=500)
        self.say(folder, "draw_samples/other", "something else\n", now)
        assert self.lines(run)[1:] == ["train_model/vp/seed-0/epoch-5  3 of 4 images"]

    def test_a_job_that_is_done_is_gone(self, run):
        folder, _, now = run
        self.say(folder, "train_model/vp", "progress: 3 of 4 images\n", now)
        record = folder / "results/benchmarks/train_model/vp.json"
        record.parent.mkdir(parents=True)
        record.touch()
        assert len(self.lines(run)) == 1

    def test_nothing_runs(self, tmp_path):
        assert view(tmp_path, tmp_path / ".snakemake", 0.0) == [
            f"{tmp_path / '.snakemake/log'}: no run yet"
        ]

    def test_the_script_shows_it(self, run, monkeypatch, capsys):
        folder, _, now = run
        self.say(folder, "train_model/vp", "progress: 3 of 4 images\n", now)
        monkeypatch.chdir(folder)
        spec = importlib.util.spec_from_file_location("watch", SCRIPTS / "watch.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main("results", times=1)
        assert "train_model/vp  3 of 4 images" in capsys.readouterr().out
