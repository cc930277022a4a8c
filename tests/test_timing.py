"""Timing records: what is repeated, what is counted, and that the study's own code is timed."""

import weakref

import numpy as np
import pytest
import torch
from test_guidance import DDIM, MODEL, paths  # noqa: F401
from test_sampling import HEUN, IDENTITY, checkpoint  # noqa: F401
from test_scripts import call

from uncanny.evaluation import timing
from uncanny.registry import components
from uncanny.runtime import checkpoints, files
from uncanny.sampling import drawing
from uncanny.training import loop

NAMES = {"sampler": "HEUN", "guidance": "none"}
SAMPLING = {"names": NAMES, "sampler": HEUN, "guidance": None, "classifiers": []}


def timed(checkpoint, output, **changes):  # noqa: F811
    arguments = {
        "checkpoint": checkpoint, "identity": IDENTITY, "model": "vp_cond", "seed": 0, "samplings": [SAMPLING],
        "classifiers": {}, "num_images": 6, "batches": 5, "output": output,
    }  # fmt: skip
    timing.time_sampling(**arguments | changes)
    return files.read_json(output)["records"]


def test_a_sampling_record_has_every_batch(checkpoint, tmp_path):  # noqa: F811
    [record] = timed(checkpoint, tmp_path / "t.json")
    assert {k: record[k] for k in NAMES} == NAMES
    assert record["model"] == "vp_cond"
    assert (record["what"], record["status"], record["epoch"]) == ("sampling", "ok", 1)
    assert (record["nfe"], record["num_steps"], record["batch_size"]) == (7, 4, 6)
    assert len(record["ms_per_nfe"]) == len(record["seconds_per_image"]) == 5
    assert min(record["ms_per_nfe"]) > 0
    assert np.allclose(
        np.multiply(record["ms_per_nfe"], 7 / 1000), record["seconds_per_image"], rtol=1e-12
    )
    assert record["precision"] == "fp32"
    assert record["peak_memory_mb"] > 0


def test_a_batch_is_as_large_as_sampling_makes_it(checkpoint, tmp_path, monkeypatch):  # noqa: F811
    drawn, draw = [], drawing.draw_images

    def watched(model, options, seeds, **more):
        drawn.append(seeds)
        return draw(model, options, seeds, **more)

    monkeypatch.setattr(drawing, "draw_images", watched)
    monkeypatch.setattr(drawing, "BATCH_VALUES", 4 * 64)
    [record] = timed(checkpoint, tmp_path / "t.json", batches=2)
    assert record["batch_size"] == 4
    assert drawn == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]  # one warms up


def test_a_diverged_model_has_no_times(checkpoint, tmp_path):  # noqa: F811
    state = checkpoints.load(checkpoint) | {"status": "diverged", "reason": "loss not finite"}
    checkpoints.save(tmp_path / "epoch-1.pt", state)
    [record] = timed(tmp_path / "epoch-1.pt", tmp_path / "t.json")
    assert (record["status"], record["ms_per_nfe"], record["nfe"]) == ("diverged", [], None)


def test_a_checkpoint_of_another_model_is_refused(checkpoint, tmp_path):  # noqa: F811
    with pytest.raises(ValueError, match="made with other parameters"):
        timed(checkpoint, tmp_path / "t.json", identity=IDENTITY | {"conditional": False})
    assert not (tmp_path / "t.json").exists()


def test_a_training_record_has_every_block(data, tmp_path, monkeypatch):
    made, advance = [], loop.advance

    def watched(run, *rest):
        entries = advance(run, *rest)
        made.append(run.step)
        return entries

    monkeypatch.setattr(loop, "advance", watched)
    timing.time_training(
        datasets={"vp_cond": data.folder}, identities={"vp_cond": IDENTITY}, blocks=5, updates=2,
        output=tmp_path / "t.json",
    )  # fmt: skip
    [record] = files.read_json(tmp_path / "t.json")["records"]
    assert made == [5, 7] * 5  # five updates before each block
    assert len(record["ms_per_update"]) == 5
    assert min(record["ms_per_update"]) > 0
    assert (record["what"], record["batch_size"]) == ("training", 100)
    assert record["updates_per_epoch"] == 14.37


