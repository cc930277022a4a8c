"""Folders and archives as other people have them: names of splits, folders around them, listed classes."""

import io
import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from uncanny.datasets import Dataset
from uncanny.datasets.images import images


def picture(value):
    """Bytes of a PNG of one grey level."""
    file = io.BytesIO()
    Image.new("L", (4, 4), value).save(file, "PNG")
    return file.getvalue()


def folder(root, files):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture(params=["folder", "zip"])
def place(request, tmp_path):
    """A function files -> root, a folder or an archive that holds them."""

    def archive(files):
        with zipfile.ZipFile(tmp_path / "raw.zip", "w") as stored:
            for name, data in files.items():
                stored.writestr(name, data)
        return tmp_path / "raw.zip"

    return archive if request.param == "zip" else lambda files: folder(tmp_path / "raw", files)


def prepared(tmp_path, root, **options):
    images(tmp_path / "data", root=str(root), resolution=4, **options)
    data = Dataset.open(tmp_path / "data")
    levels = {split: part.images[:, 0, 0, 0].tolist() for split, part in data.splits.items()}
    return data, levels


TRAIN = {"train/cat/a.png": 1, "train/cat/b.png": 2, "train/dog/a.png": 3, "train/dog/b.png": 4}
TEST = {"test/cat/a.png": 11, "test/dog/a.png": 12}
BOTH = {"train": [1, 2, 3, 4], "test": [11, 12]}


def layout(names=lambda name: name, files=TRAIN | TEST):
    return {names(name): picture(value) for name, value in files.items()}


def called(train, test):
    return lambda name: name.replace("train/", f"{train}/", 1).replace("test/", f"{test}/", 1)


# ---- Splits ---------------------------------------------------------------------------------

CALLED = [
    ("train", "valid"), ("train", "validation"), ("Train", "Test"), ("TRAINING", "testing"),
    ("train", "val"), ("train", "dev"), ("training_set", "test_set"), ("seg_train", "seg_test"),
    ("train2017", "val2017"), ("trainA", "testA"), ("trainset", "TESTDATA"),
]  # fmt: skip


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("names", CALLED, ids="-".join)
def test_splits_have_many_names(place, tmp_path, names, classes):
    data, levels = prepared(tmp_path, place(layout(called(*names))), classes=classes)
    assert levels == BOTH
    assert data.parameters["classes"] == (["cat", "dog"] if classes else [])
    assert data.parameters["splits"] == "folders"


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train/a.png": 1, "test/a.png": 2, "valid/a.png": 3}, "found test/, train/, valid/; expected one folder to train on"),
        ({"train/a.png": 1, "extra/a.png": 2}, "found extra/, train/; expected"),
        ({"cat/a.png": 1, "dog/a.png": 2, "val/a.png": 3}, "found cat/, dog/, val/; expected"),
        ({"test/cat/a.png": 1, "test/dog/a.png": 2}, "found test/; expected one folder to train on"),
        ({"trainA/a.png": 1, "trainB/a.png": 2, "testA/a.png": 3}, "found testA/, trainA/, trainB/; expected"),
        ({"x/train/a.png": 1, "x/unlabelled/a.png": 2}, "found x/train/, x/unlabelled/; expected"),
        ({"cat/train/a.png": 1, "cat/test/a.png": 2, "dog/train/a.png": 3}, "cat/test/ is held out by its name, and lies among images to train on"),
        ({"train/val/a.png": 1, "train/b/a.png": 2, "test/b/a.png": 3}, "train/val/ is held out by its name"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)  # fmt: skip
def test_held_out_images_are_never_classes_nor_trained_on(place, tmp_path, files, message, classes):
    with pytest.raises(ValueError, match=message):
        prepared(tmp_path, place(layout(files=files)), classes=classes)


