"""Training jobs that are cut off: the next attempt gives the same bytes, and uses only its own state."""

import os
import signal

import pytest
import torch
from test_classifiers import IDENTITY as CLASSIFIER
from test_classifiers import TRAINING
from test_training import IDENTITY

from uncanny.runtime import checkpoints, files
from uncanny.runtime.resume_state import ResumeState, Stopped
from uncanny.training import classifiers, loop, segments

JOB = {"identity": {"a": 1}, "code": "x"}


@pytest.fixture(autouse=True)
def several_looks_an_epoch(monkeypatch):
    monkeypatch.setattr(loop, "UPDATES_AT_ONCE", 4)


def kept(path, job=JOB, step=3):
    """A state kept by a job that was then cut off."""
    unfinished = ResumeState(path, job, seconds=0)
    unfinished.keep(lambda: {"identity": {}, "seed": 0, "epoch": 1, "status": "ok", "step": step})
    return path


def asked_to_stop_at(monkeypatch, look):
    """SIGTERM comes before the look of that number at whether the state is to be kept."""
    looks, keep = [], ResumeState.keep

    def keeping(self, state):
        looks.append(1)
        if len(looks) == look:
            os.kill(os.getpid(), signal.SIGTERM)
        keep(self, state)

    monkeypatch.setattr(ResumeState, "keep", keeping)


def segment(data, path, **changes):
    options = {"identity": IDENTITY, "seed": 0, "epoch": 3, "previous": None, "code": "1"}
    segments.run(
        dataset=data.folder, checkpoint=path, history=path.with_suffix(".json"), threads=1,
        **options | changes,
    )  # fmt: skip
    return path


def classifier(data, path):
    identity = CLASSIFIER | {"training": TRAINING | {"epochs": 2}}
    classifiers.run(
        identity=identity, dataset=data.folder, checkpoint=path, report=path.with_suffix(".json"),
        threads=1,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("train", [segment, classifier])
@pytest.mark.parametrize("look", [1, 6])
def test_a_job_asked_to_stop_goes_on_to_the_same_bytes(data, tmp_path, monkeypatch, train, look):
    undisturbed = train(data, tmp_path / "undisturbed.pt")
    path = tmp_path / "a.pt"
    with monkeypatch.context() as patch:
        asked_to_stop_at(patch, look)
        with pytest.raises(Stopped, match=r"asked to stop at step \d+; .*a\.unfinished\.pt keeps"):
            train(data, path)
    assert not path.exists()
    assert (tmp_path / "a.unfinished.pt").exists()
    train(data, path)
    assert path.read_bytes() == undisturbed.read_bytes()
    assert not (tmp_path / "a.unfinished.pt").exists()
    records = [files.read_json(p.with_suffix(".json")) for p in (path, undisturbed)]
    assert records[0] | {"timing": 0} == records[1] | {"timing": 0}


@pytest.mark.parametrize("changes", [{"code": "2"}, {"seed": 1}, {"epoch": 2}])
def test_a_state_of_another_job_is_not_used(data, tmp_path, monkeypatch, changes, capsys):
    path = tmp_path / "a.pt"
    with monkeypatch.context() as patch:
        asked_to_stop_at(patch, 2)
        with pytest.raises(Stopped):
            segment(data, path)
    segment(data, path, **changes)
    assert "belongs to a job with other parameters" in capsys.readouterr().out
    clean = segment(data, tmp_path / "clean.pt", **changes)
    assert path.read_bytes() == clean.read_bytes()


def test_a_damaged_state_is_not_used(tmp_path, capsys):
    path = kept(tmp_path / "a.pt")
    assert ResumeState(path, JOB).state()["step"] == 3
    path.write_bytes(path.read_bytes()[:-100])
    assert ResumeState(path, JOB).state() is None
    assert f"not used: {path}: not a whole checkpoint" in capsys.readouterr().out


def test_a_state_is_kept_when_it_is_time(tmp_path):
    unfinished = ResumeState(tmp_path / "a.pt", JOB, seconds=3600)
    unfinished.keep(lambda: pytest.fail("too early"))
    assert not unfinished.path.exists()


def test_a_failure_leaves_the_state_and_a_success_takes_it(tmp_path):
    path = kept(tmp_path / "a.pt")
    with pytest.raises(RuntimeError), ResumeState(path, JOB):
        raise RuntimeError
    assert path.exists()
    with ResumeState(path, JOB):
        pass
    assert not path.exists()


def test_signals_are_heard_only_inside(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with ResumeState(tmp_path / "a.pt", JOB):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_finished_checkpoint_holds_no_optimiser_of_a_classifier(data, tmp_path):
    state = checkpoints.load(classifier(data, tmp_path / "c.pt"))
    assert not {"optimizer", "started"} & set(state)
    assert all(torch.isfinite(v).all() for v in state["network"].values())
