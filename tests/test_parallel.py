"""One model trained by several processes: gradients, weights and history are those of one process."""

import os
import signal

import numpy as np
import pytest
import torch
from gpu import paths

from uncanny.datasets.writing import write_description, write_split
from uncanny.runtime import checkpoints, files
from uncanny.runtime.resume_state import ResumeState, Stopped
from uncanny.training import gradients, loop, parallel, segments
from uncanny.training.parallel import Share

CPU = torch.device("cpu")
IDENTITY = paths.identity(paths.DDPM, paths.UNET | {"dropout": 0.3}, paths.LINEAR, grad_clip=1.0)


def packed(run, share):
    """Gradients of a batch and its loss as one vector."""
    run.share, run.seen = share, share.network(run.network) if share else run.network
    run.network.train()
    with torch.random.fork_rng(devices=[]):
        for draws in run.generators:
            draws.manual_seed(5)
        entry = loop._gradients(run, *run.data.batch(0, CPU))
    if share:
        return entry
    return torch.cat([gradients.joined(gradients.with_gradients(run.weights)), entry[:1]])


@pytest.mark.parametrize("model", paths.MODELS)
def test_shares_of_a_batch_add_up_to_the_whole(model, monkeypatch):
    """Same noise, same mirrored images, same dropout."""
    made = paths.MODELS[model]
    network = made["network"] | {"dropout": 0.3}
    monkeypatch.setitem(paths.MODELS, model, made | {"network": network})
    run = paths.Begun(model, CPU, grad_clip=None).run
    paths.shake(run.network)
    whole = packed(run, None)
    parts = [packed(run, Share(rank, 4)) for rank in range(4)]
    assert torch.allclose(sum(parts), whole, rtol=1e-4, atol=1e-5 * float(whole.abs().max()))
    assert not torch.allclose(parts[0], parts[1], rtol=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "made"
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        items = ((rng.integers(0, 256, (3, 8, 8), dtype=np.uint8), 0) for _ in range(48))
        write_split(folder, split, 48, (3, 8, 8), items)
    write_description(folder, (3, 8, 8), num_classes=0, source="noise", parameters={})
    return folder


def segment(data, path, gpus):
    segments.run(
        identity=IDENTITY, seed=0, epoch=3, previous=None, dataset=data, checkpoint=path,
        history=path.with_suffix(".json"), threads=gpus, gpus=gpus,
    )  # fmt: skip
    return checkpoints.load(path), files.read_json(path.with_suffix(".json"))


def test_two_processes_stopped_and_resumed_train_what_one_does(data, tmp_path, monkeypatch):
    """SIGTERM is heard by the first; the other writes nothing and ends."""
    expected, record = segment(data, tmp_path / "one.pt", 1)
    monkeypatch.setattr(loop, "UPDATES_AT_ONCE", 4)
    monkeypatch.setattr(parallel, "PATIENCE", 600.0)
    looks, keep, started = [], ResumeState.keep, []

    def keeping(self, state):
        looks.append(1)
        if len(looks) == 2:  # in the second epoch
            os.kill(os.getpid(), signal.SIGTERM)
        keep(self, state)

    start = parallel._start
    monkeypatch.setattr(ResumeState, "keep", keeping)
    monkeypatch.setattr(parallel, "_start", lambda *a: started.append(start(*a)) or started[-1])
    with pytest.raises(Stopped, match="keeps the state"):
        segment(data, tmp_path / "two.pt", 2)
    result, other = segment(data, tmp_path / "two.pt", 2)
    stopped, finished = (process.poll() for process in started)
    assert stopped and finished == 0  # killed, or ended by itself when the first had left
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "one.pt", "two.json", "two.pt"]  # fmt: skip
    for key in ("network", "average"):
        for name, weight in expected[key].items():
            assert torch.allclose(result[key][name], weight, rtol=1e-3, atol=1e-5), name
    assert result["step"] == expected["step"]
    for epoch, same in zip(other["history"], record["history"], strict=True):
        assert epoch == pytest.approx(same, rel=1e-4)
    assert other["identity"] == record["identity"] and other["timing"]["gpus"] == 2


def test_a_process_that_fails_stops_the_job_with_its_own_words(tmp_path):
    order = {"facts": {}, "dataset": str(tmp_path / "none"), "start": None, "threads": 1}
    with (
        pytest.raises(ValueError, match=r"process 1 of a training on 2 GPUs: ValueError: .*none"),
        parallel.processes(2, order) as share,
    ):
        share.add(torch.zeros(3))


def test_a_process_ends_with_the_job(tmp_path):
    other = parallel._start(1, 2, str(tmp_path), {})
    other.stdin.close()
    assert other.wait(300) == 1


def test_more_gpus_than_a_job_sees(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="gpus: 4 in the training recipe; this job sees 2"):
        parallel.check(4)
