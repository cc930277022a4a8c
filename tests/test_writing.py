"""Splits on their way to the disk: cut off anywhere they go on, and end in the same bytes."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple

import numpy as np
import pytest
from prepared import contents

from uncanny.datasets import Dataset, _split_files, writing
from uncanny.datasets.writing import ResumableItems, write_description, write_split

SHAPE, COUNT = (1, 2, 3), 12
LEFT_OUT = (2, 9)


class Cut(Exception):
    """Stands for whatever ends a job."""


@pytest.fixture(autouse=True)
def every_item_is_kept(monkeypatch):
    monkeypatch.setattr(writing, "SECONDS", 0.0)


def _item(number):
    return np.full(SHAPE, number, np.uint8), number % 3


def _recipe(*, end=None, made=None, salt="", options=None, threads=1, left_out=()):
    """Items 0, 1, 2, …; cut off before item `end`; the numbers made are added to `made`."""

    def make(number):
        if number == end:
            raise Cut
        if made is not None:
            made.append(number)
        return None if number in left_out else _item(number)

    def stamp(number):
        return f"{number} {salt if number < 3 else ''}"

    return ResumableItems(make, stamp, options or {}, threads, whole=not left_out)


def _prepare(folder, recipe=None, count=COUNT):
    write_split(folder, "train", count, SHAPE, recipe or _recipe())
    write_split(folder, "test", 2, SHAPE, _recipe())
    write_description(folder, SHAPE, num_classes=3, source="made", parameters={})


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    _prepare(folder)
    assert sorted(contents(folder)) == [
        "dataset.json", "test-images.npy", "test-labels.npy", "train-images.npy", "train-labels.npy",
    ]  # fmt: skip
    data = Dataset.open(folder)
    data.verify()
    assert data.train.images[:, 0, 0, 0].tolist() == list(range(COUNT))
    assert data.train.labels.tolist() == [n % 3 for n in range(COUNT)]
    return contents(folder)


def _cut(folder, end, **options):
    with pytest.raises(Cut):
        _prepare(folder, _recipe(end=end, **options))
    assert not list(folder.glob("*.npy"))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("end", [1, 5, COUNT - 1])
def test_a_preparation_that_is_cut_off_goes_on(tmp_path, straight, end, threads):
    _cut(tmp_path, end, threads=threads)
    made = []
    _prepare(tmp_path, _recipe(made=made, threads=threads))
    assert sorted(made) == list(range(end, COUNT))
    assert contents(tmp_path) == straight


def test_it_may_be_cut_off_many_times(tmp_path, straight):
    for end in (2, 3, 7, 11):
        _cut(tmp_path, end)
    _prepare(tmp_path)
    assert contents(tmp_path) == straight


def test_what_was_written_after_the_last_record_is_written_again(tmp_path, straight):
    _cut(tmp_path, 5)
    for name in ("train-images.part", "train-labels.part"):
        with (tmp_path / name).open("ab") as file:
            file.write(b"xyz")
    (tmp_path / "train.part.new").write_text("{")
    _prepare(tmp_path)
    assert contents(tmp_path) == straight


@pytest.mark.parametrize("name", ["train-images.part", "train-labels.part"])
def test_what_was_damaged_meanwhile_is_made_anew(tmp_path, straight, name, capsys):
    _cut(tmp_path, 5)
    content = bytearray((tmp_path / name).read_bytes())
    content[140] ^= 1
    (tmp_path / name).write_bytes(content)
    made = []
    _prepare(tmp_path, _recipe(made=made))
    assert f"train: begins anew: {tmp_path / name} is damaged" in capsys.readouterr().out
    assert sorted(made) == list(range(COUNT))
    assert contents(tmp_path) == straight


def test_items_left_out_stay_left_out(tmp_path):
    _cut(tmp_path / "a", 7, left_out=LEFT_OUT)
    for name in "ab":
        _prepare(tmp_path / name, _recipe(left_out=LEFT_OUT))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    data = Dataset.open(tmp_path / "a")
    data.verify()
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 3, 4, 5, 6, 7, 8, 10, 11]
    with pytest.raises(ValueError, match="all 12 items were left out"):
        _prepare(tmp_path / "c", _recipe(left_out=range(COUNT)))


def test_the_numbers_left_out_are_returned(tmp_path):
    recipe = _recipe(left_out=LEFT_OUT)
    assert write_split(tmp_path, "train", COUNT, SHAPE, recipe) == list(LEFT_OUT)
    assert write_split(tmp_path, "train", COUNT, SHAPE, recipe) == list(LEFT_OUT)


@pytest.mark.parametrize(
    ("first", "then", "reason"),
    [
        ({"options": {"size": 1}}, {"options": {"size": 2}}, "belongs to other parameters"),
        ({"salt": "a"}, {"salt": "b"}, "belongs to another list of items"),
        ({"left_out": LEFT_OUT}, {}, "lacks items that are no longer to be left out"),
    ],
)
def test_what_belongs_to_something_else_is_not_used(
    tmp_path, straight, capsys, first, then, reason
):
    _cut(tmp_path, 6, **first)
    made = []
    _prepare(tmp_path, _recipe(made=made, **then))
    assert f"train: begins anew: {tmp_path / 'train.part.json'} {reason}" in capsys.readouterr().out
    assert made == list(range(COUNT))
    assert contents(tmp_path) == straight


def test_another_shape_is_something_else(tmp_path, capsys):
    write_split(tmp_path, "train", 2, SHAPE, _recipe())
    recipe = ResumableItems(lambda k: (np.zeros((3, 2, 1), np.uint8), 0), _recipe().stamp, {})
    write_split(tmp_path, "train", 2, (3, 2, 1), recipe)
    assert "other parameters" in capsys.readouterr().out
    assert np.load(tmp_path / "train-images.part").shape == (2, 3, 2, 1)


def test_a_list_that_differs_only_further_on_is_gone_on_with(tmp_path, straight):
    with pytest.raises(Cut):
        _prepare(tmp_path, _recipe(end=6), count=COUNT + 5)
    made = []
    _prepare(tmp_path, _recipe(made=made))
    assert made == list(range(6, COUNT))
    assert contents(tmp_path) == straight


def _shorten(folder):
    os.truncate(folder / "train-images.part", 140)


def _lose(folder):
    (folder / "train-labels.part").unlink()


def _damage(folder):
    (folder / "train.part.json").write_text("{")


def _empty(folder):
    (folder / "train.part.json").write_text("{}")


@pytest.mark.parametrize("harm", [_shorten, _lose, _damage, _empty])
def test_parts_that_are_not_whole_are_not_used(tmp_path, straight, harm):
    _cut(tmp_path, 6)
    harm(tmp_path)
    made = []
    _prepare(tmp_path, _recipe(made=made))
    assert made == list(range(COUNT))
    assert contents(tmp_path) == straight


def test_items_that_only_stream_leave_nothing_behind(tmp_path):
    def items():
        yield _item(0)
        raise Cut

    _cut(tmp_path, 6)
    with pytest.raises(Cut):
        write_split(tmp_path, "train", 2, SHAPE, items())
    assert list(tmp_path.iterdir()) == []


# ---- The end, where files take their names ---------------------------------------------------


STEPS = [
    ("_describe", 0),
    ("_describe", 1),
    ("_take_name", 0),
    ("_take_name", 3),
    ("write_json", 0),
]


@pytest.mark.parametrize(("function", "call"), STEPS)
def test_the_last_steps_may_be_cut_off_too(tmp_path, straight, monkeypatch, function, call):
    calls, whole = [], getattr(writing, function)

    def cut(*arguments):
        calls.append(arguments)
        if len(calls) > call:
            raise Cut
        return whole(*arguments)

    monkeypatch.setattr(writing, function, cut)
    with pytest.raises(Cut):
        _prepare(tmp_path)
    monkeypatch.undo()
    for path in (*tmp_path.glob("*.npy"), tmp_path / "dataset.json"):
        path.unlink(missing_ok=True)  # as Snakemake does
    made = []
    _prepare(tmp_path, _recipe(made=made))
    assert made == []
    assert contents(tmp_path) == straight


def test_a_disk_without_links_will_do(tmp_path, straight, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    _prepare(tmp_path)
    assert contents(tmp_path) == straight


# ---- Real ends -------------------------------------------------------------------------------

JOB = """
import sys, time
import numpy as np
from uncanny.datasets import writing
writing.SECONDS = 0.02

