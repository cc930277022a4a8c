"""Which pages and pictures in docs/STUDY are older than the code and config behind them.

A file's fingerprint covers the wildcards and params of all jobs that it depends on, and so what
Snakemake itself compares: resolved blocks of the config, and syntax trees of the code that runs.
Comments, layout, docstrings, file times, the order of keys and blocks that the file does not use
change nothing. A renamed block, function or module does, because paths and code contain the name.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from uncanny.estimate.job import Job, Jobs
from uncanny.runtime import files
from uncanny.study.study import Study

RECORD = "fingerprints.json"
PAGE = "README.md"


def fingerprints(study: Study, jobs: Iterable[Job], page_code: str) -> dict[str, str]:
    """Published file below docs/STUDY → fingerprint of all that it is made from.

    jobs: of the whole study, with digests. page_code: fingerprint of the code of the page, which
    shows all other files.
    """
    by_file = Jobs(jobs, ())
    tables = [*study.config["tables"], *(["claims"] if study.config["claims"] else [])]
    names = [f"figures/{name}.png" for name in study.config["figures"]]
    names += [f"tables/{name}.md" for name in tables]
    known = {name: _combined(job.digest for job in by_file.behind([name])) for name in names}
    return known | {PAGE: _combined([page_code, *known.values()])}


def _combined(digests: Iterable[str]) -> str:
    return files.checksum(["\n".join(sorted(digests))])[:12]


def record(folder: Path, current: Mapping[str, str]) -> None:
    """Write the fingerprints of all published files, and what the files contain, to RECORD.

    ValueError that names a file which is not there.
    """
    missing = [name for name in current if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder / missing[0]}: no such file; expected make docs")
    entries = {
        name: {"fingerprint": digest, "sha256": files.sha256(folder / name)}
        for name, digest in current.items()
    }
    files.write_json(folder / RECORD, entries)


def stale(folder: Path, current: Mapping[str, str]) -> dict[str, str]:
    """Published files that are stale → why; current: as of `fingerprints`."""
    recorded = files.read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} - {RECORD}
    reasons = {name: _reason(folder / name, recorded.get(name), current[name]) for name in current}
    reasons |= dict.fromkeys(sorted(there - current.keys()), "not in the study")
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(path: Path, recorded: Mapping[str, str] | None, current: str) -> str | None:
    if not path.is_file():
        return "missing"
    if recorded is None:
        return "older than the record of fingerprints"
    if recorded["fingerprint"] != current:
        return "made from other code or config"
    return None if recorded["sha256"] == files.sha256(path) else "changed since it was recorded"
