"""Every kind of stored file, damaged or put in another's place: named, never used."""

import random
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from test_checkpoints import state
from test_scores import record

from uncanny.datasets import Dataset
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.evaluation import extractors, features, score_records
from uncanny.evaluation.extractors.classifier import build, state_of
from uncanny.figures import figure_data
from uncanny.runtime import arrays, checkpoints, files
from uncanny.runtime.resume_state import ResumeState
from uncanny.sampling import sample_files

RNG = np.random.default_rng(0)
CELL = "{}/seed-0/DDIM/none/draw-0/epoch-5"
FLIPS = 12  # bits, one at a time


def whole(number=0):
    """A checkpoint's state: another for another number."""
    return state(average={"a": torch.arange(6.0) + number})


def trace(path, number):
    pictures = RNG.random((2, 1, 4, 4), dtype=np.float32)
    levels = {"sigma": np.arange(2.0), "alpha_bar": np.ones(2)}
    arrays.save(path, forward=pictures + number, backward=pictures, lane="SDE", axis="t", **levels)


def some_features(path, number):
    result = features.Features(RNG.random((5, 3), np.float32), RNG.random((5, 2), np.float32))
    features.save(
        path, result, {"extractor": f"cnn@{number}", "images_sha256": "", "labels_sha256": ""}
    )


def extractor(path, number):
    torch.manual_seed(number)
    config = {"shape": [1, 8, 8], "num_classes": 3, "width": 2, "depth": 1}
    extractors.save(path, state_of("classifier", config, build(config)))


def table(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"x": [1.5, 2.5], "y": [number, 1]}).to_csv(path, index=False)
    files.write_checksums([path])


def lines(path, number):
    files.write_json_lines(path, [{"cell": number}, {"cell": 1}])
    files.write_checksums([path])


def pixels(number):
    return RNG.integers(0, 255, (3, 1, 4, 4), dtype=np.uint8) + np.uint8(number)


# kind: where a file lies, by model; how it is written, by (path, number); how it is read
KINDS = {
    "checkpoint": ("checkpoints/{}/seed-0/epoch-1.pt", lambda p, n: checkpoints.save(p, whole(n)), checkpoints.load),
    "classifier": ("classifiers/{}/digits-ddpm-cosine.pt", lambda p, n: checkpoints.save(p, whole(n)), checkpoints.load),
    "extractor": ("extractors/{}.pt", extractor, lambda p: extractors.load(p).id),
    "samples": (f"samples/{CELL}.npz", lambda p, n: sample_files.save(p, pixels(n), np.arange(3)), sample_files.load_images),
    "features": ("features/cnn/{}-train.npz", some_features, features.load),
    "trace": ("traces/{}/seed-0/DDIM/epoch-5.npz", trace, figure_data.read_trace),
    "score": (f"scores/{CELL}.json", lambda p, n: files.write_json(p, record(value=2.0 + n) | {"timing": {"seconds": 1.5}}),
              lambda p: score_records.read_records([p])),
    "history": ("checkpoints/{}/seed-0/epoch-1.json", lambda p, n: files.write_json(p, {"epoch": n}), files.read_json),
    "table of a figure": ("figures/{}.csv", table, figure_data._read_table),
    "verdicts": ("exact/{}.jsonl", lines, files.read_json_lines),
}  # fmt: skip


@pytest.fixture
def stored(tmp_path):
    """A function that writes the file of a kind and a model, and gives its path and its reader."""

    def write(kind, model="vp", number=0):
        place, save, load = KINDS[kind]
        path = tmp_path / "results/tiny" / place.format(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, number)
        return path, load

    return write


def named(path, load):
    """The message with which a file is refused; it says which file, and what to do."""
    with pytest.raises(ValueError) as error:
        load(path)
    message = str(error.value)
    assert path.name in message
    assert "again" in message
    assert "\n" not in message
    return message


