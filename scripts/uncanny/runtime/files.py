"""Atomic writes with checksums.

Every stored file has a checksum: the SHA-256 of its contents, and its path below the study's
results. A damaged or misplaced file is named and never used.
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
    """Yield a temporary path in the same folder that takes the final name when the block succeeds,
    and is removed when it fails, as are those of killed processes. OSError that names the path
    where it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: nothing is removed there
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch hides a full disk in a RuntimeError
        if (known := _of_system(error)) is None or known.filename:
            raise
        raise OSError(known.errno, known.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def _of_system(error: BaseException | None) -> OSError | None:
    """Error of the operating system in the chain of an exception, or None."""
    while error is not None and not (isinstance(error, OSError) and error.errno):
        error = error.__context__
    return error


def _sweep(path: Path) -> None:
    """Remove temporary files of a path whose writers have ended, and their locks with them."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}{path.suffix}"):
        with contextlib.suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path | str, text: str) -> None:
    """Write text, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


# ---- Checksums --------------------------------------------------------------------------------


def relative_path(path: Path | str) -> str:
    """Path of a file below results/STUDY/; empty for a file outside of results."""
    folders = Path(path).parts
    if "results" not in folders:
        return ""
    last = len(folders) - 1 - folders[::-1].index("results")
    return "/".join(folders[last + 2 :])


def path_checksum(path: Path | str, digest: str) -> str:
    """Stored checksum of a file: the digest of its contents, and its path below the results."""
    return f"{digest} {relative_path(path)}".rstrip()


def verify(path: Path | str, stored: str, digest: str) -> None:
    """Raise ValueError that names the file where its contents have another digest than its stored
    checksum, or it was written to another path.
    """
    expected, _, written = stored.partition(" ")
    if expected != digest:
        raise ValueError(
            f"{path}: damaged, its contents are not those of its checksum; delete it and run again"
        )
    check_path(path, written)


def check_path(path: Path | str, written: str) -> None:
    """Raise ValueError that names a file which was written to another path."""
    if written and relative_path(path) and written != relative_path(path):
        raise ValueError(
            f"{path}: another file in its place, written as {written}; delete it and run again"
        )


def _with_checksum(path: Path | str, value: dict) -> dict:
    """Add checksums: of all but `timing`, which has its own as it differs between equal runs."""
    value = json.loads(json.dumps(value, allow_nan=False))
    rest = {key: entry for key, entry in value.items() if key not in ("seal", "timing")}
    stored = rest | {"seal": path_checksum(path, _digest(rest))}
    if "timing" in value:
        stored["timing"] = value["timing"]
        if isinstance(value["timing"], dict) and value["timing"]:
            stored["timing"] = value["timing"] | {"seal": _digest(value["timing"])}
    return stored


def _verified(path: Path | str, value: dict) -> dict:
    """Remove and verify the checksums, which a file written by hand lacks."""
    if not isinstance(value.get("seal"), str):
        return value
    stored, timing = value.pop("seal"), value.get("timing")
    rest = {key: entry for key, entry in value.items() if key != "timing"}
    verify(path, stored, _digest(rest))
    if isinstance(timing, dict) and "seal" in timing:
        stored = timing.pop("seal")
        verify(path, str(stored), _digest(timing))
    return value


def _digest(value: object) -> str:
    return checksum([json.dumps(value, sort_keys=True, separators=(",", ":"))])


# ---- JSON -------------------------------------------------------------------------------------


def write_json(path: Path | str, value: object) -> None:
    """Write JSON with sorted keys, whole or not at all; NaN and infinity are refused. An object
    gets a checksum.
    """
    value = _with_checksum(path, value) if isinstance(value, dict) else value
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path | str) -> dict:
    """Read the object of a JSON file, without its checksum; ValueError that names the file where it
    is missing, damaged, misplaced, or no object.
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
    return _verified(path, value)


def difference(actual: object, expected: object, key: str = "") -> tuple[str, str, str]:
    """The first key at which two nested values differ, and both values there, as text; `a.b` is b
    in a. An empty key for values that are no objects; all empty for equal ones.
    """
    if isinstance(actual, dict) and isinstance(expected, dict):
        for name in sorted(actual.keys() | expected.keys(), key=str):
            if actual.get(name) != expected.get(name):
                inner = f"{key}.{name}" if key else str(name)
                return difference(actual.get(name), expected.get(name), inner)
    return ("", "", "") if actual == expected else (key, repr(actual), repr(expected))


def json_kind(value: object) -> str:
    """Kind of a JSON value, for messages."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), json.dumps(value))


def write_json_lines(path: Path | str, values: Iterable[object]) -> None:
    """Write one JSON value per line, whole or not at all; NaN and infinity are refused."""
    lines = [json.dumps(value, allow_nan=False, ensure_ascii=False) for value in values]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_json_lines(path: Path | str) -> list:
    """Read a file with one JSON value per line; ValueError as for `read_json`."""
    check_checksum(path)
    try:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid JSON lines ({error}); delete and run again") from None


# ---- Files from outside -----------------------------------------------------------------------

# First bytes of files that are often mistaken for another kind
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
    """Size of a file from outside, and its kind where the first bytes identify it."""
    if not os.path.isfile(path):
        return "a folder" if os.path.isdir(path) else "no file"
    with open(path, "rb") as file:
        head = file.read(32)
    kinds = (kind for begin, kind in BEGINNINGS.items() if head.lstrip().startswith(begin))
    # Safetensors begin with the length of a JSON header, which may be any eight bytes.
    size = os.path.getsize(path)
    header = head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size
    kind = "safetensors" if header else next(kinds, "")
    return f"{size} byte{'s' * (size != 1)}{f', {kind}' if kind else ''}"


def read_settings(path: Path | str) -> dict:
    """Read the JSON object of a file from outside; ValueError that names the file where it is
    missing or no object. NaN and infinity are refused.
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


# ---- Tables and figures: checksums in a file of their own -------------------------------------


def write_checksums(paths: Iterable[Path | str]) -> None:
    """Write STEM.sha256 for files of one stem, as `sha256sum --check` reads it."""
    paths = [Path(path) for path in paths]
    lines = [f"{sha256(path)}  {path.name}\n" for path in paths]
    write_text(paths[0].with_suffix(".sha256"), "".join(lines))


def check_checksum(path: Path | str) -> None:
    """Raise ValueError that names a file unlike its checksum in STEM.sha256, if that exists."""
    path = Path(path)
    checksums = path.with_suffix(".sha256")
    if not checksums.exists() or not path.exists():
        return
    lines = checksums.read_text(encoding="utf-8", errors="replace").splitlines()
    known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if known.get(path.name) != sha256(path):
        raise ValueError(
            f"{path}: damaged, or another file in its place: not as in {checksums.name}; delete "
            "both and run again"
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
