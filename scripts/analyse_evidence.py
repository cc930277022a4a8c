"""Analyse kept records: python scripts/analyse_evidence.py FOLDER CONFIG...

FOLDER: where the archives were unpacked and assessed (`make evidence`). Copies scorecards and
forest plots to results/measured/evidence/STUDY/, and writes docs/coverage.md and docs/margins.md.
"""

import shutil
import sys
from pathlib import Path

BASE = Path(__file__).parent.parent
SHOWN = ["tables/claims.md", "tables/claims.csv", "figures/figure_claims.png"]
COVERED = ("C01", "C02", "C08", "C10", "C13", "C15", "C16")  # their cells were measured again


def main(folder: Path, configs: list[str]) -> None:
    from uncanny.claims import coverage, margins, reading
    from uncanny.runtime import files
    from uncanny.study import loading
    from uncanny.study.plan import claims as plan_claims
    from uncanny.workflow import evidence_pages, kept_evidence

    covered, at_margins = {}, {}
    for config in configs:
        study = loading.load(config, BASE)
        results = folder / "results" / study.name
        paths = kept_evidence.by_kind(study, results)
        scale = study.config["scale"]
        evidence = reading.evidence(paths, study.seeds, study.sampling_seeds, scale)
        claims = {name: plan_claims.resolved(study, name) for name in study.config["claims"]}
        names = [name for name in COVERED if name in claims]
        covered[study.name] = coverage.of_claims(claims, evidence, names)
        at_margins[study.name] = margins.verdicts(claims, evidence)
        kept = BASE / kept_evidence.FOLDER / study.name
        kept.mkdir(parents=True, exist_ok=True)
        for path in SHOWN:
            shutil.copy(results / path, kept)
    files.write_text(BASE / "docs/coverage.md", evidence_pages.coverage(covered))
    files.write_text(BASE / "docs/margins.md", evidence_pages.margins(at_margins))
    print(f"{', '.join(covered)}: docs/coverage.md, docs/margins.md, {kept_evidence.FOLDER}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("analyse_evidence: expected FOLDER CONFIG...")
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except (ValueError, OSError, TypeError) as error:
        sys.exit(f"analyse_evidence: {error}")
