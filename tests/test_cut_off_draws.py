"""Draws that are cut off: finished batches are kept, and the next attempt gives the same bytes."""

import os
import signal

import pytest
from resolved import sampler as resolved
from test_guidance import G1, MODEL, paths  # noqa: F401

from uncanny.runtime import files
from uncanny.runtime.resume_state import ResumeState, Stopped
from uncanny.sampling import drawing, job

IMAGES, BATCH = 10, 4
SAMPLER = resolved("discrete", {"kind": "ancestral", "num_steps": 6})


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(drawing.Trained, "batch_size", BATCH)


def draw(paths, folder, guidance=None, **changes):  # noqa: F811
    folder.mkdir(exist_ok=True)
    job.run(**{
        "checkpoint": paths["model"], "identity": MODEL, "seed": 0, "draw": 0, "num_images": IMAGES,
        "sampler": SAMPLER, "guidance": guidance, "samples": folder / "a.npz",
        "classifiers": {"noisy": paths["noisy"]} if guidance else {}, "record": folder / "a.json",
        "threads": 1, "code": "1",
    } | changes)  # fmt: skip


def result(folder):
    """Bytes of the set, and its record without times."""
    record = files.read_json(folder / "a.json")
    assert record.pop("timing")["seconds"] > 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "a.npz"]
    return (folder / "a.npz").read_bytes(), record


def signalled(monkeypatch, number, within):
    """The process gets a signal within the batch of that number, before its third evaluation."""
    batches, called, draw_batch = [], drawing.Counted.__call__, drawing._draw_batch

    def counted(*arguments):
        batches.append(0)
        return draw_batch(*arguments)

    def call(self, *arguments, **more):
        batches[-1] += 1
        if len(batches) == within and batches[-1] == 3:
            os.kill(os.getpid(), number)
        return called(self, *arguments, **more)

    monkeypatch.setattr(drawing, "_draw_batch", counted)
    monkeypatch.setattr(drawing.Counted, "__call__", call)
    return batches


@pytest.mark.parametrize("guidance", [None, G1])
@pytest.mark.parametrize("within", [2, 3])
def test_a_stopped_draw_goes_on(paths, tmp_path, monkeypatch, guidance, within):  # noqa: F811
    draw(paths, tmp_path / "undisturbed", guidance)
    folder, done = tmp_path / "cut", BATCH * (within - 1)
    with monkeypatch.context() as patch:
        signalled(patch, signal.SIGTERM, within)
        with pytest.raises(Stopped, match=rf"asked to stop at step {done}; .*a\.unfinished\.pt"):
            draw(paths, folder, guidance)
    assert [path.name for path in folder.iterdir()] == ["a.unfinished.pt"]
    with monkeypatch.context() as patch:
        batches = signalled(patch, 0, 0)
        draw(paths, folder, guidance)
    assert len(batches) == 3 - (within - 1)
    assert result(folder) == result(tmp_path / "undisturbed")


def test_a_draw_that_is_killed_goes_on_from_its_last_state(paths, tmp_path, monkeypatch):  # noqa: F811
    draw(paths, tmp_path / "undisturbed", G1)
    folder = tmp_path / "cut"
    if (child := os.fork()) == 0:
        defaults = {"seconds": 0.0, "at_once": False}  # a state after every batch
        monkeypatch.setattr(ResumeState.__init__, "__kwdefaults__", defaults)
        signalled(monkeypatch, signal.SIGKILL, 3)
        draw(paths, folder, G1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [path.name for path in folder.iterdir()] == ["a.unfinished.pt"]
    batches = signalled(monkeypatch, 0, 0)
    draw(paths, folder, G1)
    assert len(batches) == 1
    assert result(folder) == result(tmp_path / "undisturbed")


def test_asked_to_stop_before_the_first_batch_is_done(paths, tmp_path, monkeypatch):  # noqa: F811
    signalled(monkeypatch, signal.SIGTERM, 1)
    with pytest.raises(Stopped, match="before there was anything to keep"):
        draw(paths, tmp_path / "cut")
    assert not list((tmp_path / "cut").iterdir())


@pytest.mark.parametrize("change", [{"code": "2"}, {"draw": 1}, {"num_images": 9}])
def test_another_draw_does_not_use_what_is_kept(paths, tmp_path, monkeypatch, change, capsys):  # noqa: F811
    with monkeypatch.context() as patch:
        signalled(patch, signal.SIGTERM, 2)
        with pytest.raises(Stopped):
            draw(paths, tmp_path / "cut")
    draw(paths, tmp_path / "cut", **change)
    assert "belongs to a job with other parameters" in capsys.readouterr().out
    draw(paths, tmp_path / "undisturbed", **change)
    assert result(tmp_path / "cut") == result(tmp_path / "undisturbed")
