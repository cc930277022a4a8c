"""Take the results of another machine: python scripts/adopt_archive.py ARCHIVE [CONFIG].

Run it where Snakemake runs, with the config of the study (config/config.yaml). No rule: it comes
before them. Afterwards `snakemake -n all` lists figures and tables, and nothing else.
"""

import subprocess
import sys
from pathlib import Path

import yaml

from uncanny.study import checks, configuration
from uncanny.study.plan import archive as plan_archive
from uncanny.study.study import Study
from uncanny.workflow import archive

BASE = Path(__file__).parent.parent
AT_ONCE = 500  # names on a command line
NOTHING_KNOWN = "metadata did not exist"  # of some of these files: there is nothing to forget


def main(path: str, config: str = "config/config.yaml") -> None:
    written = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    study = Study(configuration.validated(written, BASE, [config]))
    checks.check(study)
    results = Path("results") / study.name
    names = archive.adopt(path, results, study.name, plan_archive.identity(study))
    if Path(".snakemake").is_dir():  # what it remembers of files that are others now
        _forget([str(results / name) for name in names], config)
    print(f"{results}: {len(names)} files; next: snakemake all --configfile {config}")


def _forget(paths: list[str], config: str) -> None:
    for start in range(0, len(paths), AT_ONCE):
        command = [sys.executable, "-m", "snakemake", "--configfile", config]
        command += ["--cleanup-metadata", *paths[start : start + AT_ONCE]]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode and NOTHING_KNOWN not in done.stdout + done.stderr:
            raise ValueError(f"{' '.join(command[1:5])}: {(done.stderr or done.stdout).strip()}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("adopt: expected ARCHIVE [CONFIG]")
    try:
        main(*sys.argv[1:3])
    except (ValueError, OSError, TypeError) as error:
        sys.exit(f"adopt: {error}")
