"""Sums over targets, and what is written of them."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from listed_jobs import job_of, jobs_of
from test_configuration import SHIPPED, TINY, plan
from test_scripts import main

from uncanny.estimate import costs, loads, report
from uncanny.estimate.totals import Estimate, Site, shares
from uncanny.estimate.work import RECORD
from uncanny.workflow import dag

A100 = costs.accelerator("A100")
HERE = Site(costs.PROCESSOR, at_once=2, start=0.5, one_machine=True)
CLUSTER = Site(A100, at_once=8, start=20.0, one_machine=False)


def estimate(folder, site=HERE, **changes):
    config = TINY | changes
    return Estimate(plan(config), folder, site, jobs_of(config))


def by_target(result):
    return {row["target"]: row for row in result.of_targets()}


@pytest.fixture(scope="module")
def nothing_done(tmp_path_factory):
    return estimate(tmp_path_factory.mktemp("results"))


def test_there_is_a_row_for_every_target(nothing_done):
    rows = by_target(nothing_done)
    assert list(rows) == [*TINY["figures"], *TINY["tables"], "claims", "all_figures", "all"]
    assert rows["all"]["jobs"] > rows["all_figures"]["jobs"] > rows["figure_1"]["jobs"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_can_be_estimated(path, tmp_path):
    config = yaml.safe_load(path.read_text())
    result = Estimate(plan(config), tmp_path, CLUSTER, jobs_of(config))
    rows = by_target(result)
    assert result.without_entry() == {}
    assert all(row["device_hours"] + row["cpu_hours"] > 0 for row in rows.values())
    assert 0 < rows["all"]["memory_gb"] < 64


def test_before_anything_has_run_all_is_left(nothing_done):
    for row in nothing_done.of_targets():
        for name in ("jobs", "device_hours", "cpu_hours", "wall_hours", "disk_gb"):
            assert row[f"{name}_left"] == row[name] > 0 or name.endswith("hours")
        assert row["basis"] == "default"


def test_hours_are_those_of_the_jobs_and_their_starts(nothing_done):
    jobs = nothing_done.jobs.behind(nothing_done.jobs.targets["all"])
    works = [loads.of_job(nothing_done.facts, job)[1] for job in jobs]
    seconds = sum(0.5 + sum(work.stated for work in own) for own in works)
    row = by_target(nothing_done)["all"]
    assert row["device_hours"] + row["cpu_hours"] == pytest.approx(seconds / 3600)
    assert seconds / 3600 / 2 <= row["wall_hours"] <= seconds / 3600
    kinds = nothing_done.of_work()
    for name in ("device_hours", "cpu_hours", "device_hours_left"):
        assert sum(kind[name] for kind in kinds) == pytest.approx(row[name])


def test_what_is_done_is_not_left(tmp_path):
    figure = [f"figures/figure_2.{suffix}" for suffix in ("pdf", "png", "csv", "html", "complete")]
    for path in ("checkpoints/vp_uncond/seed-0/epoch-1.pt", *figure):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    rows = by_target(estimate(tmp_path))
    assert rows["figure_2"]["jobs"] > rows["figure_2"]["jobs_left"] == 0
    assert rows["figure_2"]["wall_hours_left"] == rows["figure_2"]["device_hours_left"] == 0
    assert rows["figure_1"]["jobs"] - rows["figure_1"]["jobs_left"] == 1


def test_fewer_places_take_longer_and_no_more_work(tmp_path):
    one, two = (
        by_target(estimate(tmp_path, Site(costs.PROCESSOR, n, 0.5, True)))["all"] for n in (1, 2)
    )
    assert one["device_hours"] == two["device_hours"]
    assert one["wall_hours"] == pytest.approx(one["device_hours"] + one["cpu_hours"])
    assert 0.5 * one["wall_hours"] < two["wall_hours"] < one["wall_hours"]


def test_one_accelerator_is_no_faster_than_its_hours(tmp_path):
    site = Site(A100, 8, 1.0, True, devices=1)
    row = by_target(estimate(tmp_path, site))["all"]
    assert row["wall_hours"] >= row["device_hours"]


def test_more_images_cost_more_of_what_handles_images(tmp_path):
    few, many = (
        {row["work"]: row for row in estimate(tmp_path, num_images=n).of_work()} for n in (40, 70)
    )
    assert many["training"]["device_hours"] == few["training"]["device_hours"]
    assert many["sampling"]["device_hours"] > few["sampling"]["device_hours"]
    assert many["sampling"]["disk_gb"] > few["sampling"]["disk_gb"]


def test_disk_of_a_checkpoint_and_of_a_cell(nothing_done):
    facts = nothing_done.facts

    def disk(path):
        return loads.of_job(facts, job_of(nothing_done.every, path))[0].disk

    checkpoint = disk("checkpoints/vp_uncond/seed-0/epoch-1.pt")
    assert checkpoint == 16 * facts.size("vp_uncond").parameters
    cell = disk("samples/vp_uncond/seed-0/EUL/none/draw-0/epoch-2.npz")
    assert cell == pytest.approx(40 * 64, abs=RECORD)


def test_a_rule_without_a_cost_is_named(tmp_path):
    config = TINY | {
        "figures": {"figure_1": TINY["figures"]["figure_1"]},
        "tables": {},
        "claims": {},
    }
    jobs = jobs_of(config)
    renamed = [replace(job, rule="blur") if job.rule == "plot_figure" else job for job in jobs]
    result = Estimate(plan(config), tmp_path, HERE, renamed)
    assert result.without_entry() == {"blur": 1}
    assert result.of_work()[-2]["work"] == "blur (no stated cost)"
    assert result.of_work()[-2]["jobs"] == 1
    assert "No cost is stated for blur (1 job)" in " ".join(report.notes_of(result).split())


def test_what_an_amount_rests_on():
    assert shares({"measured": 3.0, "scaled": 0.0, "default": 0.0}) == "measured"
    assert shares({"measured": 3.0, "scaled": 0.0, "default": 1.0}) == "measured 75 %, default 25 %"
    assert shares({"measured": 0.0, "scaled": 0.0, "default": 0.0}) == ""


@pytest.mark.parametrize(("site", "heading"), [(HERE, "core min"), (CLUSTER, "GPU min")])
def test_headings_say_whose_hours_they_are(tmp_path, site, heading):
    text = report.write(estimate(tmp_path, site), tmp_path / "tables/estimate")
    assert f"  {heading}  " in text
    assert "figure_1" in text
    assert "training" in text
    assert ("Time limits that jobs with a GPU ask for first" in text) == site.device.accelerates
    markdown = (tmp_path / "tables/estimate.md").read_text()
    assert re.search(rf"\| +{heading} +\|", markdown)
    assert "default" in markdown
    frame = pd.read_csv(tmp_path / "tables/estimate.csv")
    assert set(frame["device"]) == {site.device.name}
    assert {"all", "all_figures"} < set(frame["target"].dropna())
    assert frame["device_hours"].notna().all()


def test_the_script_takes_device_and_jobs_from_the_config(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(dag, "read", lambda: jobs_of(TINY))
    config = plan(TINY | {"estimate": {"device": "accelerator", "jobs": 7}}).config
    params = {
        "config": config,
        "results": str(tmp_path),
        "on_cluster": False,
        "at_once": 2,
        "devices": None,
    }
    main("estimate", SimpleNamespace(params=SimpleNamespace(**params)))
    frame = pd.read_csv(tmp_path / "tables/estimate.csv")
    assert set(frame["device"]) == {"accelerator"}
    assert set(frame["at_once"]) == {7}
    assert "Study tiny on 1 NVIDIA A100, 7 jobs at a time" in capfd.readouterr().out
