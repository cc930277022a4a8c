"""CIFAR-10 from its files, and folders and archives of images."""

import hashlib
import io
import os
import pickle
import shutil
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image
from prepared import contents
from torchvision.datasets import CIFAR10

from uncanny.datasets import Dataset, _decoding, _sources, writing
from uncanny.datasets import images as images_module
from uncanny.datasets.cifar10 import cifar10
from uncanny.datasets.images import images

# ---- CIFAR-10 -------------------------------------------------------------------------------


URL = "http://127.0.0.1:9/cifar-10-python.tar.gz"  # where nobody answers


@pytest.fixture
def batches(tmp_path, monkeypatch):
    """A root with made files in the layout of CIFAR-10, 20 images each, and their checksums."""
    place, rng = tmp_path / "raw" / CIFAR10.base_folder, np.random.default_rng(0)
    place.mkdir(parents=True)

    def written(name, value):
        data = pickle.dumps(value)
        (place / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch():
        pixels = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        return {"data": pixels, "labels": [i % 10 for i in range(20)]}

    for attribute in ("train_list", "test_list"):
        entries = [written(name, batch()) for name, _ in getattr(CIFAR10, attribute)]
        monkeypatch.setattr(CIFAR10, attribute, entries)
    name, md5 = written("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"filename": name, "md5": md5})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(place, CIFAR10.base_folder)
    (tmp_path / "whole.tar.gz").write_bytes(archive.getvalue())
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.getvalue()).hexdigest())
    monkeypatch.setattr(CIFAR10, "url", URL)
    return tmp_path / "raw"


def test_cifar10_keeps_pixels_labels_and_order(batches, tmp_path):
    cifar10(tmp_path / "data", root=str(batches))
    data = Dataset.open(tmp_path / "data")
    data.verify()
    assert (len(data.train), len(data.test)) == (100, 20)
    assert (data.shape, data.num_classes) == ((3, 32, 32), 10)
    assert data.parameters["classes"] == list("abcdefghij")
    path = batches / CIFAR10.base_folder / "data_batch_2"
    rows = pickle.loads(path.read_bytes())["data"].reshape(-1, 3, 32, 32)
    assert np.array_equal(data.train.images[20:40], rows)
    assert np.array_equal(data.train.labels[:20], np.arange(20) % 10)


def test_a_changed_file_of_cifar10_is_refused(batches, tmp_path):
    path = batches / CIFAR10.base_folder / "test_batch"
    data = path.read_bytes()[:-1] + b"x"
    path.write_bytes(data)
    result, published = hashlib.md5(data).hexdigest(), CIFAR10.test_list[0][1]
    message = f"{path}: {len(data)} bytes with MD5 {result}, expected {published}; .*download: true"
    with pytest.raises(ValueError, match=message):
        cifar10(tmp_path / "data", root=str(batches))
    assert not list(tmp_path.glob("data/*"))


def test_a_missing_file_of_cifar10_is_named(batches, tmp_path):
    path = batches / CIFAR10.base_folder / "batches.meta"
    path.unlink()
    with pytest.raises(ValueError, match=f"{path}: no such file; expected the files of"):
        cifar10(tmp_path / "data", root=str(batches))


