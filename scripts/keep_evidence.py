"""Keep what a study's claims were decided from: python scripts/keep_evidence.py [CONFIG].

Run it in the folder where Snakemake ran, after `snakemake claims`. Writes
results/measured/evidence/STUDY.tar.xz and the study's part of config/training_spreads.json.
"""

import sys
from pathlib import Path

BASE = Path(__file__).parent.parent


def main(config: str = "config/config.yaml") -> None:
    from uncanny.claims import stored_spreads
    from uncanny.runtime import files
    from uncanny.study import loading
    from uncanny.study.plan import archive as plan_archive
    from uncanny.workflow import archive, kept_evidence

    study = loading.load(config, BASE)
    results = Path("results") / study.name
    target = kept_evidence.archive_of(study, BASE)
    paths = kept_evidence.contents(study, results)
    archive.pack(paths, results, study.name, plan_archive.identity(study), target)
    claims = files.read_json(results / "tables/claims.json")
    measured = stored_spreads.of_study(study.name, claims)
    known = stored_spreads.read()
    stored_spreads.write(stored_spreads.merged(known, study.name, measured))
    total = kept_evidence.check_size(BASE)
    print(f"{target}: {len(paths)} files; all archives: {total:,} bytes")
    print(f"{stored_spreads.PATH}: {len(measured)} spreads between trainings of {study.name}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("keep_evidence: expected [CONFIG]")
    try:
        main(*sys.argv[1:2])
    except (ValueError, OSError, TypeError) as error:
        sys.exit(f"keep_evidence: {error}")
