"""Archives: what is in them, what comes out, and which are refused."""

import importlib.util
import io
import json
import os
import subprocess
import tarfile

import pytest
from test_configuration import ROOT, TINY, changed, plan

from uncanny.runtime import files
from uncanny.study.plan import archive as plan_archive
from uncanny.study.plan import inputs
from uncanny.workflow import archive

IDENTITY = {"seeds": [0], "samplers": {"EUL": {"num_steps": 4}}}


@pytest.fixture
def results(tmp_path):
    """A study's results with a score, images with their record, and a dataset."""
    folder = tmp_path / "a/results/tiny"
    files.write_json(folder / "scores/m/epoch-1.json", {"value": 1.0})
    files.write_text(folder / "samples/m/epoch-1.npz", "images")
    files.write_json(folder / "samples/m/epoch-1.json", {"nfe": 4})
    arrays = {"train-images.npy": {}, "train-labels.npy": {}}
    files.write_json(folder / "datasets/d/dataset.json", {"splits": {"train": {"files": arrays}}})
    for name in arrays:
        files.write_text(folder / "datasets/d" / name, name)
    return folder


NAMES = ["scores/m/epoch-1.json", "samples/m/epoch-1.npz", "datasets/d/dataset.json"]


@pytest.fixture
def packed(results, tmp_path):
    archive.pack(NAMES, results, "tiny", IDENTITY, tmp_path / "a.tar")
    return tmp_path / "a.tar"


def test_files_come_back_with_what_belongs_to_them_and_one_time(results, packed, tmp_path):
    other = tmp_path / "b/results/tiny"
    names = archive.adopt(packed, other, "tiny", IDENTITY)
    extras = [
        "samples/m/epoch-1.json",
        "datasets/d/train-images.npy",
        "datasets/d/train-labels.npy",
    ]
    assert sorted(names) == sorted(NAMES + extras)
    assert all((other / n).read_bytes() == (results / n).read_bytes() for n in names)
    assert len({os.stat(other / n).st_mtime_ns for n in names}) == 1
    assert archive.adopt(packed, other, "tiny", IDENTITY) == names  # once more changes nothing


def test_the_same_results_give_the_same_bytes_and_say_where_they_are_from(
    results, packed, tmp_path
):
    archive.pack(reversed(NAMES), results, "tiny", IDENTITY, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == packed.read_bytes()
    with tarfile.open(packed) as result:
        manifest = json.load(result.extractfile("manifest.json"))
    assert manifest["study"] == "tiny" and manifest["packages"]["numpy"]
    digest = files.sha256(results / NAMES[0])
    assert manifest["files"][NAMES[0]] == digest


def rewritten(path, change):
    """The archive with its manifest or a member changed."""
    with tarfile.open(path) as result:
        members = {m.name: result.extractfile(m).read() for m in result}
    members = change(members)
    with tarfile.open(path, "w") as made:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))


def manifest(**changes):
    def change(members):
        result = json.loads(members["manifest.json"]) | changes
        return members | {"manifest.json": json.dumps(result).encode()}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [(manifest(format=1), "format 1; this version reads 2: adopt the archive in a clone of .*, or run"),
     (manifest(study="paper"), "of study 'paper'; the config has 'tiny'"),
     (manifest(identity={"seeds": [1], "samplers": {}}), r"made with samplers\.EUL None .*; the config has \{'num_steps': 4\}|made with samplers|made with seeds"),
     (lambda members: members | {NAMES[0]: b"{}"}, f"{NAMES[0]} is damaged or not there"),
     (lambda members: {n: c for n, c in members.items() if n != NAMES[1]}, f"{NAMES[1]} is damaged or not there"),
     (lambda members: {"x": b""}, r"no manifest\.json; expected an archive"),
     (manifest(files={"../x": "0"}), r"\.\./x lies outside the study's results")],
)  # fmt: skip
def test_another_archive_is_refused_and_nothing_is_written(packed, tmp_path, change, message):
    rewritten(packed, change)
    other = tmp_path / "b/results/tiny"
    with pytest.raises(ValueError, match=rf"a\.tar: ({message})"):
        archive.adopt(packed, other, "tiny", IDENTITY)
    assert not other.exists()


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"no archive")
    for name, message in (("x.tar", "not readable"), ("y.tar", "no such file")):
        with pytest.raises(ValueError, match=f"{name}: {message}.*expected an archive"):
            archive.adopt(tmp_path / name, tmp_path / "results/tiny", "tiny", IDENTITY)


def test_nothing_good_is_replaced(packed, tmp_path):
    other = tmp_path / "b/results/tiny"
    files.write_text(other / NAMES[0], "mine")
    with pytest.raises(ValueError, match=r"epoch-1\.json: there already, and another than in"):
        archive.adopt(packed, other, "tiny", IDENTITY)
    assert (other / NAMES[0]).read_text() == "mine"


def test_it_holds_what_is_drawn_and_no_checkpoint():
    result = inputs.of_all(plan(TINY))
    folders = {path.split("/")[0] for path in result}
    assert folders == {"scores", "samples", "sizes", "traces", "timings", "datasets"}
    assert len(result) == len(set(result))


def test_numbers_follow_from_everything_but_looks():
    identity = plan_archive.identity(plan(TINY))
    for path, value, same in [
        (("models", "vp_uncond", "label"), "other", True),
        (("figures", "figure_1", "panels", 0, "title"), "other", True),
        (("samplers", "EUL", "num_steps"), 6, False),
        (("num_images",), 50, False),
    ]:
        result = plan_archive.identity(plan(changed(path, value)))
        assert (result == identity) is same, path


@pytest.mark.parametrize("known", [True, False])
def test_files_that_snakemake_has_never_seen_are_adopted(monkeypatch, known):
    spec = importlib.util.spec_from_file_location("adopt", ROOT / "scripts/adopt_archive.py")
    adopt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adopt)
    listing = (
        "Failed to clean up metadata for the following files because the metadata was not present."
        if known
        else "locked"
    )
    done = subprocess.CompletedProcess([], 1, "", listing)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    if known:
        adopt._clean_metadata(["results/x.json"], "a.yaml")
    else:
        with pytest.raises(ValueError, match=r"snakemake --configfile a\.yaml: locked"):
            adopt._clean_metadata(["results/x.json"], "a.yaml")