def test_the_archive_of_cifar10_is_unpacked(batches, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(tmp_path / "whole.tar.gz", root / CIFAR10.filename)
    with pytest.raises(ValueError, match=f"no such folder; .*{CIFAR10.filename}: whole, and not"):
        cifar10(tmp_path / "data", root=str(root))
    cifar10(tmp_path / "data", root=str(root), download=True)
    cifar10(tmp_path / "same", root=str(batches))
    assert contents(tmp_path / "data") == contents(tmp_path / "same")


@pytest.mark.parametrize("download", [False, True])
def test_half_an_archive_of_cifar10_is_named(batches, tmp_path, download):
    root = tmp_path / "root"
    root.mkdir()
    half = (tmp_path / "whole.tar.gz").read_bytes()[:5000]
    (root / CIFAR10.filename).write_bytes(half)
    message = f"{root / CIFAR10.filename}: 5000 bytes with MD5 .*; only partly there"
    with pytest.raises(ValueError, match=message) as error:
        cifar10(tmp_path / "data", root=str(root), download=download)
    assert (f"{URL} cannot be fetched" in str(error.value)) == download
    assert (root / CIFAR10.filename).read_bytes() == half


class Hostile:
    def __reduce__(self):
        return (print, ("executed",))


def test_code_in_a_file_of_cifar10_is_not_executed(batches, tmp_path, capsys):
    path = batches / CIFAR10.base_folder / "data_batch_1"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match=r"data_batch_1: .* with MD5"):
        cifar10(tmp_path / "data", root=str(batches))
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("kind", ["above", "absolute", "link", "pipe"])
def test_an_archive_of_cifar10_cannot_write_elsewhere(batches, tmp_path, monkeypatch, kind, known):
    """Not even one with the published checksum."""
    root, outside = tmp_path / "deep/root", tmp_path / "deep/outside"
    root.mkdir(parents=True)
    outside.mkdir()
    names = {
        "above": "../outside/x",
        "absolute": str(outside / "x"),
        "link": "link",
        "pipe": "pipe",
    }
    member = tarfile.TarInfo(names[kind])
    member.type = {"link": tarfile.SYMTYPE, "pipe": tarfile.FIFOTYPE}.get(kind, tarfile.REGTYPE)
    member.linkname = str(outside) if kind == "link" else ""
    with tarfile.open(root / CIFAR10.filename, "w:gz") as tar:
        tar.addfile(member)
        if kind == "link":
            tar.addfile(tarfile.TarInfo("link/x"))
    digest = hashlib.md5((root / CIFAR10.filename).read_bytes()).hexdigest()
    if known:
        monkeypatch.setattr(CIFAR10, "tgz_md5", digest)
    with pytest.raises(ValueError) as error:
        cifar10(tmp_path / "data", root=str(root), download=True)
    assert not list(outside.iterdir())
    assert CIFAR10.filename in str(error.value)


