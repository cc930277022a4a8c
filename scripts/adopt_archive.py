"""Unpack results from another machine: python scripts/adopt_archive.py ARCHIVE [CONFIG].

Run it in the folder where Snakemake runs, with the study's config (default: config/config.yaml),
before any rule. Afterwards `snakemake -n all` lists figures and tables, and nothing else.
"""

import subprocess
import sys
from pathlib import Path

from uncanny.study import loading
from uncanny.study.plan import archive as plan_archive
from uncanny.workflow import archive

BASE = Path(__file__).parent.parent
AT_ONCE = 500  # names on a command line
NO_METADATA = "metadata was not present"  # Snakemake's message for files that it does not know


def main(path: str, config: str = "config/config.yaml") -> None:
    study = loading.load(config, BASE)
    results = Path("results") / study.name
    names = archive.adopt(path, results, study.name, plan_archive.identity(study))
    if Path(".snakemake").is_dir():  # its metadata are of the files that were replaced
        _clean_metadata([str(results / name) for name in names], config)
    print(f"{results}: {len(names)} files; next: snakemake all --configfile {config}")


def _clean_metadata(paths: list[str], config: str) -> None:
    for start in range(0, len(paths), AT_ONCE):
        command = [sys.executable, "-m", "snakemake", "--configfile", config]
        command += [
            "--snakefile",
            str(BASE / "Snakefile"),
            "--cleanup-metadata",
            *paths[start : start + AT_ONCE],
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode and NO_METADATA not in done.stdout + done.stderr:
            raise ValueError(f"{' '.join(command[1:5])}: {(done.stderr or done.stdout).strip()}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("adopt: expected ARCHIVE [CONFIG]")
    try:
        main(*sys.argv[1:3])
    except (ValueError, OSError, TypeError) as error:
        sys.exit(f"adopt: {error}")
