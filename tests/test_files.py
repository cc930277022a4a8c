"""Files are whole or not there."""

import math
import os
import pickle
import subprocess
import sys

import pytest

from uncanny.runtime import files


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_takes_the_final_name(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


WRITER = """
import os, sys
from uncanny.runtime import files
with files.replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_goes_with_the_next_one_and_nothing_else(tmp_path):
    path = tmp_path / "a[1].txt"
    paths = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", WRITER, path], env=os.environ | {"PYTHONPATH": paths})
    assert len(list(tmp_path.iterdir())) == 1
    others = {tmp_path / ".a[1].txt.swp", tmp_path / ".b.txt.abcdefgh.txt"}
    for other in others:
        other.write_text("somebody else's")
    with files.replacing(path) as first, files.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert set(tmp_path.iterdir()) == {first, second, *others}
    assert path.read_text() == "first"
    assert set(tmp_path.iterdir()) == {path, *others}


@pytest.mark.parametrize(
    ("text", "result"),
    [("[1]", "a list"), ('"a"', "text"), ("null", "null"), ("1.5", "1.5"), ("true", "true")],
)
def test_json_that_is_no_object_is_said_to_be_what_it_is(tmp_path, text, result):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.json: {result}; expected an object"):
        files.read_json(tmp_path / "a.json")


def test_json_is_sorted_and_refuses_nan(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"b": 1, "a": [2.5, None]})
    assert path.read_text().index('"a"') < path.read_text().index('"b"')
    assert files.read_json(path) == {"a": [2.5, None], "b": 1}
    with pytest.raises(ValueError):
        files.write_json(path, {"a": math.nan})
    assert files.read_json(path)["b"] == 1


@pytest.mark.parametrize("content", ["", '{"a": ', "\x00\xff"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"a\.json: not valid JSON"):
        files.read_json(path)
    with pytest.raises(ValueError, match="no such file"):
        files.read_json(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "0 bytes"),
        (b"x", "1 byte"),
        (b"  <!DOCTYPE html>", "17 bytes, a page of HTML or XML"),
        (b"version https://git-lfs.github.com/spec/v1", "42 bytes, a Git LFS pointer; `git lfs pull` fetches the file itself"),
        (pickle.dumps(None), "4 bytes, a pickle, which can run code when it is read"),
        (b"PK\3\4", "4 bytes, a zip archive or a file of torch.save"),
        (b"\x80" + bytes(7) + b'{"a":1}' + bytes(200), "215 bytes, safetensors"),
    ],
)  # fmt: skip
def test_a_file_of_somebody_else_is_described(tmp_path, content, kind):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert files.describe(path) == kind
    assert files.describe(tmp_path) == "a folder" and files.describe(tmp_path / "b") == "no file"


LIMITED = """
import resource, sys
import numpy as np, torch
from uncanny.runtime import arrays; from uncanny.runtime import checkpoints; from uncanny.runtime import files
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
many = {"identity": {}, "seed": 0, "epoch": 1, "status": "ok", "average": {"w": torch.zeros(10**6)}}
for name, write in {
    "a.pt": lambda path: checkpoints.save(path, many),
    "a.npz": lambda path: arrays.save(path, images=np.zeros(10**6)),
    "a.json": lambda path: files.write_json(path, {"a": "x" * 10**6}),
}.items():
    try:
        write(f"{sys.argv[1]}/{name}")
    except OSError as error:
        print(error)
"""


def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path):
    """Of torch, too, which says "unexpected pos" where a disk is full."""
    for name in ("a.pt", "a.npz", "a.json"):
        (tmp_path / name).write_text("old")
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path], env=os.environ | {"PYTHONPATH": paths},
        capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    for name, line in zip(("a.pt", "a.npz", "a.json"), lines, strict=True):
        assert line == f"[Errno 27] File too large: '{tmp_path / name}'"
        assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3