def test_an_absent_cifar10_says_where_and_what_to_do(tmp_path):
    with pytest.raises(
        ValueError, match=r"no such folder.*cifar-10-python\.tar\.gz.*set root"
    ) as error:
        cifar10(tmp_path, root=str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in str(error.value)


# ---- Images ---------------------------------------------------------------------------------


def _picture(value, size=(8, 8), mode="RGB", suffix="png"):
    """Bytes of an image of one colour."""
    image, file = Image.new("RGB", size, value).convert(mode), io.BytesIO()
    image.save(file, {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[suffix])
    return file.getvalue()


def _folder(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def _archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(params=["folder", "zip"])
def place(request, tmp_path):
    """A function files -> root, a folder or an archive that holds them."""
    if request.param == "folder":
        return lambda files: _folder(tmp_path / "raw", files)
    return lambda files: _archive(tmp_path / "raw.zip", files)


def _prepared(folder, root, **options):
    images(folder, root=str(root), **{"resolution": 4} | options)
    data = Dataset.open(folder)
    data.verify()
    return data


CLASSES = {
    "train/dog/b.png": _picture((0, 0, 20)),
    "train/dog/a.jpg": _picture((10, 10, 10), suffix="jpg"),
    "train/cat/x/deep.PNG": _picture((30, 0, 0)),
    "val/cat/c.webp": _picture((40, 40, 40), suffix="webp"),
    "val/dog/d.png": _picture(50, mode="L"),
    "train/notes.txt": b"no image",
    "train/dog/.hidden.png": b"no image",
    "__MACOSX/train/dog/._b.png": b"no image",
}


def test_folders_are_splits_and_classes_in_the_order_of_names(place, tmp_path):
    data = _prepared(tmp_path / "data", place(CLASSES), classes=True)
    assert (data.shape, data.num_classes) == ((3, 4, 4), 2)
    assert data.parameters["classes"] == ["cat", "dog"]
    assert data.parameters["splits"] == "folders"
    assert data.train.labels.tolist() == [0, 1, 1]
    assert data.test.labels.tolist() == [0, 1]
    pixels = data.train.images[:, :, 0, 0].astype(int)
    assert np.abs(pixels - [[30, 0, 0], [10, 10, 10], [0, 0, 20]]).max() <= 2
    assert data.test.images[1].std() == 0  # grey: three equal channels


def test_without_classes_labels_are_zero(place, tmp_path):
    data = _prepared(tmp_path / "data", place(CLASSES))
    assert data.num_classes == 0
    assert not data.train.labels.any()


def test_a_share_is_held_out_of_every_class(place, tmp_path):
    files = {
        f"{kind}/{i:02}.png": _picture((i, 0, k)) for k, kind in enumerate("ab") for i in range(20)
    }
    root, options = place(files), {"classes": True, "test_fraction": 0.2}
    first = _prepared(tmp_path / "1", root, **options)
    again = _prepared(tmp_path / "2", root, **options)
    other = _prepared(tmp_path / "3", root, seed=1, **options)
    assert np.bincount(first.test.labels).tolist() == [4, 4]
    assert np.bincount(first.train.labels).tolist() == [16, 16]
    everything = np.concatenate([first.train.images, first.test.images])[:, :, 0, 0]
    assert sorted(map(tuple, everything)) == sorted((i, 0, k) for k in range(2) for i in range(20))
    assert np.array_equal(first.test.images, again.test.images)
    assert not np.array_equal(first.test.images, other.test.images)


def test_the_square_in_the_centre_is_averaged(tmp_path):
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, :2] = pixels[:, 10:] = 255  # outside the square
    pixels[0, 2] = [8, 80, 200]  # a quarter of the first new pixel
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    root = _folder(tmp_path / "raw", {"a.png": file.getvalue(), "b.png": _picture((0, 0, 0))})
    data = _prepared(tmp_path / "data", root, test_fraction=0.5)
    result = [split.images[0] for split in data.splits.values() if split.images.any()]
    assert len(result) == 1
    assert result[0][:, 0, 0].tolist() == [2, 20, 50]
    assert not result[0][:, 1:].any()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_modes_become_colour(tmp_path, mode):
    root = _folder(
        tmp_path / "raw", {f"{i}.png": _picture((255, 255, 255), mode=mode) for i in range(2)}
    )
    assert _prepared(tmp_path / "data", root, test_fraction=0.5).train.images.min() == 255


def _deep():
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(file, "PNG")
    return file.getvalue()


BROKEN = {
    "cut.png": _picture((1, 2, 3), size=(64, 64))[:-40],
    "cut.jpg": _picture((1, 2, 3), size=(64, 64), suffix="jpg")[:-200],
    "text.jpg": b"<html>not found</html>",
    "empty.webp": b"",
    "deep.png": _deep(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_stops_with_its_name_or_is_counted(place, tmp_path, name):
    good = {f"train/{i}.png": _picture((i, i, i)) for i in range(3)} | {
        "test/a.png": _picture((9, 9, 9))
    }
    root = place(good | {f"train/1{name}": BROKEN[name]})
    with pytest.raises(ValueError, match=f"train/1{name}: ") as error:
        _prepared(tmp_path / "stop", root)
    assert str(root) in str(error.value)
    assert not list((tmp_path / "stop").glob("*"))
    data = _prepared(tmp_path / "skip", root, on_error="skip")
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert data.parameters["skipped"] == {"train": 1, "test": 0}
    assert data.parameters["skipped_first"] == [f"train/1{name}"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_deep(), r"8×8 pixels of mode I;16; expected 8 bits per channel, that is mode 1, L"),
        (_picture((0, 0, 0), size=(9, 3)), r"9×3 pixels of mode RGB; expected at least 4 each way"),
    ],
)
def test_an_image_that_does_not_fit_is_described(place, tmp_path, data, message):
    root = place({"a.png": data, "b.png": ONE})
    with pytest.raises(ValueError, match=r"a\.png: " + message):
        _prepared(tmp_path / "data", root, test_fraction=0.5)


def test_small_images_may_be_left_out_or_enlarged(place, tmp_path):
    small = {"train/a.png": _picture((7, 7, 7), size=(9, 3)), "train/b.png": ONE, "test/c.png": ONE}
    root = place(small)
    data = _prepared(tmp_path / "skip", root, on_error="skip")
    assert data.parameters["skipped_first"] == ["train/a.png"]
    data = _prepared(tmp_path / "enlarge", root, upscale=True)
    assert data.train.images[:, 0].min(axis=(1, 2)).tolist() == [7, 1]


ONE = _picture((1, 1, 1))


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"a.txt": b""}, {}, r"no images among its files \(1 \.txt\); expected files \.bmp, \.gif, \.jfif"),
        ({"train/a.png": ONE, "test/b.png": ONE, "c.png": ONE}, {}, "found test/, train/, c.png; expected one folder to train on"),
        ({"train/a.png": ONE, "test/b.png": ONE, "val/c.png": ONE}, {}, "found test/, train/, val/; expected one folder to train on"),
        ({"a/a.png": ONE, "b.png": ONE}, {"classes": True}, "b.png lies in no class"),
        ({"a/a.png": ONE, "a/b.png": ONE}, {"classes": True}, "one class, a; expected"),
        ({"train/a/a.png": ONE, "train/b/a.png": ONE, "test/c/a.png": ONE}, {"classes": True}, "class c is not in train/; expected test/ to have no other classes; it may lack some"),
        ({"train/a/a.png": ONE, "test/a/a.png": ONE}, {"classes": True}, "one class, a; expected 2 or more to train on"),
        ({"a/a.png": ONE, "b/b.png": ONE}, {"classes": True}, "test_fraction 0.1: class a has one image; expected at least 2"),
        ({"a/a.png": ONE, "a/b.png": ONE, "b/a.png": ONE, "b/b.png": ONE}, {"classes": True}, "1 of 4 images would be held out; expected at least 2, one of each class"),
        ({"a.png": ONE}, {}, "test_fraction 0.1: 1 of 1 images would be held out; expected at least one"),
        ({"a.png": ONE}, {"resolution": 0}, "images: resolution 0"),
        ({"a.png": ONE}, {"test_fraction": 1.0}, "test_fraction 1.0; expected"),
    ],
)  # fmt: skip
def test_a_layout_that_means_nothing_is_refused(place, tmp_path, files, options, message):
    with pytest.raises(ValueError, match=message):
        _prepared(tmp_path / "data", place(files), **options)


