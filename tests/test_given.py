"""Images that were drawn elsewhere: folder, zip and npz, and what does not fit."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from uncanny.datasets.digits import digits
from uncanny.datasets.gaussian_ring import gaussian_ring
from uncanny.datasets.photos import photos
from uncanny.interop import imported_samples
from uncanny.sampling.sample_files import load_images

RNG = np.random.default_rng(0)
GREY = RNG.integers(256, size=(5, 8, 8, 1), dtype=np.uint8)
COLOUR = RNG.integers(256, size=(5, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    digits(folder / "digits")
    photos(folder / "photos")
    gaussian_ring(folder / "ring", n=50, n_test=20)
    return folder


KEY = "models.theirs.samples"


def taken(path, dataset, folder, count=4, seed=0):
    files = {"samples": folder / "s.npz", "record": folder / "s.json"}
    options = {"num_images": count, "draw": seed, "dataset": dataset}
    imported_samples.run(path=str(path), key=KEY, **options, **files)
    return load_images(folder / "s.npz"), json.loads((folder / "s.json").read_text())


def chosen(count=4, of=5, seed=0):
    """The images that are taken, and their order."""
    return np.random.default_rng(seed).permutation(of)[:count]


def pictures(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(images):
        Image.fromarray(pixels.squeeze()).save(folder / f"{number:03}.png")
    return folder


@pytest.mark.parametrize(("name", "images"), [("digits", GREY), ("photos", COLOUR)])
def test_folder_zip_and_array_are_the_same_images(data, tmp_path, name, images):
    folder = pictures(tmp_path / "pictures", images)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    np.savez(tmp_path / "array.npz", arr_0=images)
    for path in (folder, tmp_path / "pictures.zip", tmp_path / "array.npz"):
        (result, labels), record = taken(path, data / name, tmp_path)
        assert np.array_equal(result, images[chosen()].transpose(0, 3, 1, 2))
        assert labels.tolist() == [0] * 4
        assert record["status"] == "ok" and record["nfe"] is None
        assert record["sampler"] == {"kind": "given"} and record["num_images"] == 4


def test_grey_arrays_need_no_axis_of_channels_and_vectors_are_taken(data, tmp_path):
    np.savez(tmp_path / "grey.npz", arr_0=GREY[..., 0])
    (result, _), _ = taken(tmp_path / "grey.npz", data / "digits", tmp_path)
    assert np.array_equal(result[:, 0], GREY[chosen(), ..., 0])
    points = np.arange(32, dtype=np.float32).reshape(4, 8)
    np.savez(tmp_path / "points.npz", arr_0=points)
    (result, _), _ = taken(tmp_path / "points.npz", data / "ring", tmp_path)
    assert np.array_equal(result, points[chosen(of=4)])


def test_images_in_order_of_class_are_chosen_at_random(data, tmp_path):
    """Of a set sorted by class, its beginning would be a few classes."""
    levels = np.repeat(np.arange(10, dtype=np.uint8), 30)
    images = np.broadcast_to(levels[:, None, None, None], (300, 8, 8, 1))
    np.savez(tmp_path / "sorted.npz", arr_0=images)
    folder = pictures(tmp_path / "sorted", images)
    for path in (tmp_path / "sorted.npz", folder):
        (result, _), record = taken(path, data / "digits", tmp_path, count=60)
        assert set(result[:, 0, 0, 0].tolist()) == set(range(10))
        assert record["chosen"] == {"of": 300, "seed": 0}
        (again, _), _ = taken(path, data / "digits", tmp_path, count=60)
        (many, _), _ = taken(path, data / "digits", tmp_path, count=300)
        (other, _), _ = taken(path, data / "digits", tmp_path, count=60, seed=1)
        assert np.array_equal(result, again) and np.array_equal(result, many[:60])
        assert not np.array_equal(result, other)
        assert sorted(many[:, 0, 0, 0].tolist()) == levels.tolist()


def test_what_is_left_out_is_recorded(data, tmp_path, capsys):
    folder = pictures(tmp_path / "pictures", GREY)
    (folder / "notes.txt").write_text("of the samples")
    _, record = taken(folder, data / "digits", tmp_path)
    assert record["left_out"] == {".txt": 1} and record["left_out_first"] == ["notes.txt"]
    assert "left out: 1 file that is no image (1 .txt): notes.txt" in capsys.readouterr().out


def test_images_with_transparent_pixels_are_refused(data, tmp_path):
    folder = pictures(tmp_path / "clear", GREY)
    Image.fromarray(GREY[1].squeeze()).save(folder / "001.png", transparency=0)
    with pytest.raises(ValueError, match=r"001\.png: 8×8 pixels of mode L, some transparent; the"):
        taken(folder, data / "digits", tmp_path, count=5)


@pytest.mark.parametrize(("name", "images"), [("digits", GREY), ("photos", COLOUR)])
def test_alpha_is_no_matter_where_all_is_opaque(data, tmp_path, name, images):
    opaque = np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1)
    folder = pictures(tmp_path / "opaque", opaque)
    (result, _), _ = taken(folder, data / name, tmp_path)
    assert np.array_equal(result, images[chosen()].transpose(0, 3, 1, 2))
    opaque[2, 0, 0, -1] = 254
    with pytest.raises(ValueError, match=r"002\.png: .* of mode (LA|RGBA), some transparent; the"):
        taken(pictures(tmp_path / "clear", opaque), data / name, tmp_path, count=5)


def test_a_transparent_colour_that_no_pixel_has_is_no_matter(data, tmp_path):
    folder = pictures(tmp_path / "keyed", GREY // 2)
    Image.fromarray(GREY[1].squeeze() // 2).save(folder / "001.png", transparency=255)
    (result, _), _ = taken(folder, data / "digits", tmp_path, count=5)
    assert np.array_equal(result, GREY[chosen(5)].transpose(0, 3, 1, 2) // 2)


def test_opaque_images_of_another_mode_are_not_called_transparent(data, tmp_path):
    opaque = np.concatenate([COLOUR[:, :8, :8], np.full((5, 8, 8, 1), 255, np.uint8)], axis=-1)
    with pytest.raises(ValueError, match=r"8×8 pixels of mode RGBA; the study's dataset has 8×8"):
        taken(pictures(tmp_path / "opaque", opaque), data / "digits", tmp_path)


def test_exported_images_come_back(data, tmp_path):
    np.savez(tmp_path / "grey.npz", arr_0=GREY)
    (images, _), _ = taken(tmp_path / "grey.npz", data / "digits", tmp_path)
    imported_samples.export(tmp_path / "s.npz", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as stored:
        assert stored["arr_0"].shape == (4, 8, 8, 1) and stored["arr_0"].dtype == np.uint8
        assert stored["arr_1"].tolist() == [0] * 4
    (result, _), _ = taken(tmp_path / "out.npz", data / "digits", tmp_path)
    assert np.array_equal(result, images[chosen(of=4)])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [({"arr_0": COLOUR}, r"arr_0 is uint8 \[5, 16, 16, 3\]; the study's dataset has uint8 \['n', 8, 8, 1\]"),
     ({"arr_0": GREY.astype(float)}, r"arr_0 is float64 \[5, 8, 8, 1\]; the study's dataset has uint8"),
     ({"arr_0": GREY[:3]}, r"3 images; expected at least 4, the study's num_images"),
     ({"images": GREY}, r"not an \.npz with arr_0 \(it has images\)")],
)  # fmt: skip
def test_an_array_that_does_not_fit_is_named(data, tmp_path, arrays, message):
    np.savez(tmp_path / "theirs.npz", **arrays)
    with pytest.raises(ValueError, match=rf"theirs\.npz: {message}"):
        taken(tmp_path / "theirs.npz", data / "digits", tmp_path)
    assert not (tmp_path / "s.npz").exists()


def test_files_that_do_not_fit_are_named(data, tmp_path):
    for name, images, message in [
        ("large", np.zeros((5, 9, 9), np.uint8), r"\d+\.png: 9×9 pixels of mode L; the study's dataset has 8×8 pixels of mode L"),
        ("colour", COLOUR[:, :8, :8], r"\d+\.png: 8×8 pixels of mode RGB; the study's dataset has 8×8 pixels of mode L"),
        ("few", GREY[:2], r"2 images; expected at least 4"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"{name}: {message}"):
            taken(pictures(tmp_path / name, images), data / "digits", tmp_path)
    broken = pictures(tmp_path / "broken", GREY)
    (broken / "001.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"broken: 001\.png: 10 bytes of text; expected an image"):
        taken(broken, data / "digits", tmp_path, count=5)
    np.save(tmp_path / "plain.npy", GREY)
    forms = r"expected a folder or a \.zip of images, or an \.npz with arr_0"
    with pytest.raises(ValueError, match=rf"plain\.npy: no zip archive \(.*\); {forms}"):
        taken(tmp_path / "plain.npy", data / "digits", tmp_path)
    key = r"models\.theirs\.samples"
    with pytest.raises(
        ValueError, match=f"nowhere: no such folder or file; {forms}, as {key} says"
    ):
        taken(tmp_path / "nowhere", data / "digits", tmp_path)
    with pytest.raises(ValueError, match=rf"nowhere\.npz: no such file; {forms} for {key}"):
        taken(tmp_path / "nowhere.npz", data / "digits", tmp_path)
    with pytest.raises(ValueError, match="as the dataset has vectors"):
        taken(broken, data / "ring", tmp_path)
