"""Sets of named arrays in one file (.npz) with a seal: samples, features, traces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncanny.runtime import files


def save(path: Path | str, **arrays) -> None:
    """Write arrays, whole or not at all; the same arrays in the same place give the same bytes."""
    found = {name: np.asarray(array) for name, array in arrays.items()}
    seal = np.array(files.seal(path, digest(found)))
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **found, seal=seal)


def load(path: Path | str, expected: str) -> dict[str, np.ndarray]:
    """All arrays of a file, without its seal; never executes code.

    expected: what the file should be, for messages. Raises ValueError that names the file where it
    is missing, damaged, or another's.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected {expected}") from None
    except Exception as error:  # readers of broken archives raise what they like
        raise ValueError(f"{path}: not {expected} ({error}); delete it and run again") from None
    if "seal" in found:
        files.check_seal(path, str(found.pop("seal")), digest(found))
    return found


def digest(arrays: dict[str, np.ndarray]) -> str:
    """Hexadecimal SHA-256 of names, dtypes, shapes and contents."""
    return files.checksum(part for name in sorted(arrays) for part in _parts(name, arrays[name]))


def _parts(name: str, array: np.ndarray) -> Iterator[str | np.ndarray]:
    yield f"{name} {array.dtype.kind} {array.shape}"
    if array.dtype.kind == "U":  # its dtype has the length of the longest text
        yield repr(array.tolist())
    else:
        yield array.dtype.str
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8)
