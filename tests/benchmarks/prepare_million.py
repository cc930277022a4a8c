"""Prepare a million small images, straight and killed twice: seconds, memory, equal bytes.

PYTHONPATH=scripts python tests/benchmarks/prepare_million.py FOLDER [COUNT [THREADS]]
FOLDER takes 3 GB for a million images and keeps the archive, which is made once.
"""

import os
import random
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

JOB = """
import sys
from uncanny.datasets.images import images
images(sys.argv[1], root=sys.argv[2], resolution=16, test_fraction=0.05, threads=int(sys.argv[3]))
"""


def png(seed: int, size: int = 16) -> bytes:
    """A colour image of noise."""
    noise, row = random.Random(seed).randbytes(3 * size**2), 3 * size
    rows = b"".join(b"\0" + noise[start : start + row] for start in range(0, len(noise), row))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = b"IHDR" + header, b"IDAT" + zlib.compress(rows, 0), b"IEND"
    framed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def run(folder: Path, root: Path, threads: str, kill_after: float | None = None) -> float:
    started = time.time()
    job = subprocess.Popen([sys.executable, "-c", JOB, str(folder), str(root), threads])
    if kill_after is not None:
        time.sleep(kill_after)
        job.kill()
    _, status, usage = os.wait4(job.pid, 0)
    seconds, memory = time.time() - started, usage.ru_maxrss / 1024
    print(f"{folder.name}: status {status}, {seconds:.0f} s, at most {memory:.0f} MB", flush=True)
    return seconds


if __name__ == "__main__":
    place = Path(sys.argv[1])
    count, threads = (*sys.argv[2:], *["1000000", "1"][len(sys.argv) - 2 :])
    root = place / f"{count}.zip"
    if not root.exists():
        with zipfile.ZipFile(root, "w") as archive:
            for number in range(int(count)):
                archive.writestr(f"{number % 1000:03}/{number:07}.png", png(number))
    third = run(place / "straight", root, threads) / 3
    for kill_after in (third, third, None):
        run(place / "killed", root, threads, kill_after)
    pairs = [(path, place / "killed" / path.name) for path in (place / "straight").iterdir()]
    same = all(path.read_bytes() == other.read_bytes() for path, other in pairs)
    print("the same bytes" if same else "OTHER BYTES")