REFUSED = [
    # held-out images alone
    ["test2017"], ["Test Images"], ["cars_test"], ["validation_set"], ["coco/test2017"], ["valSet"],
    ["TEST-01"], ["held_out"], ["Hold Out"], ["test_pictures/test2017"], ["a/Eval.2/b"],
    # beside classes
    ["cat", "test2017"], ["cat", "dog", "cars_test"], ["cat", "heldOut"], ["cat", "dev-kit"],
    # something else beside a training folder
    ["train-images", "t10k-images"], ["train_set", "held_out"], ["training-data", "held-out-data"],
    ["training_data", "heldout"], ["train2017", "unlabeled2017"], ["trainA", "other"],
    ["train2017", "val2017", "unlabeled2017"], ["train_32x32", "extra_32x32"],
    ["seg_train", "seg_pred"], ["train_val", "rest"], ["Train Images", "rest"],
    # inside a folder to train on
    ["train/cat/test2017", "train/cat/b", "test/cat"], ["train/val2017", "train/b", "test/b"],
    ["cat/cars_train", "cat/cars_test", "dog/cars_train"],
]  # fmt: skip


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("folders", REFUSED, ids=" ".join)
def test_names_of_splits_may_have_more_to_them(place, tmp_path, folders, classes):
    root = place(layout(files={f"{f}/{c}/{i}.png": i for f in folders for c in "ab" for i in range(3)}))  # fmt: skip
    with pytest.raises(ValueError, match=r"found .*; expected one folder to train on|held out by its name"):  # fmt: skip
        prepared(tmp_path, root, classes=classes, test_fraction=0.5)


@pytest.mark.parametrize("name", ["test2017", "Test Images", "cars_test/x", "validation-set"])
def test_images_right_in_a_held_out_folder_are_refused(place, tmp_path, name):
    root = place(layout(files={f"{name}/{i}.png": i for i in range(4)}))
    with pytest.raises(ValueError, match=rf"raw(\.zip)?: found {name.split('/')[0]}/; expected"):
        prepared(tmp_path, root)


def test_an_image_beside_a_training_folder_is_refused(place, tmp_path):
    with pytest.raises(ValueError, match=r"found train/, preview\.png; expected"):
        prepared(tmp_path, place(layout(files=TRAIN | {"preview.png": 5})))


CLASSES = [
    ["testarossa", "trainer"], ["evaluate", "contest"], ["bullet_train", "bicycle"],
    ["train_station", "bus_station"], ["valley", "device"], ["latest", "household_outing"],
    ["Trainspotting", "attest"], ["testé", "étrain"], ["strained", "MyContestants"],
]  # fmt: skip


@pytest.mark.parametrize("names", CLASSES, ids=" ".join)
def test_words_that_only_contain_a_split_are_classes(place, tmp_path, names):
    files = {f"{name}/{i}.png": i for name in names for i in range(2)}
    data, _ = prepared(tmp_path, place(layout(files=files)), classes=True, test_fraction=0.5)
    assert data.parameters["classes"] == sorted(names)


@pytest.mark.parametrize("held_out", [{}, {"test/test_tube/a.png": 7}])
def test_in_a_training_folder_a_class_may_be_a_test_tube(place, tmp_path, held_out):
    files = {f"train/{name}/{i}.png": i for name in ("test_tube", "cup") for i in range(2)}
    root = place(layout(files=files | held_out))
    data, _ = prepared(tmp_path, root, classes=True, test_fraction=0.5)
    assert data.parameters["classes"] == ["cup", "test_tube"]


def test_splits_may_lie_in_a_folder_that_is_called_a_test(place, tmp_path):
    data, levels = prepared(tmp_path, place(layout(lambda name: f"test_data/{name}")), classes=True)
    assert levels == BOTH and data.parameters["classes"] == ["cat", "dog"]


@pytest.mark.parametrize("name", ["train2017", "Train Images", "cars_train", "unlabeled2017"])
def test_of_a_folder_that_is_not_held_out_a_share_is_drawn(place, tmp_path, name):
    root = place(layout(called(name, ""), TRAIN))
    data, levels = prepared(tmp_path, root, classes=True, test_fraction=0.5)
    assert sorted(levels["train"] + levels["test"]) == [1, 2, 3, 4]
    assert data.parameters["classes"] == ["cat", "dog"]


def test_held_out_images_may_lack_a_class(place, tmp_path):
    files = TRAIN | {"test/dog/a.png": 12}
    data, _ = prepared(tmp_path, place(layout(files=files)), classes=True)
    assert data.num_classes == 2 and data.test.labels.tolist() == [1]


def test_a_class_may_be_called_as_a_split_is(place, tmp_path):
    names = lambda name: name.replace("/dog/", "/train/")  # noqa: E731
    data, levels = prepared(tmp_path, place(layout(names)), classes=True)
    assert levels == BOTH and data.parameters["classes"] == ["cat", "train"]


