"""Checkpoints: the full state of a training run in one file, with the identity of its model.

A checkpoint holds only tensors, numbers and text, so that loading one never executes code. Its
digest covers every byte of the tensors and the path that it was written to: a damaged or misplaced
file is named and never used.
"""

import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from uncanny.runtime import files

FORMAT = 1


def save(path: Path | str, state: dict) -> None:
    """Write a state, whole or not at all; the same state gives the same bytes.

    state: nested dicts and lists of tensors, numbers, text and None, with at least identity, seed,
    epoch and status.
    """
    state = state | {"place": files.relative_path(path)}
    state = _unshared(state | {"format": FORMAT, "digest": digest(state)})
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def _unshared(value: object) -> object:
    """Copy a value so that equal texts are one object, and no other objects are shared."""
    # pickle writes a repeated object as a reference: equal states would differ in their bytes.
    if isinstance(value, dict):
        return {_unshared(key): _unshared(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_unshared(v) for v in value]
    return sys.intern(value) if isinstance(value, str) else value


def load(path: Path | str, *, identity: dict | None = None, seed: int | None = None) -> dict:
    """Read a state and check it.

    Raises ValueError that names the file where it is missing, damaged, misplaced, or was made with
    another identity or seed.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        intact = state["format"] == FORMAT and state.pop("digest") == digest(
            state | {"format": None}
        )
    except FileNotFoundError:
        raise ValueError(f"{path}: no such checkpoint") from None
    except OSError as error:
        raise ValueError(f"{path}: not readable ({error.strerror or error})") from None
    except Exception:  # readers of broken files raise any exception
        intact = False
    if not intact:
        raise ValueError(
            f"{path}: not a whole checkpoint (truncated or damaged); delete it and run again"
        )
    files.check_path(path, state.pop("place", ""))
    for name, expected in (("identity", identity), ("seed", seed)):
        if expected is not None and state[name] != expected:
            key, actual, wanted = files.difference(state[name], expected)
            label = f"{key} = " if key else ""
            raise ValueError(
                f"{path}: made with other parameters: {name} has {label}{actual}; expected "
                f"{label}{wanted}"
            )
    return state


def read_tensors(path: Path | str, expected: str, hint: str = "") -> object:
    """Read a file of torch.save without running code; ValueError that names the file, its contents
    and what was expected.

    hint: advice for a damaged file, appended to the message.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected {expected}") from None
    except Exception as error:  # readers of broken files raise any exception
        reason = re.split(r"\. |\n", str(error))[0] or type(error).__name__
        contents = f"{files.describe(path)}; {reason}"
        raise ValueError(f"{path}: not readable as {expected} ({contents}){hint}") from None


def digest(state: dict) -> str:
    """SHA-256 over every tensor's bytes and all else of a state but its format number."""
    rest = {key: value for key, value in state.items() if key != "format"}
    return files.checksum(_parts(rest))


def _parts(value: object) -> Iterator[str | memoryview]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield f"{key}="
            yield from _parts(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, torch.Tensor):
        yield f"{value.dtype}{tuple(value.shape)}"
        yield _bytes(value)
    else:
        yield json.dumps(value)


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def weights_sha256(weights: dict[str, torch.Tensor]) -> str:
    """Hexadecimal SHA-256 of names, dtypes, shapes and values, whatever their order and file."""
    parts = ((f"{n} {w.dtype} {tuple(w.shape)}", _bytes(w)) for n, w in sorted(weights.items()))
    return files.checksum(itertools.chain.from_iterable(parts))