def test_one_model_at_a_time_is_in_memory(data, tmp_path, monkeypatch):
    runs, begin = [], loop.begin

    def watched(*arguments):
        assert not any(run() for run in runs)
        run = begin(*arguments)
        runs.append(weakref.ref(run))
        return run

    monkeypatch.setattr(loop, "begin", watched)
    identities = {"a": IDENTITY, "b": IDENTITY}
    timing.time_training(
        datasets=dict.fromkeys(identities, data.folder), identities=identities, blocks=2, updates=1,
        output=tmp_path / "t.json",
    )  # fmt: skip
    assert len(runs) == 4


def test_the_scripts_write_records(checkpoint, data, tmp_path):  # noqa: F811
    call("time_sampling", tmp_path, wildcards={"model": "vp_cond", "seed": "0", "epoch": "1"},
         params={"identity": IDENTITY, "samplings": [SAMPLING, SAMPLING], "classifiers": [], "num_images": 4, "batches": 1},
         inputs={"checkpoint": checkpoint, "classifiers": []}, outputs={"output": tmp_path / "s.json"})  # fmt: skip
    records = files.read_json(tmp_path / "s.json")["records"]
    assert [record["sampler"] for record in records] == ["HEUN", "HEUN"]
    call("time_training", tmp_path, wildcards={},
         params={"identities": {"a": IDENTITY, "b": IDENTITY}, "blocks": 1},
         inputs={"datasets": 2 * [data.folder / "dataset.json"]}, outputs={"record": tmp_path / "t.json"})  # fmt: skip
    records = files.read_json(tmp_path / "t.json")["records"]
    assert [record["model"] for record in records] == ["a", "b"]


def test_works_take_turns_in_changing_order_and_clocks_wait(monkeypatch):
    events, clock = [], iter(range(1000))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(timing, "_wait", lambda device: events.append("wait"))
    works = [lambda number, name=name: events.append((name, number)) for name in "abc"]
    seconds = timing.alternating(works, 6, torch.device("cpu"))
    assert seconds == [[1] * 6] * 3
    assert events[::3] == events[2::3] == ["wait"] * 18
    rounds = [events[1::3][start : start + 3] for start in range(0, 18, 3)]
    for number, done in enumerate(rounds, start=1):
        assert sorted(done) == [(name, number) for name in "abc"]
    assert len({tuple(name for name, _ in done) for done in rounds}) > 1
    with pytest.raises(ValueError, match="0 rounds to be timed: expected at least 1"):
        timing.alternating(works, 0, torch.device("cpu"))


def test_guidance_is_part_of_the_time(paths, tmp_path, monkeypatch):  # noqa: F811
    calls, draw = [], drawing.draw_images

    def watched(model, options, seeds, **more):
        calls.append(more)
        return draw(model, options, seeds, **more)

    monkeypatch.setattr(drawing, "draw_images", watched)
    block = {"kind": "classifier"} | components.resolve(
        "guidances", "classifier", {"classifier": "noisy"}, "guidances.G1"
    )
    free = SAMPLING | {"sampler": DDIM}
    guided = free | {"guidance": block, "classifiers": ["noisy"]}
    records = timed(
        paths["model"], tmp_path / "t.json", identity=MODEL, samplings=[free, guided], batches=1,
        classifiers={"noisy": paths["noisy"]},
    )  # fmt: skip
    assert [record["nfe"] for record in records] == [12, 12]  # not the classifier's evaluations
    guided = [more for more in calls if "guidance" in more]
    assert (len(calls), len(guided)) == (4, 2)
    assert all(more["guidance"] and more["with_statistics"] is False for more in guided)