def make(number):
    time.sleep(0.002)
    return np.full((3, 8, 8), number % 251, np.uint8), number % 7

for split, count in (("train", 300), ("test", 20)):
    recipe = writing.ResumableItems(make, str, {}, threads=int(sys.argv[2]))
    writing.write_split(sys.argv[1], split, count, (3, 8, 8), recipe)
writing.write_description(sys.argv[1], (3, 8, 8), num_classes=7, source="", parameters={})
"""


def _job(folder, threads=2):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", JOB, str(folder), str(threads)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_goes_on(tmp_path, end):
    process = _job(tmp_path / "killed")
    for _ in range(2):
        assert " items" in process.stdout.readline()
        time.sleep(0.03)
        process.send_signal(end)
        assert process.wait(60) == -end
        process.stdout.close()
        assert not list((tmp_path / "killed").glob("*.npy"))
        process = _job(tmp_path / "killed")
        assert "train: goes on behind" in process.stdout.readline()
    assert process.wait(60) == 0
    assert _job(tmp_path / "straight", threads=1).wait(60) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "straight")


# ---- No room ---------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def test_room_is_asked_for_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(_split_files.shutil, "disk_usage", lambda _: Usage(0, 0, 2_000_000))
    made = []
    with pytest.raises(ValueError, match=r"train', 1000000 items, takes 0\.014 GB more; 0\.002 GB"):
        write_split(tmp_path, "train", 10**6, SHAPE, _recipe(made=made))
    assert made == []
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_missing_needs_room(tmp_path, straight, monkeypatch):
    _cut(tmp_path, COUNT - 1)
    monkeypatch.setattr(_split_files.shutil, "disk_usage", lambda _: Usage(0, 0, 6 + 8))
    with pytest.raises(ValueError, match="split 'test'"):
        _prepare(tmp_path)
    monkeypatch.undo()
    _prepare(tmp_path)
    assert contents(tmp_path) == straight


FILLED = (
    r"train-images\.part: .* after \d+ of {} items; the split takes .* GB in all, .* GB are free: "
    "make room and run the same command again"
)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_named_and_what_is_there_stays(
    tmp_path, straight, monkeypatch, code
):
    append = _split_files.SplitFiles.append

    def full(parts, value, label):
        if value.max() == 7:
            raise OSError(code, os.strerror(code))
        append(parts, value, label)

    monkeypatch.setattr(_split_files.SplitFiles, "append", full)
    with pytest.raises(ValueError, match=FILLED.format(COUNT)):
        _prepare(tmp_path)
    monkeypatch.undo()
    made = []
    _prepare(tmp_path, _recipe(made=made))
    assert made == list(range(7, COUNT))
    assert contents(tmp_path) == straight


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    shape = (1, 64, 64)

    def recipe():
        return ResumableItems(lambda k: (np.full(shape, k, np.uint8), 0), str, {})

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(ValueError, match=FILLED.format(20)):
            write_split(tmp_path, "train", 20, shape, recipe())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    kept = json.loads((tmp_path / "train.part.json").read_text())
    assert 0 < kept["items"] < 20
    write_split(tmp_path, "train", 20, shape, recipe())
    images = np.load(tmp_path / "train-images.part")
    assert images[:, 0, 0, 0].tolist() == list(range(20))


def test_other_errors_of_the_disk_stay_what_they_are(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_split_files.SplitFiles, "append", broken)
    with pytest.raises(OSError, match="Input/output error"):
        write_split(tmp_path, "train", COUNT, SHAPE, _recipe())


# ---- Threads ---------------------------------------------------------------------------------


def test_threads_work_side_by_side_and_keep_the_order():
    together = threading.Barrier(3, timeout=20)

    def make(number):
        if number < 3:
            together.wait()  # passes only where three are under way at once
        time.sleep(0.01 * (number % 3 == 0))
        return number

    assert list(ResumableItems(make, str, {}, threads=3).items(0, 30)) == list(range(30))


def test_threads_do_not_run_far_ahead():
    made = []
    items = ResumableItems(lambda k: made.append(k) or k, str, {}, threads=2).items(0, 1000)
    for taken in range(20):
        assert next(items) == taken
        time.sleep(0.002)
        assert len(made) <= taken + 2 + writing.AHEAD * 2
    items.close()


def test_the_first_error_in_order_is_raised(tmp_path):
    def make(number):
        if number >= 4:
            time.sleep(0.02 * (number == 4))
            raise ValueError(f"item {number} is broken")
        return _item(number)

    with pytest.raises(ValueError, match=r"split 'train': item 4 is broken"):
        write_split(tmp_path, "train", COUNT, SHAPE, ResumableItems(make, str, {}, threads=3))
    assert json.loads((tmp_path / "train.part.json").read_text())["items"] == 4