def content_of(value):
    """Everything that a reader gave, as text."""
    if isinstance(value, pd.DataFrame):
        return value.to_csv()
    if isinstance(value, dict):
        return str({key: content_of(part) for key, part in value.items()})
    if isinstance(value, list | tuple):
        return str([content_of(part) for part in value])
    if isinstance(value, np.ndarray | torch.Tensor):
        return f"{value.dtype} {value.tolist()}"
    return content_of(vars(value)) if hasattr(value, "__dict__") else str(value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_read_also_from_results_that_were_moved(kind, stored, tmp_path):
    path, load = stored(kind)
    before = content_of(load(path))
    moved = tmp_path / "elsewhere/results/renamed"
    shutil.copytree(tmp_path / "results/tiny", moved)
    assert content_of(load(moved / path.relative_to(tmp_path / "results/tiny"))) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named(kind, share, stored):
    path, load = stored(kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    named(path, load)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_named_or_changes_nothing(kind, stored):
    path, load = stored(kind)
    before, content = content_of(load(path)), path.read_bytes()
    draw, refused = random.Random(kind), 0
    for _ in range(FLIPS):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            assert content_of(load(path)) == before  # a byte that the container does not use
        except ValueError as error:
            assert path.name in str(error)
            refused += 1
    assert refused


@pytest.mark.parametrize("kind", KINDS)
def test_another_models_file_is_named(kind, stored):
    path, load = stored(kind)
    other, _ = stored(kind, "ve", 1)
    shutil.copy(other, path)
    named(path, load)


@pytest.mark.parametrize("kind", ["checkpoint", "samples"])
def test_a_message_says_whose_file_it_is(kind, stored):
    path, load = stored(kind)
    other, _ = stored(kind, "ve", 1)
    shutil.copy(other, path)
    assert "another file in its place, written as" in named(path, load)
    assert "/ve/" in named(path, load)


def test_a_time_that_was_changed_is_named(stored):
    path, load = stored("score")
    path.write_text(path.read_text().replace("1.5", "1.4"))
    assert "checksum" in named(path, load)


def test_the_seal_of_a_record_does_not_hang_on_its_times(tmp_path):
    texts = []
    for seconds in (1.0, 2.0):
        files.write_json(tmp_path / "a.json", {"a": 1, "timing": {"seconds": seconds}})
        texts.append((tmp_path / "a.json").read_text().split('"timing"')[0])
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "damage", ["truncated", "flipped", "empty", "a checkpoint", "another job's"]
)
def test_an_unfinished_state_that_is_damaged_is_not_used(damage, tmp_path, capsys):
    path = tmp_path / "results/tiny/checkpoints/vp/seed-0/epoch-1.unfinished.pt"
    ResumeState(path, {"code": "1"}, seconds=0).keep(lambda: whole() | {"step": 3})
    assert ResumeState(path, {"code": "1"}).state()["step"] == 3
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[content.find(torch.arange(6.0).numpy().tobytes()) + 2] ^= 4
    path.write_bytes({"truncated": content[:-50], "empty": b""}.get(damage, content))
    if damage == "a checkpoint":
        checkpoints.save(path, whole())
    if damage == "another job's":
        other = path.with_name("epoch-2.unfinished.pt")
        ResumeState(other, {"code": "1"}, seconds=0).keep(lambda: whole() | {"step": 9})
        shutil.copy(other, path)
    assert ResumeState(path, {"code": "1"}).state() is None
    assert "not used" in capsys.readouterr().out


VICTIMS = ["train-images.npy", "train-labels.npy", "test-images.npy", "test-labels.npy", "dataset.json"]  # fmt: skip


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "swapped"])
def test_a_damaged_dataset_is_named_when_it_is_opened(victim, damage, tmp_path):
    folders = [tmp_path / "results/tiny/datasets" / name for name in ("ring", "other")]
    for seed, folder in enumerate(folders):
        gaussian_ring(folder, n=40, n_test=20, dim=2, num_modes=4, seed=seed, labelled=True)
    Dataset.open(folders[0])
    path = folders[0] / victim
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {"truncated": content[:-1], "flipped": content, "empty": b""}
    path.write_bytes(
        damaged.get(damage) if damage != "swapped" else (folders[1] / victim).read_bytes()
    )
    named(path, lambda _: Dataset.open(folders[0]))
