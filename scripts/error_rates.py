"""Simulate how often verdicts are wrong: python scripts/error_rates.py [TRIALS] [GROUP ...]

Writes results/measured/error_rates.csv and docs/error_rates.md in this repository. TRIALS: default
400. GROUP: "study" (all claims on its scores and times), or the name of a claim that is simulated
apart; rows of others are kept. Default: all.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, product
from pathlib import Path

BASE = Path(__file__).parent.parent
CSV, PAGE = BASE / "results/measured/error_rates.csv", BASE / "docs/error_rates.md"
SEED, TRIALS = 20, 400


def _rows(group: str, luck: float, effect: float, trials: int) -> list[dict]:
    from uncanny.claims import error_rates

    return error_rates.rows(group, luck, effect, trials, SEED)


def main(words: list[str]) -> None:
    import pandas as pd

    from uncanny.claims import error_rates
    from uncanny.runtime import files
    from uncanny.workflow import evidence_pages

    trials = int(words.pop(0)) if words and words[0].isdecimal() else TRIALS
    known = list(dict.fromkeys(error_rates.GROUPS.values()))
    if trials < 1 or not set(words) <= set(known):
        sys.exit(
            f"error_rates: {trials} {' '.join(words)}; expected a number of trials, 1 or more, and "
            f"groups of {known}"
        )
    groups = words or known
    kept = pd.read_csv(CSV) if words else pd.DataFrame(columns=[*error_rates.COLUMNS])
    kept = kept[~kept["kind"].map(error_rates.GROUPS).isin(groups)]
    if set(kept["trials"]) - {trials}:
        sys.exit(f"error_rates: {CSV.name} has {kept['trials'].max()} trials a row, not {trials}")
    jobs = list(product(groups, error_rates.LUCKS, error_rates.EFFECTS, [trials]))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        rows = list(chain.from_iterable(pool.map(_rows, *zip(*jobs, strict=True))))
    table = error_rates.in_order(pd.DataFrame([*kept.to_dict("records"), *rows]))
    files.write_text(CSV, table.to_csv(index=False, lineterminator="\n"))
    files.write_text(PAGE, evidence_pages.error_rates(table))
    print(f"{CSV}: {len(rows)} of {len(table)} rows simulated, {trials} trials each; {PAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])
