"""Checkpoints: the full state of a training run in one file, with the identity of its model.

A checkpoint holds only tensors, numbers and text, so that loading one never executes code. Its
digest covers every byte of the tensors and the path that it was written to: a damaged or misplaced
file is named and never used.
"""

import hashlib
import json
import re
import sys
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
            actual, wanted = _difference(state[name], expected)
            raise ValueError(
                f"{path}: made with other parameters: {name} has {actual}; expected {wanted}"
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
    """SHA-256 over every tensor's bytes and all other values of a state but its format number."""
    total = hashlib.sha256()
    _absorb(total, {key: value for key, value in state.items() if key != "format"})
    return total.hexdigest()


def _absorb(total, value: object) -> None:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            total.update(f"{key}=".encode())
            _absorb(total, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            _absorb(total, item)
    elif isinstance(value, torch.Tensor):
        total.update(f"{value.dtype}{tuple(value.shape)}".encode())
        total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    else:
        total.update(json.dumps(value).encode())


def _difference(actual: object, expected: object, at: str = "") -> tuple[str, str]:
    """First difference between two nested values, as 'key = value' of both."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        for key in sorted(actual.keys() | expected.keys(), key=str):
            if actual.get(key) != expected.get(key):
                dotted = f"{at}.{key}" if at else str(key)
                return _difference(actual.get(key), expected.get(key), dotted)
    label = f"{at} = " if at else ""
    return f"{label}{actual!r}", f"{label}{expected!r}"


def weights_sha256(weights: dict[str, torch.Tensor]) -> str:
    """Hexadecimal SHA-256 of names, dtypes, shapes and values, independent of their order."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()
