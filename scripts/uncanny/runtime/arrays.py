"""Sets of named arrays in one file (.npz) with a checksum: samples, features, trajectories."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncanny.runtime import files


def save(path: Path | str, **arrays) -> None:
    """Write arrays, whole or not at all; the same arrays and path give the same bytes."""
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    checksum = np.array(files.path_checksum(path, digest(arrays)))
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays, seal=checksum)


def load(path: Path | str, expected: str) -> dict[str, np.ndarray]:
    """Read all arrays of a file, without its checksum; never executes code.

    expected: kind of file, for messages. Raises ValueError that names the file where it is missing,
    damaged, or one of another path.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected {expected}") from None
    except Exception as error:  # readers of broken archives raise any exception
        raise ValueError(f"{path}: not {expected} ({error}); delete it and run again") from None
    if "seal" in arrays:
        files.verify(path, str(arrays.pop("seal")), digest(arrays))
    return arrays


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
