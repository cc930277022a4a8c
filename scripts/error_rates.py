"""Simulate how often verdicts are wrong: python scripts/error_rates.py [TRIALS] (default: 400).

Writes results/measured/error_rates.csv and docs/error_rates.md in this repository.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

BASE = Path(__file__).parent.parent
SEED, TRIALS = 20, 400


def _rows(luck: float, effect: float, trials: int) -> list[dict]:
    from uncanny.claims import error_rates

    return error_rates.rows(luck, effect, trials, SEED)


def main(trials: int) -> None:
    import pandas as pd

    from uncanny.claims import error_rates
    from uncanny.runtime import files
    from uncanny.workflow import evidence_pages

    cells = list(product(error_rates.LUCKS, error_rates.EFFECTS))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(_rows, *zip(*cells, strict=True), [trials] * len(cells))
        table = pd.DataFrame([row for rows in found for row in rows])
    table = error_rates.in_order(table)
    csv = BASE / "results/measured/error_rates.csv"
    files.write_text(csv, table.to_csv(index=False, lineterminator="\n"))
    files.write_text(BASE / "docs/error_rates.md", evidence_pages.error_rates(table))
    print(f"{csv}: {len(table)} rows of {trials} trials; docs/error_rates.md")


if __name__ == "__main__":
    words = sys.argv[1:] or [str(TRIALS)]
    if len(words) > 1 or not words[0].isdecimal() or int(words[0]) < 1:
        sys.exit(f"error_rates: {' '.join(words)}; expected one number of trials, 1 or more")
    main(int(words[0]))