def test_a_wrong_root_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"nowhere: no such folder or file; expected a folder or a \.zip"
    ):
        _prepared(tmp_path / "data", tmp_path / "nowhere")
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"a\.zip: no zip archive \(10 bytes"):
        _prepared(tmp_path / "data", tmp_path / "a.zip")


def test_half_an_archive_is_named(tmp_path):
    path = _archive(tmp_path / "a.zip", CLASSES)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(
        ValueError, match=r"a\.zip: zip archive without an end, only partly there\?"
    ):
        _prepared(tmp_path / "data", path)


def test_members_that_point_outside_are_read_and_not_written(tmp_path):
    files = {"../../evil.png": ONE, "/abs/olute.png": ONE, "a.png": ONE}
    before = set(tmp_path.parent.rglob("*"))
    data = _prepared(tmp_path / "data", _archive(tmp_path / "a.zip", files), test_fraction=0.4)
    assert len(data.train) + len(data.test) <= 3
    new = {p for p in tmp_path.parent.rglob("*") if p not in before}
    assert not [p for p in new if p.suffix == ".png"]


def test_an_archive_whose_files_overlap_is_refused(tmp_path):
    """Many names for the same packed bytes: small as a file, endless to read."""
    path = _archive(tmp_path / "a.zip", {f"{i}.png": ONE for i in range(50)})
    with zipfile.ZipFile(path, "a") as archive:
        for member in archive.filelist:
            member.header_offset = archive.filelist[0].header_offset
            member.compress_size = path.stat().st_size // 10
        archive._didModify = True
    with pytest.raises(ValueError, match=r"a\.zip: \d+ bytes that hold .*they overlap"):
        _prepared(tmp_path / "data", path)


