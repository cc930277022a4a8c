"""Images that are read ahead of their use: the same batches in the same order, and a slow store that
keeps up, on a simulated clock.
"""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gpu import pretended

from uncanny.datasets import Split
from uncanny.runtime import hardware
from uncanny.training import reading, stream
from uncanny.training.reading import Ahead
from uncanny.training.stream import Stream

CPU = torch.device("cpu")
COUNT, BATCH = 103, 8


@pytest.fixture
def data(tmp_path, monkeypatch):
    """103 images in a file, in blocks of 4 and groups of 12."""
    monkeypatch.setattr(stream, "BLOCK_BYTES", 4 * 12)
    monkeypatch.setattr(stream, "GROUP_BLOCKS", 3)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (COUNT, 3, 2, 2), dtype=np.uint8))
    split = Split(np.load(tmp_path / "images.npy", mmap_mode="r"), rng.integers(0, 5, COUNT))
    return SimpleNamespace(train=split, num_classes=5, file=tmp_path / "images.npy")


def batches(images, steps, device=CPU):
    result = (images.batch(step, device) for step in steps)
    return [tuple(pretended.numbers(part) for part in pair) for pair in result]


def same(result, expected):
    return all(torch.equal(a, b) for x, y in zip(result, expected, strict=True) for a, b in zip(x, y, strict=True))  # fmt: skip


def resident(data, steps, shuffle):
    with pretended.pretended():
        return batches(Stream(data, BATCH, 1, True, shuffle), steps, torch.device("cuda:0"))


def test_blocks_are_shuffled_and_images_within_groups_of_them():
    rows = stream.order(COUNT, 1, 0, (4, 12))
    assert sorted(rows.tolist()) == list(range(COUNT))
    assert not torch.equal(rows, stream.order(COUNT, 1, 1, (4, 12)))
    for group in rows.split(12):
        assert len(reading.runs(group.sort().values.numpy())) <= 4  # a short block shifts the rest
    assert rows[:12].tolist() != rows[:12].sort().values.tolist()


@pytest.mark.parametrize("shuffle", ["images", "blocks"])
def test_batches_are_the_same_wherever_images_lie(data, monkeypatch, shuffle):
    """On the device, read ahead for one, and read by a processor; from an update within a pass, too."""
    steps = range(40)  # three passes
    expected = resident(data, steps, shuffle)
    assert same(batches(Stream(data, BATCH, 1, True, shuffle), steps), expected)
    monkeypatch.setattr(hardware, "free_memory", lambda _: 2 * data.train.images.nbytes - 1)
    for first in (0, 7, 20):
        with pretended.pretended() as log:
            images = Stream(data, BATCH, 1, True, shuffle)
            result = batches(images, steps[first:], torch.device("cuda:0"))
            assert not images._kept
            assert {what for what, _ in log.waits} == {"sent to the device"}  # without a wait
        assert same(result, expected[first:])


def test_images_stay_on_the_device_if_half_of_its_free_memory_holds_them(data, monkeypatch, capsys):
    for free, fits in ((2 * data.train.images.nbytes, True), (10**3, False)):
        monkeypatch.setattr(hardware, "free_memory", lambda _, free=free: free)
        with pretended.pretended():
            images = Stream(data, BATCH, 1, True)
            images.batch(0, torch.device("cuda:0"))
        assert ("images" in images._kept) == fits
    assert (
        capsys.readouterr().out == "0.0 GB of images are read ahead: 0.0 GB of the GPU are free\n"
    )


def test_an_error_in_the_thread_reaches_the_caller(data):
    images = Stream(data, BATCH, 1, True, "blocks")
    images.batch(0, CPU)
    data.file.unlink()
    with pytest.raises(FileNotFoundError, match=r"images\.npy"):
        batches(images, range(1, 30))


def test_little_is_made_ahead():
    made, asked = [], threading.Event()
    ahead = Ahead(lambda k: (made.append(k), k)[1], 3)
    assert [ahead(k) for k in (5, 6, 7)] == [5, 6, 7]
    ahead._pool.submit(asked.set)
    assert asked.wait(60)
    assert made == [5, 6, 7, 8, 9, 10]
    assert ahead(0) == 0 and ahead(1) == 1


# --- A slow store, on a simulated clock ----------------------------------------------------------


class Clock:
    """Seconds, as the thread that runs now sees them."""

    now = 0.0


class Thread:
    """An executor that runs its work at once, at the time at which a thread of its own would."""

    def __init__(self, clock):
        self.clock, self.free = clock, 0.0

    def submit(self, work, *arguments):
        asked, self.clock.now = self.clock.now, max(self.clock.now, self.free)
        result = work(*arguments)
        self.free, self.clock.now = self.clock.now, asked
        return SimpleNamespace(result=lambda at=self.free: self._wait(at, result), cancel=bool)

    def _wait(self, until, result):
        self.clock.now = max(self.clock.now, until)
        return result


def test_a_slow_store_feeds_a_fast_consumer(monkeypatch):
    """200 MB/s, 5 ms per request; 3,000 images of 64×64×3 a second: it waits for less than a tenth."""
    image, clock = np.zeros((1, 3, 64, 64), np.uint8), Clock()
    count = 10 * 21_760  # ten groups
    split = Split(np.broadcast_to(image, (count, *image.shape[1:])), np.zeros(count, np.int64))

    def read(images, rows):
        for first, last in reading.runs(rows):
            clock.now += 0.005 + (last - first) * image.nbytes / 200e6
        return np.broadcast_to(image, (len(rows), *image.shape[1:]))

    monkeypatch.setattr(stream, "read_rows", read)
    images = Stream(SimpleNamespace(train=split, num_classes=1), 256, 0, False, "blocks")
    assert images._group == 21_760
    images._batches._pool, images._groups._pool = Thread(clock), Thread(clock)
    waited = 0.0
    for step in range(count // 256):
        before = clock.now
        images._batches(step)
        waited += clock.now - before
        clock.now += 256 / 3000
    assert waited < 0.1 * clock.now
    # For the first group; blocks that follow each other in the file are read together.
    assert 0.9 < waited / (256 * (0.005 + 85 * image.nbytes / 200e6)) <= 1
