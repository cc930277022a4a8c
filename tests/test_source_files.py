"""Files from outside: what tells that others have taken their place, and that a run says so."""

import copy
import io
import json
import os
import zipfile

import numpy as np
import pytest
import yaml
from PIL import Image
from test_configuration import TINY, plan
from test_workflow import clone, jobs, snakemake

from uncanny.runtime import source_files
from uncanny.runtime.source_files import describe, zip_directory


def folder(root, files):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def archive(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as stored:
        for name, data in files.items():
            stored.writestr(zipfile.ZipInfo(name), data)
    return path


FILES = {"cat/a.png": b"one", "dog/b.png": b"two"}
CHANGES = {
    "contents": {"cat/a.png": b"eno"},
    "size": {"cat/a.png": b"longer"},
    "another": {"cat/c.png": b"three"},
}


@pytest.fixture(params=["small", "large"])
def large(request, monkeypatch):
    """Small sources count by their contents, large ones do not."""
    if request.param == "large":
        monkeypatch.setattr(source_files, "SMALL", 1)
    return request.param == "large"


@pytest.mark.parametrize("change", CHANGES)
def test_other_files_of_a_folder_are_noticed(tmp_path, large, change):
    root = folder(tmp_path / "raw", FILES)
    before = describe(root)
    assert before.startswith(f"{root}: 2 files, 6 bytes, ")
    assert describe(folder(root, FILES)) == before or large
    folder(root, CHANGES[change])
    for path in root.rglob("*.png"):
        os.utime(path, (1, 1_000_000_000))  # as if an hour had passed
    assert describe(root) != before


@pytest.mark.parametrize("change", CHANGES)
def test_other_files_of_an_archive_are_noticed(tmp_path, large, change):
    path = archive(tmp_path / "raw.zip", FILES)
    before = describe(path)
    os.utime(path, (1, 1))
    assert describe(path) == before  # by its directory, which has checksums
    archive(path, FILES | CHANGES[change])
    assert describe(path) != before


def test_times_count_only_where_contents_are_too_much_to_read(tmp_path, large):
    root = folder(tmp_path / "raw", FILES)
    before = describe(root)
    os.utime(root / "cat/a.png", (1, 1))
    assert (describe(root) == before) is not large
    (tmp_path / "file").write_bytes(b"weights")
    before = describe(tmp_path / "file")
    os.utime(tmp_path / "file", (1, 1))
    assert (describe(tmp_path / "file") == before) is not large


def test_many_files_are_not_read(tmp_path, monkeypatch):
    root = folder(tmp_path / "raw", {f"{i}.png": b"x" for i in range(5)})
    assert " contents " in describe(root)
    monkeypatch.setattr(source_files, "FEW", 4)
    assert " names, sizes and times " in describe(root)


def test_what_looking_at_a_folder_leaves_there_does_not_count(tmp_path):
    root = folder(tmp_path / "raw", FILES)
    before = describe(root)
    folder(root, {".DS_Store": b"x", "cat/Thumbs.db": b"x", ".git/x": b"x", "__MACOSX/x": b"x"})
    assert describe(root) == before


def test_a_copy_elsewhere_is_the_same_but_for_its_path(tmp_path):
    first, second = (folder(tmp_path / name, FILES) for name in ("a", "b"))
    assert describe(first).removeprefix(str(first)) == describe(second).removeprefix(str(second))


def test_where_nothing_is_there_is_nothing_to_say(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert describe(tmp_path / "empty") is describe(tmp_path / "nowhere") is None

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    folder(tmp_path / "raw", FILES)
    monkeypatch.setattr(os, "scandir", refused)
    assert describe(tmp_path / "raw") is None


def test_odd_files_do_not_stop_it(tmp_path):
    root = folder(tmp_path / "raw", FILES)
    os.mkfifo(root / "pipe.png")
    (root / "link.png").symlink_to("nowhere")
    (root / "linked").symlink_to(folder(tmp_path / "other", {"c.png": b"x"}))
    assert describe(root).startswith(f"{root}: 5 files, 7 bytes, contents ")


@pytest.mark.parametrize("comment", [b"", b"said of it" * 5000])
def test_the_directory_of_an_archive_is_found(tmp_path, comment):
    path = archive(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(path, "a") as stored:
        stored.comment, start = comment, stored.start_dir
    data = path.read_bytes()
    assert zip_directory(path) == data[start : data.rindex(b"PK\5\6")]
    (tmp_path / "none").write_bytes(b"no archive PK\5\6")
    assert zip_directory(tmp_path / "none") == b""


def test_the_directory_of_a_large_archive_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # beyond it the zip64 form is written
    path = archive(tmp_path / "a.zip", FILES)
    data = path.read_bytes()
    assert b"PK\6\7" in data
    assert zip_directory(path).startswith(b"PK\1\2")
    assert zip_directory(path).count(b"PK\1\2") == 2


def test_an_array_file_counts_as_the_archive_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(source_files, "SMALL", 1)
    result = []
    for level in (0, 0, 1):
        np.savez(tmp_path / "a.npz", arr_0=np.full((4, 8, 8, 3), level, np.uint8))
        result.append(describe(tmp_path / "a.npz"))
    assert result[0] == result[1] != result[2] and " directory " in result[0]


# ---- In a study -----------------------------------------------------------------------------


def test_a_study_knows_which_options_name_files():
    config = copy.deepcopy(TINY)
    config["datasets"]["pics"] = {"kind": "images", "root": "data/pics", "resolution": 8}
    config["extractors"]["inception"] = {"kind": "inception", "dataset": "pics", "weights": "w.pth"}
    study = plan(config)
    assert study.source("datasets", "pics") == "data/pics"
    assert study.source("extractors", "inception") == "w.pth"
    assert study.source("datasets", "digits") is study.source("extractors", "tiny_cnn") is None


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A clone in which a dataset of files has been prepared."""
    root = clone(tmp_path_factory.mktemp("files"))
    for i in range(12):
        file = io.BytesIO()
        Image.new("L", (8, 8), i).save(file, "PNG")
        folder(root / "data/pics", {f"{i:02}.png": file.getvalue()})
    config = TINY | {"study": "files"}
    config["datasets"] = TINY["datasets"] | {"pics": {"kind": "images", "root": "data/pics", "resolution": 8}}  # fmt: skip
    (root / "config/files.yaml").write_text(yaml.safe_dump(config))
    done = run(root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


TARGET = "results/files/datasets/pics/dataset.json"


def run(root, *options):
    return snakemake(root, TARGET, *options, config="config/files.yaml")


@pytest.mark.workflow
def test_prepared_data_stay_as_long_as_their_files_do(study):
    record = json.loads((study / TARGET).read_text())
    assert record["source_files"].startswith("data/pics: 12 files, ")
    for path in (study / "data/pics").iterdir():
        os.utime(path)
    assert jobs(run(study, "-n")) == {}
    (study / "data/pics").rename(study / "data/away")  # to make room
    assert jobs(run(study, "-n")) == {}
    (study / "data/pics").mkdir()  # where a disk is mounted, sometimes
    assert jobs(run(study, "-n")) == {}
    (study / "data/pics").rmdir()
    (study / "data/away").rename(study / "data/pics")
    assert jobs(run(study, "-n")) == {}


@pytest.mark.workflow
def test_files_that_were_replaced_are_prepared_again_and_it_is_said(study):
    path = study / "data/pics/03.png"
    before = path.read_bytes()
    file = io.BytesIO()
    Image.new("L", (8, 8), 250).save(file, "PNG")
    path.write_bytes(file.getvalue())
    done = run(study, "-n")
    assert jobs(done) == {"prepare_dataset": 1}
    (reason,) = [line for line in (done.stdout + done.stderr).splitlines() if "Params have changed" in line]  # fmt: skip
    for when in ("before", "now"):
        assert f"{when}: 'data/pics: 12 files, " in reason
    path.write_bytes(before)
    assert jobs(run(study, "-n")) == {}