def test_an_archive_of_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "MAX_FILES", 3)
    with pytest.raises(ValueError, match=r"a\.zip: \d+ files; expected at most 3"):
        _prepared(tmp_path / "data", _archive(tmp_path / "a.zip", CLASSES))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_that_says_it_is_small_and_is_not_is_refused(tmp_path, method):
    """A member is unpacked as far as it declares."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.png", ONE, zipfile.ZIP_DEFLATED)
        archive.writestr("b.png", bytes(30_000_000))
        archive.getinfo("b.png").file_size = 1000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"a\.zip: b\.png: not readable \((Bad CRC|packed by)"):
            _prepared(tmp_path / "data", path, test_fraction=0.5)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_odd_files_of_a_folder_are_named(tmp_path):
    root = _folder(tmp_path / "raw", {"a.png": ONE, "b.png": ONE})
    os.mkfifo(root / "c.png")
    with pytest.raises(ValueError, match=r"c\.png: not readable \(no regular file\)"):
        _prepared(tmp_path / "data", root, test_fraction=0.4)
    (root / "c.png").unlink()
    (root / "again").symlink_to(root)
    with pytest.raises(ValueError, match="again is a link to a folder that it lies in"):
        _prepared(tmp_path / "data", root, test_fraction=0.4)
    (root / "again").unlink()
    with open(os.fsencode(root) + b"/\xff.png", "wb") as file:
        file.write(ONE)
    with pytest.raises(ValueError, match="is no UTF-8"):
        _prepared(tmp_path / "data", root, test_fraction=0.4)


def test_a_changed_member_is_named(tmp_path):
    path = _archive(tmp_path / "a.zip", {"a.png": ONE, "b.png": _picture((2, 2, 2), size=(99, 99))})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        data[archive.getinfo("b.png").header_offset + 60] ^= 255
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip: b\.png: not readable"):
        _prepared(tmp_path / "data", path, test_fraction=0.5)


def test_large_files_and_large_images_are_refused(place, tmp_path, monkeypatch):
    root = place({"a.png": ONE, "b.png": _picture((1, 1, 1), size=(50, 50))})
    monkeypatch.setattr(_decoding, "MAX_PIXELS", 100)
    with pytest.raises(ValueError, match=r"b\.png: 50×50 = 2500 pixels; expected at most 100"):
        _prepared(tmp_path / "data", root, test_fraction=0.5)
    monkeypatch.setattr(_sources, "MAX_BYTES", 50)
    with pytest.raises(ValueError, match=r"\.png: \d+ bytes, expected at most 50"):
        _prepared(tmp_path / "data", root, test_fraction=0.5)


def test_linked_folders_are_followed(tmp_path):
    _folder(tmp_path / "elsewhere", {"a.png": ONE, "b.png": ONE})
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "linked").symlink_to(tmp_path / "elsewhere")
    data = _prepared(tmp_path / "data", tmp_path / "raw", test_fraction=0.5)
    assert len(data.train) == len(data.test) == 1


def test_memory_does_not_grow_with_the_pixels(tmp_path):
    root = _archive(tmp_path / "a.zip", {f"{i:04}.png": ONE for i in range(300)})
    tracemalloc.start()
    data = _prepared(tmp_path / "data", root, resolution=128, upscale=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (data.folder / "train-images.npy").stat().st_size > 13e6
    assert peak < 6e6


# ---- Cut off, and gone on with ---------------------------------------------------------------

MANY = {
    f"{split}/{kind}/{i:02}.png": _picture((i, 9 * k, 0))
    for split in ("train", "test")
    for k, kind in enumerate("ab")
    for i in range(6)
}


@pytest.fixture
def made(monkeypatch):
    """Names of the images that are decoded; `made.last` is the one behind which the job is cut."""

    class Made(list):
        last = None

    names, whole = Made(), images_module._pixels

    def pixels(source, name, **look):
        if names.last in names:
            raise KeyboardInterrupt
        names.append(name)
        return whole(source, name, **look)

    monkeypatch.setattr(images_module, "_pixels", pixels)
    monkeypatch.setattr(writing, "SECONDS", 0.0)
    return names


def _cut(folder, root, made, last, **options):
    made.last = last
    with pytest.raises(KeyboardInterrupt):
        _prepared(folder, root, classes=True, **options)
    made.last = None
    made.clear()


@pytest.mark.parametrize("last", ["train/a/02.png", "train/b/05.png", "test/b/01.png"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_preparation_goes_on_where_it_was_cut_off(place, tmp_path, made, last, threads):
    root = place(MANY)
    _cut(tmp_path / "cut", root, made, last, threads=threads)
    _prepared(tmp_path / "cut", root, classes=True, threads=threads)
    assert len(made) < len(MANY)
    assert last not in made or threads > 1
    _prepared(tmp_path / "straight", root, classes=True)
    assert contents(tmp_path / "cut") == contents(tmp_path / "straight")


@pytest.mark.parametrize(
    "options", [{"resolution": 5}, {"resize": "lanczos"}, {"upscale": True}], ids=str
)
def test_other_parameters_begin_anew(place, tmp_path, made, options):
    root = place(MANY)
    _cut(tmp_path / "cut", root, made, "train/b/01.png")
    _prepared(tmp_path / "cut", root, classes=True, **options)
    assert len(made) == len(MANY)


@pytest.mark.parametrize(
    "change",
    [{"train/a/00.png": _picture((99, 99, 99), size=(9, 9))}, {"train/aa/00.png": _picture(1)}],
    ids=["contents", "class"],
)
def test_another_source_begins_anew(place, tmp_path, made, change):
    root = place(MANY)
    _cut(tmp_path / "cut", root, made, "train/b/01.png")
    root = place(MANY | change)
    _prepared(tmp_path / "cut", root, classes=True)
    assert len(made) == len(MANY | change)
    _prepared(tmp_path / "straight", root, classes=True)
    assert contents(tmp_path / "cut") == contents(tmp_path / "straight")


def test_after_a_broken_image_is_replaced_it_goes_on(tmp_path, made):
    bad = "train/b/03.png"
    root = _folder(tmp_path / "raw", MANY | {bad: MANY[bad][:-30]})
    with pytest.raises(ValueError, match=bad):
        _prepared(tmp_path / "data", root, classes=True)
    _folder(root, {bad: MANY[bad]})
    made.clear()
    data = _prepared(tmp_path / "data", root, classes=True)
    assert made[0] == bad
    assert len(data.train) == 12


def test_a_broken_image_may_be_skipped_later_and_not_be_forgotten(place, tmp_path, made):
    bad = "train/a/03.png"
    root = place(MANY | {bad: MANY[bad][:-30]})
    with pytest.raises(ValueError, match=bad):
        _prepared(tmp_path / "data", root, classes=True)
    made.clear()
    _cut(tmp_path / "data", root, made, "train/b/02.png", on_error="skip")
    made.clear()
    with pytest.raises(ValueError, match=bad):  # and not a dataset that silently lacks it
        _prepared(tmp_path / "data", root, classes=True)
    data = _prepared(tmp_path / "data", root, classes=True, on_error="skip")
    assert data.parameters["skipped"] == {"train": 1, "test": 0}
    assert len(data.train) == 11


def test_large_images_are_decoded_one_at_a_time(place, tmp_path, monkeypatch):
    """Two together would take more memory than a job asks for."""
    monkeypatch.setattr(images_module, "LARGE", 10)
    inside, most, square = [], [], images_module._square

    def watched(image):
        inside.append(image)
        most.append(len(inside))
        result = square(image)
        inside.pop()
        return result

    monkeypatch.setattr(images_module, "_square", watched)
    files = {f"{i:02}.png": _picture((i, i, i), size=(300, 300)) for i in range(40)}
    _prepared(tmp_path / "data", place(files), threads=4)
    assert max(most) == 1
