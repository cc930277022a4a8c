"""Checkpoints: the full state of a training run in one file, with the identity that it belongs to.

A checkpoint holds only tensors, numbers and text, so that loading one never executes code. Its
digest covers every byte of the tensors, and it knows its place: a damaged file, or another's, is
named and never used.
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
    state = state | {"place": files.place(path)}
    state = _unshared(state | {"format": FORMAT, "digest": digest(state)})
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def _unshared(value: object) -> object:
    """The same value, of which equal texts are one object and nothing else is: pickle writes an
    object that comes again as a reference, so that its bytes would tell where a state comes from.
    """
    if isinstance(value, dict):
        return {_unshared(key): _unshared(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_unshared(v) for v in value]
    return sys.intern(value) if isinstance(value, str) else value


def load(path: Path | str, *, identity: dict | None = None, seed: int | None = None) -> dict:
    """Read a state and check it.

    Raises ValueError that names the file where it is missing, damaged, another's, or was made with
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
    except Exception:  # readers of broken files raise what they like
        intact = False
    if not intact:
        raise ValueError(
            f"{path}: not a whole checkpoint (truncated or damaged); delete it and run again"
        )
    files.check_place(path, state.pop("place", ""))
    for name, expected in (("identity", identity), ("seed", seed)):
        if expected is not None and state[name] != expected:
            key, found, wanted = files.difference(state[name], expected)
            label = f"{key} = " if key else ""
            raise ValueError(
                f"{path}: made with other parameters: {name} has {label}{found}; expected "
                f"{label}{wanted}"
            )
    return state


def read_tensors(path: Path | str, expected: str, hint: str = "") -> object:
    """What torch.save wrote, read without running code; ValueError that names the file and says
    what was found and expected.

    hint: what to do about a file that is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected {expected}") from None
    except Exception as error:  # readers of broken files raise what they like
        reason = re.split(r"\. |\n", str(error))[0] or type(error).__name__
        found = f"{files.describe(path)}; {reason}"
        raise ValueError(f"{path}: not readable as {expected} ({found}){hint}") from None


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
