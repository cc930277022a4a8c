"""Pages of docs/ on the evidence: error rates of the verdicts, coverage of the intervals."""

from pathlib import Path

import pandas as pd

from uncanny.claims import error_rates as rates
from uncanny.claims import simulated
from uncanny.runtime import table_files

TEMPLATES = Path(__file__).parent / "templates"


def error_rates(table: pd.DataFrame) -> str:
    """The page docs/error_rates.md from the table of error_rates.in_order."""
    trials = int(table["trials"].max())
    limit = rates.limit(trials)
    exceeding = [row for row in table.to_dict("records") if rates.wrong(row) > limit]
    text = _template(
        "error_rates.md",
        shared=100 * simulated.SHARED,
        of_model=100 * simulated.OF_MODEL,
        error=100 * simulated.ERROR,
        trials=trials,
        limit=100 * limit / trials,
        exceeding=_exceeding(exceeding, len(table)),
        margin=100 * rates.MARGIN,
    )
    kinds = table.groupby("kind", sort=False)
    return text + "\n" + "\n".join(_section(kind, rows) for kind, rows in kinds).rstrip() + "\n"


def _template(name: str, **values) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").format(**values)


def _exceeding(rows: list[dict], count: int) -> str:
    if not rows:
        return f"None of the {count} rows does."
    names = [
        f"{row['kind']}, luck {100 * row['luck']:g} %, effect {100 * row['effect']:g} %"
        for row in rows
    ]
    return f"{len(rows)} of the {count} rows do: {'; '.join(names)}."


def _section(kind: str, rows: pd.DataFrame) -> str:
    """Table of one kind: a line per number of trainings and luck, a column per effect."""
    lines = [
        {"trainings": trainings, "luck": f"{100 * luck:g} %"}
        | {f"effect {100 * r.effect:g} %: {r.truth}": _shares(r) for r in of_line.itertuples()}
        for (trainings, luck), of_line in rows.groupby(["trainings", "luck"], sort=False)
    ]
    caption = "Supported / refuted, % of trials."
    return table_files.markdown(pd.DataFrame(lines), title=kind, caption=caption)


def _shares(row) -> str:
    return f"{100 * row.supported / row.trials:.1f} / {100 * row.refuted / row.trials:.1f}"
