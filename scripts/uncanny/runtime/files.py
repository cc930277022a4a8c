"""Files that are either whole or not there, and that know their contents and their place.

What the workflow stores has a seal: a SHA-256 of its contents, and where it was written below the
study's results. A file that is damaged, or lies in the place of another, is named and never used.
"""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path in the same folder that takes the final name when the block succeeds, and
    goes when it fails. What was left there by a process that was killed goes, too. OSError that
    names the path where it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch speaks of positions where a disk is full
        if (known := _of_system(error)) is None or known.filename:
            raise
        raise OSError(known.errno, known.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def _of_system(error: BaseException | None) -> OSError | None:
    """What the system said, of an error or of what led to it."""
    while error is not None and not (isinstance(error, OSError) and error.errno):
        error = error.__context__
    return error


def _sweep(path: Path) -> None:
    """Remove temporary files of a path whose writers are gone: the lock went with them."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}{path.suffix}"):
        with contextlib.suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path | str, text: str) -> None:
    """Text, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


# ---- Seals ------------------------------------------------------------------------------------


def place(path: Path | str) -> str:
    """Where a file lies below results/STUDY/; empty for one that lies elsewhere."""
    parts = Path(path).parts
    if "results" not in parts:
        return ""
    last = len(parts) - 1 - parts[::-1].index("results")
    return "/".join(parts[last + 2 :])


def seal(path: Path | str, digest: str) -> str:
    """What a file carries of itself: the digest of its contents, and its place."""
    return f"{digest} {place(path)}".rstrip()


def check_seal(path: Path | str, found: str, digest: str) -> None:
    """ValueError that names the file where its contents have another digest than its seal says, or
    it was written for another place.
    """
    sealed, _, written = found.partition(" ")
    if sealed != digest:
        raise ValueError(
            f"{path}: damaged, its contents are not those of its checksum; delete it and run again"
        )
    check_place(path, written)


def check_place(path: Path | str, written: str) -> None:
    """ValueError that names a file which was written for another place."""
    if written and place(path) and written != place(path):
        raise ValueError(
            f"{path}: another file in its place, written as {written}; delete it and run again"
        )


def _sealed(path: Path | str, value: dict) -> dict:
    """The seal covers all but `timing`, which has its own: the rest is the same bytes again."""
    value = json.loads(json.dumps(value, allow_nan=False))
    rest = {key: part for key, part in value.items() if key not in ("seal", "timing")}
    sealed = rest | {"seal": seal(path, _digest(rest))}
    if "timing" in value:
        sealed["timing"] = value["timing"]
        if isinstance(value["timing"], dict) and value["timing"]:
            sealed["timing"] = value["timing"] | {"seal": _digest(value["timing"])}
    return sealed


def _opened(path: Path | str, value: dict) -> dict:
    """What was sealed, or was written by hand; ValueError as for `check_seal`."""
    if not isinstance(value.get("seal"), str):
        return value
    found, timing = value.pop("seal"), value.get("timing")
    rest = {key: part for key, part in value.items() if key != "timing"}
    check_seal(path, found, _digest(rest))
    if isinstance(timing, dict) and "seal" in timing:
        inner = timing.pop("seal")
        check_seal(path, str(inner), _digest(timing))
    return value


def _digest(value: object) -> str:
    return checksum([json.dumps(value, sort_keys=True, separators=(",", ":"))])


# ---- JSON -------------------------------------------------------------------------------------


def write_json(path: Path | str, value: object) -> None:
    """JSON with sorted keys, whole or not at all; NaN and infinity are refused. An object gets a
    seal.
    """
    value = _sealed(path, value) if isinstance(value, dict) else value
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path | str) -> dict:
    """Object of a JSON file without its seal; ValueError that names the file where it is missing,
    damaged, another's, or holds anything else.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); delete it and run again") from None
    except RecursionError:
        raise ValueError(f"{path}: not valid JSON (too deep); delete it and run again") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: {json_kind(value)}; expected an object")
    return _opened(path, value)


def difference(found: object, expected: object, key: str = "") -> tuple[str, str, str]:
    """The first key at which two nested values differ, and both values there, as text; `a.b` is b
    in a. An empty key for values that are no objects; all empty for equal ones.
    """
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted(found.keys() | expected.keys(), key=str):
            if found.get(name) != expected.get(name):
                inner = f"{key}.{name}" if key else str(name)
                return difference(found.get(name), expected.get(name), inner)
    return ("", "", "") if found == expected else (key, repr(found), repr(expected))


def json_kind(value: object) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), json.dumps(value))


def write_json_lines(path: Path | str, values: Iterable[object]) -> None:
    """One JSON value per line, whole or not at all; NaN and infinity are refused."""
    lines = [json.dumps(value, allow_nan=False, ensure_ascii=False) for value in values]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_json_lines(path: Path | str) -> list:
    """The values of a file with one JSON value per line; ValueError as for `read_json`."""
    check_checksum(path)
    try:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid JSON lines ({error}); delete and run again") from None


# ---- Files of others --------------------------------------------------------------------------

# First bytes of what is often found where another kind of file was expected.
BEGINNINGS = {
    b"version https://git-lfs": "a Git LFS pointer; `git lfs pull` fetches the file itself",
    b"PK\3\4": "a zip archive or a file of torch.save",
    b"\x80": "a pickle, which can run code when it is read",
    b"\x93NUMPY": "an array of NumPy",
    b"\x89HDF": "HDF5",
    b"<": "a page of HTML or XML",
    b"{": "text that begins as JSON does",
}


def describe(path: Path | str) -> str:
    """Size of a file that somebody else made, and its kind where the first bytes tell it."""
    if not os.path.isfile(path):
        return "a folder" if os.path.isdir(path) else "no file"
    with open(path, "rb") as file:
        start = file.read(32)
    kinds = (kind for begin, kind in BEGINNINGS.items() if start.lstrip().startswith(begin))
    # Safetensors begin with the length of a JSON header, whose bytes may be those of anything.
    size = os.path.getsize(path)
    header = start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size
    kind = "safetensors" if header else next(kinds, "")
    return f"{size} byte{'s' * (size != 1)}{f', {kind}' if kind else ''}"


def read_settings(path: Path | str) -> dict:
    """The JSON object in a file that somebody else made; ValueError that names the file where it is
    missing or anything else. NaN and infinity are refused.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected a JSON object") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = f"{describe(path)}; expected a JSON object ({error})"
        raise ValueError(f"{path}: {reason}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: JSON of a {type(value).__name__}; expected an object")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


# ---- Tables, pictures: checksums beside them --------------------------------------------------


def write_checksums(paths: Iterable[Path | str]) -> None:
    """Write STEM.sha256 beside files of one stem, as `sha256sum --check` reads it."""
    paths = [Path(path) for path in paths]
    lines = [f"{sha256(path)}  {path.name}\n" for path in paths]
    write_text(paths[0].with_suffix(".sha256"), "".join(lines))


def check_checksum(path: Path | str) -> None:
    """ValueError that names a file unlike the one whose checksum lies beside it, if one does."""
    path = Path(path)
    beside = path.with_suffix(".sha256")
    if not beside.exists() or not path.exists():
        return
    lines = beside.read_text(encoding="utf-8", errors="replace").splitlines()
    known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if known.get(path.name) != sha256(path):
        raise ValueError(
            f"{path}: damaged, or another file in its place: not as in {beside.name}; delete both "
            "and run again"
        )


def checksum(parts: Iterable[str | bytes | memoryview]) -> str:
    """Hexadecimal SHA-256 of texts (as UTF-8) and bytes, one after the other."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.encode(errors="surrogateescape") if isinstance(part, str) else part)
    return total.hexdigest()


def sha256(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file's contents."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
