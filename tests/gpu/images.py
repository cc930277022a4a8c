"""A zip of JPEG files with common headers as one small file, and back to the same files.

Tens of thousands of small JPEGs repeat the same tables, 623 bytes each, and the zip's own entries.
Without them they take a quarter of the room.
"""

import json
import struct
import zipfile
import zlib
from pathlib import Path

LENGTH = struct.Struct("<Q")
START_OF_SCAN = 0xDA


def _header_length(jpeg: bytes) -> int:
    """Bytes before the coded pixels: segments of marker and length, up to the start of the scan."""
    at = 2
    while True:
        marker = jpeg[at + 1]
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == START_OF_SCAN:
            return at


def pack(source: Path, target: Path) -> int:
    """Write all JPEG files of a zip; how many there are."""
    headers, entries, pixels = {}, [], []
    with zipfile.ZipFile(source) as file:
        for name in file.namelist():
            if name.endswith("/"):
                continue
            jpeg = file.read(name)
            cut = _header_length(jpeg)
            number = headers.setdefault(jpeg[:cut].hex(), len(headers))
            entries.append([name, number, len(jpeg) - cut])
            pixels.append(jpeg[cut:])
    table = zlib.compress(json.dumps([list(headers), entries]).encode(), 9)
    target.write_bytes(LENGTH.pack(len(table)) + table + b"".join(pixels))
    return len(entries)


def unpack(source: Path, target: Path) -> int:
    """Write the zip again, its files byte for byte; how many there are."""
    data = source.read_bytes()
    at = LENGTH.size + LENGTH.unpack_from(data)[0]
    headers, entries = json.loads(zlib.decompress(data[LENGTH.size : at]))
    headers = [bytes.fromhex(header) for header in headers]
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out:
        for name, number, length in entries:
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            out.writestr(info, headers[number] + data[at : at + length])
            at += length
    part.rename(target)
    return len(entries)