def test_a_word_of_a_name_is_no_split_where_its_other_half_is_missing(place, tmp_path):
    files = {f"{c}/{i}.png": 9 * i for c in ("bullet_train", "bicycle") for i in range(2)}
    data, _ = prepared(tmp_path, place(layout(files=files)), classes=True, test_fraction=0.5)
    assert data.parameters["classes"][:2] == ["bicycle", "bullet_train"]


# ---- Around them ----------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("around", ["pictures-master/", "a/b/", "./"])
def test_a_folder_around_everything_means_nothing(place, tmp_path, around, classes):
    files = layout(lambda name: around + name) | {f"{around}README.md": b"of the repository"}
    data, levels = prepared(tmp_path, place(files), classes=classes)
    assert levels == BOTH and data.num_classes == 2 * classes
    assert data.parameters["left_out"] == {".md": 1}


def test_a_folder_around_a_split_means_nothing(place, tmp_path):
    files = layout(lambda n: n.replace("train/", "seg_train/seg_train/").replace("test/", "seg_test/seg_test/"))  # fmt: skip
    data, levels = prepared(tmp_path, place(files), classes=True)
    assert levels == BOTH and data.parameters["classes"] == ["cat", "dog"]


def test_folders_of_an_archive_may_be_divided_as_on_windows(tmp_path):
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        archive.writestr("pics\\train\\", b"")
        for name, data in layout(lambda name: "pics\\" + name.replace("/", "\\")).items():
            archive.writestr(name, data)
    data, levels = prepared(tmp_path, tmp_path / "raw.zip", classes=True)
    assert levels == BOTH and data.parameters["left_out"] == {}


@pytest.mark.parametrize("classes", [True, False])
def test_of_training_images_alone_a_share_is_held_out(place, tmp_path, classes):
    data, levels = prepared(
        tmp_path, place(layout(files=TRAIN)), classes=classes, test_fraction=0.5
    )
    assert sorted(levels["train"] + levels["test"]) == [1, 2, 3, 4]
    assert data.parameters["classes"] == (["cat", "dog"] if classes else [])
    assert data.parameters["splits"] == "drawn"


def test_images_in_the_only_folder_have_no_class(place, tmp_path):
    root = place(layout(files={"train/a.png": 1, "train/b.png": 2}))
    assert prepared(tmp_path, root, test_fraction=0.5)[0].num_classes == 0
    with pytest.raises(ValueError, match=r"train/a\.png lies in no class; expected CLASS/IMAGE"):
        prepared(tmp_path, root, classes=True)


# ---- Listed classes -------------------------------------------------------------------------

LISTED = {f"0000{i % 2}/img{i}.png": i for i in range(6)}


def listed(labels, around=""):
    text = labels if isinstance(labels, bytes) else json.dumps({"labels": labels}).encode()
    return {f"{around}{k}": v for k, v in layout(files=LISTED).items()} | {
        f"{around}dataset.json": text
    }


