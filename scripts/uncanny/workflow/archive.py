"""A study's results in one file: what figures and tables are made from, and its origin.

A tar file of paths below results/STUDY/ after a manifest: format, study, what its numbers depend
on, versions, and the SHA-256 of each file. Compressed where its name ends in .xz. Equal results
make equal bytes. No torch here.
"""

import io
import json
import lzma
import os
import subprocess
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from uncanny.runtime import files, result_paths

FORMAT, MANIFEST = 2, "manifest.json"  # 2: config keys and sampler blocks have other names
PACKAGES = ("snakemake", "torch", "torchvision", "torch-fidelity", "numpy", "scipy", "pandas")
EXPECTED = "expected an archive of `snakemake archive`"
UNREADABLE = (EOFError, lzma.LZMAError, tarfile.TarError)


# ---- Packing --------------------------------------------------------------------------------


def pack(paths: Iterable[str], results: Path | str, study: str, identity: Mapping, output) -> None:
    """Write the files, each with its extras, into an archive.

    paths: below `results`, the study's folder. identity: what the numbers depend on, as JSON.
    """
    results = Path(results)
    names = sorted({name for path in paths for name in _with_extras(results, path)})
    digests = {name: files.sha256(results / name) for name in names}
    manifest = {"format": FORMAT, "study": study, "identity": identity, "files": digests}
    manifest |= {"commit": _commit(), "packages": _versions()}
    text = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    mode = "w:xz" if Path(output).suffix == ".xz" else "w"
    with files.replacing(output) as temporary, tarfile.open(temporary, mode) as archive:
        archive.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
        for name in names:
            with (results / name).open("rb") as file:
                archive.addfile(_member(name, (results / name).stat().st_size), file)


def _with_extras(results: Path, path: str) -> Iterator[str]:
    """A file with its record or checksum, a dataset with its arrays."""
    yield path
    if result_paths.is_of("datasets", path):
        splits = files.read_json(results / path)["splits"].values()
        yield from (f"{Path(path).parent}/{name}" for split in splits for name in split["files"])
    stem = path.rpartition(".")[0]
    yield from (f"{stem}{end}" for end in (".json", ".sha256") if (results / (stem + end)).exists())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


# ---- Adopting -------------------------------------------------------------------------------


def adopt(path: Path | str, results: Path | str, study: str, identity: Mapping) -> list[str]:
    """Unpack an archive below the study's results, with one time for all files; return their names.

    Files may exist already if they have the same content. Raises ValueError, before anything is
    written, that names an archive of another study, of another version or with another config, a
    damaged one, and an existing file with other content.
    """
    results, now = Path(results), time.time()
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        _check(path, manifest, study, json.loads(json.dumps(identity)))
        for name, digest in manifest["files"].items():
            _check_file(path, archive, name, digest, results / name)
        for name in manifest["files"]:
            with files.replacing(results / name) as temporary:
                temporary.write_bytes(archive.extractfile(name).read())
            os.utime(results / name, (now, now))
    return list(manifest["files"])


def _opened(path: Path | str) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:xz" if Path(path).suffix == ".xz" else "r:")
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; {EXPECTED}") from None
    except (OSError, *UNREADABLE) as error:
        raise ValueError(f"{path}: not readable ({error}); {EXPECTED}") from None


def _manifest(path: Path | str, archive: tarfile.TarFile) -> dict:
    try:
        manifest = json.loads(archive.extractfile(MANIFEST).read())
    except (KeyError, AttributeError, ValueError, *UNREADABLE):
        raise ValueError(f"{path}: no {MANIFEST}; {EXPECTED}") from None
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        commit = manifest.get("commit") if isinstance(manifest, dict) else None
        where = f"in a clone of {commit}, which packed it" if commit else "with its own version"
        raise ValueError(
            f"{path}: format {version!r}; this version reads {FORMAT}: adopt the archive {where}, "
            "or run `snakemake archive` again where the results are"
        )
    return manifest


def _check(path: Path | str, manifest: Mapping, study: str, identity: Mapping) -> None:
    if manifest["study"] != study:
        raise ValueError(f"{path}: of study {manifest['study']!r}; the config has {study!r}")
    key, archived, configured = files.difference(manifest["identity"], identity)
    if key:
        made = manifest.get("commit") or "another version"
        raise ValueError(
            f"{path}: made with {key} {archived} (at {made}); the config has {configured}"
        )


def _check_file(path, archive: tarfile.TarFile, name: str, digest: str, target: Path) -> None:
    """Raise ValueError if a member is damaged, lies outside, or would replace another file."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{path}: {name} lies outside the study's results; {EXPECTED}")
    try:
        content = archive.extractfile(name).read()
    except (KeyError, AttributeError, OSError, *UNREADABLE):
        content = b""
    if files.checksum([content]) != digest:
        raise ValueError(f"{path}: {name} is damaged or not there; copy the archive again")
    if target.exists() and files.sha256(target) != digest:
        raise ValueError(f"{target}: there already, and another than in {path}; move it away first")
