"""Decoding of image files: upright, without transparency; or a description of other content."""

import io

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
EXPECTED = "an image (PNG, JPEG, WebP, BMP, TIFF, GIF or PPM)"
MAX_PIXELS = 89_478_485  # of one image as it is stored: 270 MB
ORIENTATION = 0x0112  # the tag of EXIF
# What an orientation asks for: EXIF 2.3, 4.6.4 A; names of PIL.Image.Transpose.
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
BACK = {6: "ROTATE_90", 8: "ROTATE_270"}  # the others undo themselves

PNG = b"\x89PNG\r\n\x1a\n"
METADATA = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}
# Bytes of a chunk of metadata, and of all, that cannot unpack (to 1032 times as much) to more than
# Pillow takes: 1 MiB and 64 MiB.
SHORT, ALL_SHORT = 1000, 60_000

# How the files begin that are met under the name of an image.
BEGINNINGS = {
    PNG: "a damaged PNG",
    b"\xff\xd8\xff": "a damaged JPEG",
    b"GIF8": "a damaged GIF",
    b"BM": "a damaged BMP",
    b"II*\0": "a damaged TIFF",
    b"MM\0*": "a damaged TIFF",
    b"%PDF": "a PDF",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"8BPS": "a Photoshop document",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
}


def opened(data: bytes):
    """Open the only image of a file, not yet decoded (PIL.Image.Image).

    Raises ValueError that describes the content where that is no image, more than one, or one of
    more than MAX_PIXELS; a photo with previews (MPO) is one.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # Pillow's message lacks the size; MAX_PIXELS is checked below
    try:
        image = Image.open(io.BytesIO(without_long_metadata(data)), formats=FORMATS)
    except (OSError, SyntaxError) as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise ValueError(f"{content_of(data)}{reason}; expected {EXPECTED}") from None
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width}×{image.height} = {image.width * image.height} pixels"
        raise ValueError(f"{size}; expected at most {MAX_PIXELS}")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ValueError(f"{image.format} of {frames} frames; expected one")
    return image


def content_of(data: bytes) -> str:
    """Describe bytes that are no image, from their beginning."""
    if not data:
        return "0 bytes"
    head = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()  # without a byte order mark
    for beginning, name in BEGINNINGS.items():
        if head[: len(beginning)].lower() == beginning.lower():
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a damaged WebP"
    if data[4:8] == b"ftyp":
        return f"a file of format {data[8:12].decode('latin-1').strip()!r} (HEIC, AVIF or video)"
    text = all(byte >= 32 or byte in b"\t\n\r\f" for byte in data[:512])
    return f"{len(data)} bytes of " + ("text" if text else "an unknown format")


def without_long_metadata(data: bytes) -> bytes:
    """Remove long chunks of text and colour profile from a PNG; other files are returned as they
    are. Pillow refuses some of these chunks although the pixels are whole.
    """
    if not data.startswith(PNG):
        return data
    # Chunks: length (4 bytes), type (4), contents, checksum (4)
    kept, at, room = [PNG], len(PNG), ALL_SHORT
    while at < len(data):
        length, is_metadata = (
            int.from_bytes(data[at : at + 4], "big"),
            data[at + 4 : at + 8] in METADATA,
        )
        if not is_metadata or length <= min(SHORT, room):
            kept.append(data[at : at + 12 + length])
            room -= length * is_metadata
        at += 12 + length
    return b"".join(kept)


def oriented(image, *, upright: bool = True):
    """Decode an image, turned by its EXIF orientation; not upright: as it is stored."""
    from PIL import Image

    orientation, by_pillow = _orientation(image), image.format == "TIFF"  # when it is decoded
    image.load()
    if orientation not in TURNS or upright == by_pillow:
        return image
    turn = TURNS[orientation] if upright else BACK.get(orientation, TURNS[orientation])
    return image.transpose(Image.Transpose[turn])


def _orientation(image) -> int | None:
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # broken metadata of a picture that is whole
        return None


def is_transparent(image) -> bool:
    """Whether a pixel is transparent, by alpha, by its colour or by its entry in the palette."""
    return image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255


def flat(image, background: tuple[int, int, int], mode: str):
    """Convert to mode L or RGB; transparent pixels show the background (red, green, blue)."""
    from PIL import Image

    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(below, image.convert("RGBA"))
    return image.convert(mode)