PAIRS = [[name, [0, 2][i // 3]] for i, name in enumerate(LISTED)]


@pytest.mark.parametrize("around", ["", "cifar10-32x32/"])
def test_classes_are_those_that_edm_lists(place, tmp_path, around):
    data, levels = prepared(tmp_path, place(listed(PAIRS, around)), classes=True, test_fraction=0.4)
    assert data.num_classes == 3 and data.parameters["classes"] == ["0", "1", "2"]
    assert data.parameters["classes_from"] == [f"{around}dataset.json"]
    for split, result in levels.items():
        assert data.splits[split].labels.tolist() == [[0, 2][level // 3] for level in result]
        assert sorted(set(data.splits[split].labels.tolist())) == [0, 2]
    assert data.parameters["left_out"] == {}


def test_each_split_may_list_its_classes(place, tmp_path):
    lists = {
        s: json.dumps({"labels": [[n.partition("/")[2], 1 - n.count("cat")] for n in names]})
        for s, names in (("train", TRAIN), ("test", TEST))
    }
    files = layout() | {f"{split}/dataset.json": text.encode() for split, text in lists.items()}
    data, levels = prepared(tmp_path, place(files), classes=True)
    assert levels == BOTH and data.test.labels.tolist() == [0, 1]


def test_a_list_that_nobody_asks_for_is_left_out(place, tmp_path):
    data, _ = prepared(tmp_path, place(listed(PAIRS)), test_fraction=0.4)
    assert data.num_classes == 0 and data.parameters["left_out"] == {".json": 1}
    other = listed(b'{"name": "of something else"}')
    data, _ = prepared(tmp_path, place(other), classes=True, test_fraction=0.4)
    assert data.parameters["classes"] == ["00000", "00001"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"[]", "a list; expected an object with labels"),
        (b"nothing", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (None, r"labels has null; expected a list of \[file, class\]"),
        ([[name, -1] for name in LISTED], r"labels has \[\"00000/img0.png\", -1\]"),
        ([[name, 40_000] for name in LISTED], r"classes from 0 to 32767"),
        ([[name, [0.5, 0.5]] for name in LISTED], r"labels has .*0\.5"),
        (PAIRS[1:], "no class for 00000/img0.png; expected one for every image"),
        ([[name, 1] for name in LISTED], "one class, 1, in dataset.json"),
    ],
    ids=str,
)
def test_a_list_that_does_not_say_the_classes_is_named(place, tmp_path, labels, message):
    with pytest.raises(ValueError, match=message) as error:
        prepared(tmp_path, place(listed(labels)), classes=True, test_fraction=0.4)
    assert "raw" in str(error.value) and "dataset.json" in str(error.value)


# ---- Left out -------------------------------------------------------------------------------


def test_what_is_left_out_is_counted_listed_and_said(place, tmp_path, capsys):
    more = {"notes.txt": b"", "train/cat/.hidden.png": b"", "__MACOSX/train/cat/._a.png": b"", "train/LICENSE": b"", "train/dog/x.HEIC": b"", "Thumbs.db": b""}  # fmt: skip
    data, levels = prepared(tmp_path, place(layout() | more), classes=True)
    assert levels == BOTH
    assert data.parameters["left_out"] == {"hidden": 3, ".txt": 1, ".heic": 1, "no suffix": 1}
    assert data.parameters["left_out_first"] == sorted(more)
    assert "left out: 6 files, no images (1 .heic, 1 .txt, 3 hidden, 1 no suffix)" in capsys.readouterr().out  # fmt: skip


def test_a_class_whose_images_are_not_read_stops(place, tmp_path):
    root = place(layout() | {"train/owl/a.heic": b"", "train/owl/b.heic": b"", "train/notes/a.md": b""})  # fmt: skip
    with pytest.raises(ValueError, match=r"train/owl/ has no image that is read, but 2 \.heic"):
        prepared(tmp_path, root, classes=True)
    data, _ = prepared(tmp_path, root, classes=True, on_error="skip")
    assert data.parameters["classes"] == ["cat", "dog"]
    assert data.parameters["left_out"] == {".heic": 2, ".md": 1}


def test_a_folder_that_may_not_be_read_stops(tmp_path, monkeypatch):
    root, scandir = folder(tmp_path / "raw", layout()), os.scandir

    def refused(path="."):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(ValueError, match=r"dog: not readable \(Permission denied\); expected"):
        prepared(tmp_path, root, classes=True)
    with pytest.raises(ValueError, match=r"dog: not readable"):
        prepared(tmp_path, root, on_error="skip")


def test_a_link_to_nothing_is_an_image_that_cannot_be_read(tmp_path):
    root = folder(tmp_path / "raw", layout())
    (root / "train/cat/c.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match=r"train/cat/c\.png: not readable .*No such file"):
        prepared(tmp_path, root)
    data, levels = prepared(tmp_path, root, on_error="skip")
    assert levels == BOTH and data.parameters["skipped"] == {"train": 1, "test": 0}
    assert data.parameters["skipped_first"] == ["train/cat/c.png"]


def test_a_link_to_a_folder_that_is_gone_stops(tmp_path):
    root = folder(tmp_path / "raw", layout())
    (root / "train/owl").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"train/owl: a link to nothing"):
        prepared(tmp_path, root, classes=True)
    data, _ = prepared(tmp_path, root, classes=True, on_error="skip")
    assert data.parameters["left_out"] == {"links to nothing": 1}


def test_the_same_images_are_held_out_whatever_lies_around(tmp_path):
    files = {f"{i:02}.png": i for i in range(20)}
    _, plain = prepared(tmp_path, folder(tmp_path / "1", layout(files=files)))
    around = {f"a/{name}": value for name, value in files.items()}
    _, wrapped = prepared(tmp_path, folder(tmp_path / "2", layout(files=around)))
    assert plain == wrapped and np.diff(plain["train"]).min() > 0
