"""Compare models under two extractors: python scripts/compare_extractors.py FOLDER OTHER.

FOLDER, OTHER: results of one study, whose samples were scored with different seeds of the extractor
(`make second-extractor`). Writes docs/extractors.md of this repository.
"""

import sys
from pathlib import Path

BASE = Path(__file__).parent.parent


def main(*folders: str) -> None:
    from uncanny.evaluation import extractor_ranks, score_records
    from uncanny.runtime import files
    from uncanny.workflow import evidence_pages

    values = []
    for folder in folders:
        paths = sorted((Path(folder) / "scores").rglob("draw-*/*.json"))
        if not paths:
            raise ValueError(f"{folder}: no score records; expected the results of a study")
        table = score_records.tidy(score_records.read_records(paths))
        values.append(extractor_ranks.final_values(table))
    tables = extractor_ranks.page_tables(*extractor_ranks.compared(*values))
    files.write_text(BASE / "docs/extractors.md", evidence_pages.extractors(*tables))
    print(f"docs/extractors.md: {len(tables[0])} models")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("compare_extractors: expected FOLDER OTHER")
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"compare_extractors: {error}")
