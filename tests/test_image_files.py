"""Image files as other people have them: formats, transparency, orientation, metadata, and what is no image."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from uncanny.datasets import Dataset
from uncanny.datasets._decoding import ORIENTATION
from uncanny.datasets.images import images
from uncanny.interop import imported_samples

RNG = np.random.default_rng(0)
COLOURS = Image.fromarray(RNG.integers(256, size=(8, 8, 3), dtype=np.uint8))
GREYS = Image.fromarray(RNG.integers(256, size=(8, 8), dtype=np.uint8))


def stored(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def read(folder, files, **options):
    """What becomes of files that are trained on: uint8 [n, C, 8, 8]."""
    (folder / "raw").mkdir(parents=True)
    for name, data in files.items():
        path = folder / "raw" / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "raw/test").mkdir(exist_ok=True)
    (folder / "raw/test/last.png").write_bytes(stored(COLOURS))
    images(folder / "data", root=str(folder / "raw"), **{"resolution": 8} | options)
    return Dataset.open(folder / "data").train.images


def planes(image):
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


# ---- Formats --------------------------------------------------------------------------------

EXACT = [
    ("a.bmp", "BMP"), ("a.tif", "TIFF"), ("a.TIFF", "TIFF"), ("a.ppm", "PPM"), ("a.pnm", "PPM"),
    ("a.webp", "WEBP"), ("a.png", "PNG"), ("a.gif", "GIF"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form"), EXACT)
def test_formats_that_keep_pixels_are_read_as_they_are(tmp_path, name, form):
    image = COLOURS.quantize(16).convert("RGB") if form == "GIF" else COLOURS
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(read(tmp_path, {name: stored(image, form, **options)})[0], planes(image))


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.jpe", "a.jfif", "a.JPG"])
def test_jpeg_has_many_names(tmp_path, name):
    grey = Image.new("L", (8, 8), 77)
    assert np.abs(read(tmp_path, {name: stored(grey, "JPEG")}).astype(int) - 77).max() <= 1


@pytest.mark.parametrize("name", ["a.pgm", "a.pbm"])
def test_grey_formats_become_three_equal_channels(tmp_path, name):
    image = GREYS.convert("1") if name == "a.pbm" else GREYS
    assert np.array_equal(read(tmp_path, {name: stored(image, "PPM")})[0], planes(image))


def test_a_file_is_read_by_its_contents_and_not_its_name(tmp_path):
    image = COLOURS.quantize(16)
    assert np.array_equal(read(tmp_path, {"gif.jpg": stored(image, "GIF")})[0], planes(image))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_a_film_is_no_image(tmp_path, form):
    film = stored(COLOURS, form, save_all=True, append_images=[GREYS.convert("RGB")])
    with pytest.raises(ValueError, match=rf"a\.png: {form} of 2 frames; expected one"):
        read(tmp_path, {"a.png": film})


def test_a_photo_with_previews_is_an_image(tmp_path):
    photo = stored(Image.new("RGB", (8, 8), (9, 9, 9)), "MPO", save_all=True, append_images=[GREYS.convert("RGB")])  # fmt: skip
    assert np.abs(read(tmp_path, {"a.jpg": photo}).astype(int) - 9).max() <= 1


@pytest.mark.parametrize(("channels", "image"), [(1, GREYS), (1, COLOURS), (3, GREYS)])
def test_images_have_the_channels_that_are_asked_for(tmp_path, channels, image):
    result = read(tmp_path, {"a.png": stored(image)}, channels=channels)
    expected = np.asarray(image.convert("L"))[None] if channels == 1 else planes(image)
    assert np.array_equal(result[0], expected)
    assert Dataset.open(tmp_path / "data").shape == (channels, 8, 8)


# ---- Transparency ---------------------------------------------------------------------------

ALPHA = np.repeat([0, 85, 170, 255], 2).astype(np.uint8)[None].repeat(8, axis=0)  # by column


def with_alpha(mode):
    """A black image that is transparent to the left, as a file of a mode."""
    black = Image.new("RGBA", (8, 8))
    black.putalpha(Image.fromarray(ALPHA))
    if mode == "P":  # four entries of a palette, black all of them, with alpha of their own
        image = Image.fromarray((ALPHA // 85).astype(np.uint8)).convert("P")
        image.putpalette([0] * 12)
        return stored(image, transparency=bytes([0, 85, 170, 255]))
    return stored(black.convert(mode))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("background", [[255, 255, 255], [0, 0, 0], [200, 100, 0]])
def test_what_is_transparent_shows_the_background(tmp_path, mode, background):
    result = read(tmp_path, {"a.png": with_alpha(mode)}, background=background)[0]
    expected = (1 - ALPHA / 255) * np.reshape(background, (3, 1, 1))
    assert np.abs(result - expected).max() <= 1


KEYED = {
    "RGB": (Image.new("RGB", (8, 8), (1, 2, 3)), (1, 2, 3)),
    "L": (Image.new("L", (8, 8), 5), 5),
    "1": (Image.new("1", (8, 8), 0), 0),
    "P": (GREYS.point([2] * 256).convert("P"), 2),
}


@pytest.mark.parametrize("mode", KEYED)
def test_a_transparent_colour_shows_the_background(tmp_path, mode):
    image, key = KEYED[mode]
    result = read(tmp_path, {"a.png": stored(image, transparency=key)}, background=[9, 99, 199])
    assert result[0, :, 0, 0].tolist() == [9, 99, 199] and not result[0].std(axis=(1, 2)).any()


def test_the_background_is_white_and_enters_before_pixels_are_averaged(tmp_path):
    dots = Image.fromarray(np.uint8([[[255, 0, 0, 0], [0, 0, 0, 255]]] * 2))
    result = read(tmp_path, {"a.png": stored(dots)}, resolution=1)
    assert result.flatten().tolist() == [128, 128, 128]


@pytest.mark.parametrize("background", [[255, 255], [0, 0, 256], [-1, 0, 0]])
def test_a_background_that_is_no_colour_is_refused(tmp_path, background):
    with pytest.raises(ValueError, match=r"background \[.*\]; expected three levels from 0 to 255"):
        read(tmp_path, {}, background=background)


# ---- Orientation ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_photos_are_turned_as_their_exif_says(tmp_path, form, orientation):
    upright = Image.fromarray(np.asarray(COLOURS))
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    lying = upright.transpose(Image.Transpose[turns[orientation]]) if orientation in turns else upright  # fmt: skip
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if form == "WEBP" else {}
    data = stored(lying, form, exif=exif, **options)
    assert np.array_equal(read(tmp_path / "turned", {"a.png": data})[0], planes(upright))
    as_stored = read(tmp_path / "stored", {"a.png": data}, exif_orientation=False)
    assert np.array_equal(as_stored[0], planes(lying))


def test_the_square_is_cut_from_the_upright_photo(tmp_path):
    pixels = RNG.integers(256, size=(8, 13, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    lying = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    result = read(tmp_path, {"a.png": stored(lying, exif=exif)})
    assert np.array_equal(result[0], pixels[:, 2:10].transpose(2, 0, 1))


def test_broken_exif_does_not_spoil_a_picture(tmp_path):
    data = stored(COLOURS, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert np.array_equal(read(tmp_path, {"a.png": data})[0], planes(COLOURS))


# ---- Metadata -------------------------------------------------------------------------------


def texts(**chunks):
    info = PngImagePlugin.PngInfo()
    for key, text in chunks.items():
        info.add_text(key, text, zip=True)
    return info


def late(data, kind, content):
    """A PNG with a chunk behind its pixels."""
    chunk = len(content).to_bytes(4, "big") + kind + content
    chunk += zlib.crc32(kind + content).to_bytes(4, "big")
    return data[:-12] + chunk + data[-12:]


LONG = b"x" * 3_000_000
METADATA = {
    "text": lambda: stored(COLOURS, pnginfo=texts(parameters=LONG.decode())),
    "texts": lambda: stored(COLOURS, pnginfo=texts(**{f"k{i}": "y" * 900_000 for i in range(80)})),
    "profile": lambda: stored(COLOURS, icc_profile=LONG),
    "late": lambda: late(stored(COLOURS), b"zTXt", b"k\0\0" + zlib.compress(LONG)),
}


@pytest.mark.parametrize("kind", METADATA)
def test_pixels_are_read_whatever_the_metadata(tmp_path, kind):
    data = METADATA[kind]()
    with pytest.raises(ValueError), Image.open(io.BytesIO(data)) as image:
        image.load()  # what Pillow itself makes of it
    assert np.array_equal(read(tmp_path, {"a.png": data})[0], planes(COLOURS))


# ---- Size -----------------------------------------------------------------------------------


def huge(width, height):
    """A PNG that says it is large, and has next to no pixels."""
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    data = stored(COLOURS)
    return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]


@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 20_000)])  # Pillow warns, or refuses
@pytest.mark.parametrize("use", ["dataset", "samples"])
def test_images_that_are_too_large_are_described(tmp_path, size, use):
    width, height = size
    message = f"a.png: {width}×{height} = {width * height} pixels; expected at most 89478485"
    with pytest.raises(ValueError, match=message):
        if use == "dataset":
            read(tmp_path, {"a.png": huge(width, height)})
        else:
            read(tmp_path, {"a.png": stored(COLOURS)})
            (tmp_path / "theirs").mkdir()
            (tmp_path / "theirs/a.png").write_bytes(huge(width, height))
            imported_samples.read(tmp_path / "theirs", Dataset.open(tmp_path / "data"), 1)


# ---- No image -------------------------------------------------------------------------------

OTHERS = [
    (b"", "0 bytes"),
    (b"\n <!DOCTYPE HTML><html>", "an HTML page"),
    (b"\xef\xbb\xbf<html>", "an HTML page"),
    (b"<?xml version='1.0'?><svg/>", "an XML document"),
    (b"%PDF-1.7 ...", "a PDF"),
    (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, not the file itself"),
    (b"\0\0\0\x18ftypheic\0\0\0\0", r"a file of format 'heic' \(HEIC, AVIF or video\)"),
    (b"404: Not Found", "14 bytes of text"),
    (b"\1\2\3\4\5", "5 bytes of an unknown format"),
    (stored(COLOURS)[:20], r"a damaged PNG \(Truncated File Read\)"),
    (stored(COLOURS, "JPEG")[:20], "a damaged JPEG"),
]


@pytest.mark.parametrize(("data", "message"), OTHERS, ids=[text for _, text in OTHERS])
def test_a_file_that_is_no_image_is_said_to_be_what_it_is(tmp_path, data, message):
    with pytest.raises(ValueError, match=rf"raw: train/a\.jpg: {message}; expected an image \(PNG"):
        read(tmp_path, {"a.jpg": data})
